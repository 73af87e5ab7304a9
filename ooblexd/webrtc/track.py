"""The pictures on their way to one viewer, as packets that are encoded already."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from ooblexd.clock import monotonic_ns
from ooblexd.webrtc.estimates import Thinning

if TYPE_CHECKING:
    from collections.abc import Callable

    import av

    from ooblexd.frame import FrameHeader
    from ooblexd.webrtc.exchange import EncodedUnit

MOST_WAITING = 5  # pictures; a sender that is further behind begins anew


class PacketTrack(MediaStreamTrack):
    """A track whose frames need no encoder.

    What may not be shown any more when its turn has come is not sent, and neither is
    what refers to it: the viewer sees on with the next keyframe.

    Args:
        may_show: Says whether a picture may be sent at this very moment.
        want_keyframe: Called when nothing else can be shown.
        tell: Called with each picture right before it is sent.
        forget_sent: Called when what was sent may not be sent again: another chain made
            what comes now.

    Attributes:
        sent: Pictures that were handed to the sender.
        dropped: Pictures that were not, since the first that was.
        thinning: Whether the viewer gets keyframes alone.
    """

    kind = "video"

    def __init__(
        self,
        may_show: Callable[[FrameHeader], bool],
        want_keyframe: Callable[[], None],
        forget_sent: Callable[[], None],
        tell: Callable[[FrameHeader], None] = lambda _: None,
    ) -> None:
        super().__init__()
        self.sent = 0
        self.dropped = 0
        self.thinning = Thinning()
        self._may_show = may_show
        self._want_keyframe = want_keyframe
        self._forget_sent = forget_sent
        self._tell = tell
        self._last: FrameHeader | None = None
        self._units: deque[EncodedUnit] = deque()
        self._has_come = asyncio.Event()
        self._is_in_step = False  # what comes next refers only to what was sent

    def put(self, unit: EncodedUnit) -> None:
        """Have a picture sent, after those before it."""
        if len(self._units) >= MOST_WAITING:
            self._drop(len(self._units))
            self._units.clear()
            self._is_in_step = False
        self._units.append(unit)
        self._has_come.set()

    def may_resend(self) -> bool:
        """Say whether what was sent last might be sent now."""
        return self._last is not None and self._may_show(self._last)

    def begin_anew(self) -> None:
        """Send nothing but a keyframe next."""
        self._is_in_step = False
        now_ns = monotonic_ns()
        # Who gets nothing else must not have all the others get more of them.
        if not self.thinning.is_thin(now_ns) or self.thinning.is_keyframe_due(now_ns):
            self._want_keyframe()

    async def recv(self) -> av.Packet[av.VideoStream]:
        """Return the next picture that may be shown.

        Raises:
            MediaStreamError: The track has ended.
        """
        while self.readyState == "live":
            if not self._units:
                self._has_come.clear()
                await self._has_come.wait()
                continue
            unit = self._units.popleft()
            # Whoever asked sends what is returned before anything else runs.
            if self._admits(unit):
                self.sent += 1
                self._tell(unit.header)
                return unit.packet
            self._drop(1)
        raise MediaStreamError

    def stop(self) -> None:
        """End; `recv` returns nothing more."""
        super().stop()
        self._has_come.set()

    def _drop(self, count: int) -> None:
        if self.sent:  # who has just come waits for a keyframe
            self.dropped += count

    def _admits(self, unit: EncodedUnit) -> bool:
        if not self._may_show(unit.header):
            self.begin_anew()
            return False
        now_ns, packet = monotonic_ns(), unit.packet
        if self.thinning.is_thin(now_ns):
            self._is_in_step = False
            if not self.thinning.is_keyframe_due(now_ns):
                return False
        if not self._is_in_step and not packet.is_keyframe:
            self._want_keyframe()
            return False
        self._is_in_step = True
        self.thinning.note_sent(packet.size, now_ns, is_keyframe=packet.is_keyframe)
        if self._last is not None and self._last.revision != unit.header.revision:
            self._forget_sent()
        self._last = unit.header
        return True
