"""What the API answers with, as types.

The answers are made of these, and their description (`openapi`) is made from them too:
what is said of an attribute here stands in ``/openapi.json``. No pydantic, which
control loads late; so the annotations are the plain ones that it can read.
"""

from dataclasses import dataclass
from typing import Any

from ooblexd.control.readings import Picture, StreamState


@dataclass(frozen=True, slots=True)
class StreamReport:
    """What a stream does; its configuration stands beside these.

    Attributes:
        name: What it is called, in addresses, metrics and the log.
        state: What it does.
        reason: Why, where that is not plain; else empty.
        picture: What a viewer sees.
        width: Of the source's picture, in pixels; 0 before the first.
        height: Of the source's picture, in pixels; 0 before the first.
        fps_in: Frames a second out of the source, over the last ten seconds.
        fps_out: Frames a second that could be shown: live, held or covered.
        age_p50_ms: Median age of a frame when it is done; null while there is none.
        age_p99_ms: 99th percentile of that age; null while there is none.
        last_frame_age_ms: How long ago the source delivered; null before its first.
        down_for_ms: How long it has been down: since its last picture, or, before its
            first, since it was found so; null where it is not down.
        is_idle: Whether nobody looks, so that its pictures go through no effect.
        dropped: Frames discarded since the start, by whichever stage.
        dropped_idle: Of these, those that nobody wanted.
        viewers: Who looks at it now.
    """

    name: str
    state: StreamState
    reason: str
    picture: Picture
    width: int
    height: int
    fps_in: float
    fps_out: float
    age_p50_ms: float | None
    age_p99_ms: float | None
    last_frame_age_ms: int | None
    down_for_ms: int | None
    is_idle: bool
    dropped: int
    dropped_idle: int
    viewers: int


@dataclass(frozen=True, slots=True)
class EffectKindReport:
    """An effect that a stream may name.

    Attributes:
        effect: Its name.
        summary: What it does, in a sentence.
        is_privacy: Whether a frame that it has not seen is never shown.
        schema: JSON schema of an element of a stream's `effects`; empty where the
            effect is not available.
        package: Which brings it, with its version; empty for our own.
        is_available: Whether it can be used.
        reason: Why it is not available; else empty.
    """

    effect: str
    summary: str
    is_privacy: bool
    schema: dict[str, Any]
    package: str
    is_available: bool
    reason: str


@dataclass(frozen=True, slots=True)
class EngineReport:
    """What can run networks.

    Attributes:
        engine: Its name.
        is_available: Whether this box can run it.
        is_chosen: Whether the daemon runs its networks on it.
        reason: Why it is not available; else empty.
        schema: JSON schema of the configuration's section `inference`.
    """

    engine: str
    is_available: bool
    is_chosen: bool
    reason: str
    schema: dict[str, Any]
