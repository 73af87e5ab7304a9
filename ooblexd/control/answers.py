"""What the API answers with, as types.

The answers are made of these, and their description (`openapi`) is made from them too:
what is said of an attribute here stands in ``/openapi.json``. No pydantic, which
control loads late; so the annotations are the plain ones that it can read.
"""

import enum
from dataclasses import dataclass
from typing import Any

from ooblexd.control.readings import Picture, StreamState


class PushWay(str, enum.Enum):
    """What a push does."""

    CONNECTING = "connecting"
    RUNNING = "running"
    WAITING = "waiting"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PushReport:
    """One place that the pictures of a stream are sent to.

    Attributes:
        url: Which, without what is secret of it.
        state: What it does: `waiting` is tried again soon, `failed` was refused or has
            been tried in vain for long, and is tried again each half minute.
        since: Since when; null before the stream has begun.
        reason: Why it does not get through; empty where it does.
        sent: Pictures sent since the start.
        dropped: Pictures left out since the start: the other side was too slow, or
            they might not be shown any more when their turn came.
    """

    url: str
    state: PushWay
    since: str | None
    reason: str
    sent: int
    dropped: int


class SoundState(str, enum.Enum):
    """What becomes of the sound of a stream's source, as the API says it."""

    NONE = "none"
    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class SoundReport:
    """The sound of a stream.

    Attributes:
        state: `on` is passed on to all who can hear it, `off` is not, and `none` is
            where the source sends none that we know.
        codec: As the source has it: `aac`, `opus`, `pcm_mulaw` or `pcm_alaw`; null
            where nothing is heard, or nobody listens.
        reason: Why it is not on; empty where it is, and where the source is not there.
    """

    state: SoundState
    codec: str | None
    reason: str


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
        fps_out: Frames a second that could be shown: live, held or covered; since
            somebody looks, ten seconds at most.
        age_p50_ms: Median age of a frame when it is done; null while there is none.
        age_p99_ms: 99th percentile of that age; null while there is none.
        last_frame_age_ms: How long ago the source delivered; null before its first.
        down_for_ms: How long it has been down: since its last picture, or, before its
            first, since it was found so; null where it is not down.
        is_idle: Whether nobody looks, so that its pictures go through no effect.
        dropped: Frames discarded since the start, by whichever stage.
        dropped_idle: Of these, those that nobody wanted.
        viewers: Who looks at it now.
        sound: What becomes of the sound of its source.
        pushes: How each push is.
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
    sound: SoundReport
    pushes: list[PushReport]


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


@dataclass(frozen=True, slots=True)
class CheckReport:
    """One thing that was looked at.

    Attributes:
        check: What, such as `udp`, a server's address, or `stream door`.
        status: How it is: `ok`, `warn` or `fail`.
        detail: What was found.
        remedy: What to do about it; empty where nothing need be done.
    """

    check: str
    status: str
    detail: str
    remedy: str


@dataclass(frozen=True, slots=True)
class DiagnosisReport:
    """Why viewers by WebRTC would not connect.

    Attributes:
        status: The worst of all.
        items: Each thing that was looked at.
        next: Null: it is the whole list.
    """

    status: str
    items: list[CheckReport]
    next: None = None
