"""Step 4d: pushes, pictures that are sent to where the owner wants them.

An RTMP platform, another server by RTSP or WHIP, a command, a virtual camera: each has
a thread of its own in the output worker, and takes what is encoded once for all.

1. `url` — what may stand in ``push``
2. `push` — one of them: connect, send, try again
3. `backlog` — what waits for it, never for long; `sound` — what goes along
4. `reconnect`, `words` — when it is tried again, and what is said of it
5. `process`, `sender` — FFmpeg's protocols, in a process beside the worker
6. `whip`, `whip_session` — WebRTC
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.audio_line import AudioShape
    from ooblexd.frame import FrameHeader
    from ooblexd.plan import PushPlan
    from ooblexd.pushes.sound import PushedSound
    from ooblexd.webrtc.exchange import EncodedUnit, Wishes


class Destination(Protocol):
    """Where one push goes, connected.

    Opened, used and closed by one thread, which it may block for as long as it says.

    Attributes:
        follows_size: Whether pictures of another size may follow; else it is opened
            anew for them.
    """

    @property
    def follows_size(self) -> bool: ...  # noqa: D102 - the class documents it

    def write(self, unit: EncodedUnit) -> None:
        """Hand over a picture; those before it have gone.

        Raises:
            PushError: It does not get through; the reason says why.
        """

    def lacks(self, sound: AudioShape) -> bool:
        """Say whether another connection would have this sound, which has come."""

    def close(self) -> None:
        """Say goodbye where there is time for it; a second call does nothing."""


class Surroundings(Protocol):
    """What a destination may ask of its push.

    Attributes:
        wishes: Where it says what it wants of the encoder.
        may_show: Says whether a picture may be sent at this very moment.
        sound: What goes along with the pictures.
    """

    @property
    def is_ending(self) -> bool:
        """Whether the push is over, so that nothing is worth waiting for."""

    @property
    def wishes(self) -> Wishes: ...  # noqa: D102 - the class documents it

    @property
    def may_show(self) -> Callable[[FrameHeader], bool]: ...  # noqa: D102 - likewise

    @property
    def sound(self) -> PushedSound: ...  # noqa: D102 - likewise


def open_destination(
    plan: PushPlan, first: EncodedUnit, around: Surroundings
) -> Destination:
    """Connect to where a push goes.

    Args:
        plan: Where that is.
        first: A keyframe, which says what the pictures are like; it is not sent.
        around: The push.

    Raises:
        PushError: It cannot be reached; the reason says why.
    """
    if plan.url.partition(":")[0].lower() in ("whip", "whips", "http", "https"):
        from ooblexd.pushes.whip import WhipDestination  # noqa: PLC0415 # aiortc

        return WhipDestination(plan, first, around)
    from ooblexd.pushes.process import SenderDestination  # noqa: PLC0415 # a family's

    return SenderDestination(plan, first, around)
