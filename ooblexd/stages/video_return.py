"""Pictures back to who publishes, over the connection by which they came.

Ingest reads the video ring as control does: what comes out of it has passed the chain,
and whether it may still be shown is asked once more when it is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_MS, NS_PER_S
from ooblexd.counters import StageCounters, StageWord, StreamWord
from ooblexd.encoders.video import VideoCodec, packet_of
from ooblexd.frame import HEADER_BYTES, FrameHeader, may_show, unpack_header
from ooblexd.stages.attachment import ReaderEnd
from ooblexd.webrtc.exchange import EncodedUnit

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.commands import AttachReader, ConfigureStream
    from ooblexd.ring import Lent
    from ooblexd.stages.context import StageContext
    from ooblexd.webrtc.exchange import Wishes

_WANTED_NS = 5 * NS_PER_S  # said again with each picture
_KEYFRAME_EVERY_NS = 500 * NS_PER_MS


class VideoReturn:
    """The video ring of one stream, for those who publish to it.

    Args:
        context: Of the worker.
        now_ns: The monotonic clock.
    """

    def __init__(self, context: StageContext, now_ns: Callable[[], int]) -> None:
        self._board = context.board
        self._now_ns = now_ns
        self._end: ReaderEnd | None = None
        self._counters: StageCounters | None = None
        self._stream: memoryview | None = None
        self._output: memoryview | None = None
        self._is_wanted = False
        self._is_in_step = False  # what comes next refers only to what was taken
        self._asked_ns = 0

    def configure(self, message: ConfigureStream) -> None:
        """Take where the stream's numbers stand."""
        page = self._board.page
        self._counters = StageCounters(page(message.stage_page))
        self._stream = page(message.stream_page).words
        self._output = page(message.output_page).words

    def attach(self, message: AttachReader, fds: list[int]) -> None:
        """Read this segment from now on."""
        self._end = ReaderEnd(message, fds, self._end)
        self._is_in_step = False

    @property
    def wake_fds(self) -> tuple[int, ...]:
        """Readable once there is a picture that somebody wants."""
        is_used = self._end is not None and self._is_wanted
        return (self._end.wake_fd,) if self._end is not None and is_used else ()

    def may_show(self, header: FrameHeader) -> bool:
        """Say whether a picture may be sent at this very moment; from any thread."""
        stream, output = self._stream, self._output
        if stream is None or output is None:
            return False
        required = stream[StreamWord.REQUIRED_REVISION]
        max_age_ns = output[StageWord.MAX_AGE_NS]
        return may_show(header, required, max_age_ns, self._now_ns())

    def turn(self, wishes: Wishes) -> list[EncodedUnit]:
        """Return the pictures that have come, where somebody wishes for them."""
        begins = bool(wishes.codecs) and not self._is_wanted
        self._is_wanted = bool(wishes.codecs)
        self._say(wishes)
        if self._end is None or not self._is_wanted:
            self._is_in_step = False
            return []
        ring = self._end.ring
        ring.drain_wake()
        units = []
        while True:
            while (lent := ring.next()) is not None:
                with lent:
                    units.append(self._copy_out(lent))
            if ring.prepare_wait():
                break
        # What was there before anybody wanted it is old.
        return [] if begins else [unit for unit in units if self._follows(unit, wishes)]

    def close(self) -> None:
        """Unmap the ring."""
        if self._end is not None:
            self._end.close()

    def _say(self, wishes: Wishes) -> None:
        """Tell output what is wanted."""
        if self._counters is None:
            return
        now_ns = self._now_ns()
        until_ns = now_ns + _WANTED_NS if self._is_wanted else 0
        self._counters.set(StageWord.RETURN_UNTIL_NS, until_ns)
        is_keyframe_wanted = self._is_wanted and (
            not self._is_in_step or wishes.wants_keyframe(VideoCodec.H264)
        )
        if is_keyframe_wanted and now_ns - self._asked_ns > _KEYFRAME_EVERY_NS:
            self._asked_ns = now_ns
            self._counters.add(StageWord.RETURN_KEYFRAMES)

    def _copy_out(self, lent: Lent) -> EncodedUnit:
        header = unpack_header(lent.memory)
        data = bytes(lent.memory[HEADER_BYTES : HEADER_BYTES + header.payload_bytes])
        packet = packet_of(data, header.pts_ns, is_keyframe=header.is_keyframe)
        self._is_in_step = self._is_in_step and not lent.passed
        return EncodedUnit(header, packet)

    def _follows(self, unit: EncodedUnit, wishes: Wishes) -> bool:
        """Say whether a picture can be decoded by who got those before it."""
        if unit.packet.is_keyframe:
            self._is_in_step = True
            wishes.keyframe_made(VideoCodec.H264)
        return self._is_in_step
