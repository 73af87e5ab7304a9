"""Step 4: processed ring -> encoders -> encoded ring, one worker a stream.

While somebody looks, each frame is encoded once, and every viewer gets the same bytes
out of the encoded ring. Covers and slates are made here and nowhere else; what may be
shown is decided by `showing.choose`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ooblexd.clock import NS_PER_MS, NS_PER_S, monotonic_ns
from ooblexd.commands import (
    AttachReader,
    AttachWriter,
    ConfigureStream,
    NeedSlots,
    RingKind,
    SlotsRefused,
)
from ooblexd.counters import DropReason, StageCounters, StageWord
from ooblexd.encoders.jpeg import JpegEncoder
from ooblexd.frame import (
    HEADER_BYTES,
    FrameHeader,
    PixelFormat,
    Step,
    Verdict,
    unpack_header,
)
from ooblexd.pixels import planes_of
from ooblexd.plan import parse_stream_plan
from ooblexd.stages.attachment import ReaderEnd, WriterEnd
from ooblexd.stages.demand import Demand
from ooblexd.stages.showing import Cause, Showing, Situation, choose
from ooblexd.stages.standins import Size, make_cover, make_slate
from ooblexd.stages.surroundings import Surroundings, Words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from ooblexd.commands import Message
    from ooblexd.ring import Lent
    from ooblexd.stages.context import StageContext

_IDLE_S = 1.0
_REPEAT_NS = {
    Verdict.HELD: 200 * NS_PER_MS,
    Verdict.COVERED: NS_PER_S,
    Verdict.SLATE: NS_PER_S,
}
_LEAST_MAX_AGE_NS = NS_PER_S
_CHAIN_TIMES = 3
_LONGEST_INTERVAL_NS = 10 * NS_PER_S
_FIRST_SIZE = Size(1280, 720)
_ASK_AGAIN_NS = 10 * NS_PER_S
FIRST_WITHIN_NS = 300 * NS_PER_MS  # the first viewer sees a picture, or a cover


@dataclass(frozen=True, slots=True)
class Protected:
    """The newest live picture that was encoded, to be held or reduced to a cover."""

    header: FrameHeader
    jpeg: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Published:
    """What viewers have before them."""

    verdict: Verdict
    sequence: int
    at_ns: int
    words: Words | None = None


class OutputStage:
    """The pictures of one stream, on their way to all viewers."""

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._reader: ReaderEnd | None = None
        self._writer: WriterEnd | None = None
        self._demand: Demand | None = None
        self._watched_since_ns = 0
        self._stream = ""
        self._surroundings: Surroundings | None = None
        self._counters = StageCounters(context.page)
        self._encoder = JpegEncoder(80)
        self._pace = Pace()
        self._newest: FrameHeader | None = None
        self._noted = 0  # its number in the ring
        self._protected: Protected | None = None
        self._published: Published | None = None
        self._asked_bytes = 0
        self._ask_again_ns = 0
        self._refusal = ""

    def obey(self, message: Message, fds: list[int]) -> None:
        """Take a plan or the end of a ring."""
        match message:
            case ConfigureStream():
                self._configure(message, fds)
            case AttachReader():
                self._reader = ReaderEnd(message, fds, self._reader)
            case AttachWriter():
                if self._writer is not None:
                    self._writer.close()
                self._writer, self._asked_bytes = WriterEnd(message, fds), 0
                self._refusal = ""
                self._published = None
            case SlotsRefused():
                self._asked_bytes, self._refusal = 0, message.reason
                self._ask_again_ns = monotonic_ns() + _ASK_AGAIN_NS
            case _:
                raise AssertionError(message.tag)

    def _configure(self, message: ConfigureStream, fds: list[int]) -> None:
        plan = parse_stream_plan(message.plan)
        (demand_fd,) = fds
        if self._demand is not None:
            self._demand.close()
        self._demand = Demand(self._context.board.page(message.demand_page), demand_fd)
        self._stream = plan.name
        self._encoder.quality = plan.jpeg_quality
        self._pace.configured_max_age_ns = plan.max_age_ms * NS_PER_MS
        self._surroundings = Surroundings(self._context.board, message)
        self._counters = StageCounters(self._context.board.page(message.stage_page))

    def wake_fds(self) -> Iterable[int]:
        """The ring's, and control's: somebody begins to look."""
        if self._reader is not None:
            yield self._reader.wake_fd
        if self._demand is not None:
            yield self._demand.wake_fd

    def step(self) -> float:
        """Take the newest frame, and show what may be shown."""
        look, reader = self._surroundings, self._reader
        if look is None or reader is None or self._writer is None:
            return _IDLE_S
        self._context.announce_ready()
        due_ns = self._turn(look, reader)
        reader.ring.release()
        reader.ring.drain_wake()
        if not reader.ring.prepare_wait():
            return 0.0
        return max((due_ns - monotonic_ns()) / NS_PER_S, 0.0) if due_ns else _IDLE_S

    def close(self) -> None:
        """Unmap the rings."""
        for end in (self._reader, self._writer, self._demand):
            if end is not None:
                end.close()

    def _turn(self, look: Surroundings, reader: ReaderEnd) -> int:
        """Do one round; return when the next is due, 0 if only a frame makes it so."""
        lent = reader.ring.newest()
        now_ns = monotonic_ns()
        assert self._demand is not None
        is_watched = self._demand.is_watched(now_ns)
        if lent is None and is_watched:
            lent = reader.ring.current()
        is_new = lent is not None and self._note(lent)
        due_ns = 0
        if is_watched:
            self._watched_since_ns = self._watched_since_ns or now_ns
            showing = choose(self._situation(look, now_ns))
            due_ns = self._show(showing, look, lent, now_ns)
        else:
            # Whoever comes next must see nothing of what was before.
            self._published = self._protected = None
            self._watched_since_ns = 0
        self._counters.add(StageWord.FRAMES_OUT, int(is_new))
        return due_ns

    def _note(self, lent: Lent) -> bool:
        """Count a frame and remember who it is; False if it is known already."""
        if lent.sequence == self._noted:
            return False
        self._noted = lent.sequence
        counters = self._counters
        counters.add(StageWord.FRAMES_IN, 1 + lent.passed)
        if lent.passed:
            counters.drop(DropReason.PASSED_OVER, lent.passed)
        header = unpack_header(lent.memory).stamped(Step.TAKEN, monotonic_ns())
        if self._newest is not None:
            self._pace.note(header, self._newest, 1 + lent.passed)
        counters.set(StageWord.MAX_AGE_NS, self._pace.max_age_ns())
        counters.set(StageWord.LAST_FRAME_NS, monotonic_ns())
        counters.set(StageWord.REVISION, header.revision)
        self._newest = header
        return True

    def _situation(self, look: Surroundings, now_ns: int) -> Situation:
        newest, protected = self._newest, self._protected
        return Situation(
            now_ns=now_ns,
            verdict=newest.verdict if newest else None,
            capture_ns=newest.capture_ns if newest else 0,
            arrived_ns=newest.steps_ns[Step.PROCESSED] if newest else 0,
            revision=newest.revision if newest else 0,
            live_until_ns=protected.header.steps_ns[Step.PROCESSED] if protected else 0,
            live_revision=protected.header.revision if protected else 0,
            required_revision=look.required_revision(),
            max_age_ns=self._pace.max_age_ns(),
            interval_ns=self._pace.interval_ns,
            is_source_down=look.is_source_down(now_ns),
        )

    def _show(
        self, showing: Showing, look: Surroundings, lent: Lent | None, now_ns: int
    ) -> int:
        """Publish what ``showing`` says, unless viewers have it before them already."""
        words = None
        if showing.verdict is Verdict.LIVE:
            # After a move to a larger ring there is no picture in it.
            if lent is None or self._show_live(lent) or not self._refusal:
                return showing.due_ns
            showing = replace(showing, verdict=Verdict.SLATE)
            words = Words("no room for the picture", self._refusal)
        elif showing.verdict is Verdict.SLATE:
            words = look.slate(now_ns)
        before, repeat_ns = self._published, _REPEAT_NS[showing.verdict]
        first_ns = self._watched_since_ns + FIRST_WITHIN_NS
        if before is None and showing.verdict is Verdict.COVERED and now_ns < first_ns:
            return first_ns  # the chain was idle: its first picture is on its way
        if (
            before is None
            or (before.verdict, before.words) != (showing.verdict, words)
            or now_ns - before.at_ns >= repeat_ns
        ):
            self._show_standin(showing, words)
            return min(showing.due_ns, now_ns + repeat_ns)
        return min(showing.due_ns, before.at_ns + repeat_ns)

    def _show_live(self, lent: Lent) -> bool:
        """Encode and publish the frame, once; False if there is no room for it."""
        header, before = self._newest, self._published
        assert header is not None
        shown = (Verdict.LIVE, header.sequence)
        if before is not None and (before.verdict, before.sequence) == shown:
            return True
        planes = planes_of(lent.memory, header.width, header.height, HEADER_BYTES)
        jpeg = self._encoder.encode(
            planes, full_range=header.full_range, matrix=header.matrix
        )
        if not self._publish(header, jpeg):
            return False
        self._protected = Protected(header, jpeg)
        self._counters.observe(StageWord.AGE, monotonic_ns() - header.capture_ns)
        taken_ns = header.steps_ns[Step.TAKEN]
        self._counters.observe(StageWord.DURATION, monotonic_ns() - taken_ns)
        return True

    def _show_standin(self, showing: Showing, words: Words | None) -> None:
        """Publish a held picture, a cover or a slate."""
        protected, newest = self._protected, self._newest
        like = protected.header if protected else newest
        size = Size(like.width, like.height) if like else _FIRST_SIZE
        # A stand-in that is made of no frame does not say when one was taken.
        header = protected.header if protected else FrameHeader(0, *size, capture_ns=0)
        if showing.verdict is Verdict.HELD:
            assert protected is not None, "only a picture that exists is held"
            jpeg = protected.jpeg
        elif words is not None:
            jpeg = make_slate(self._stream, words.title, words.reason, size)
        else:
            jpeg = self._cover(size)
            if showing.cause is not Cause.CHAIN:  # those inference has counted
                self._counters.add(StageWord.COVERED)
        self._publish(replace(header, verdict=showing.verdict), jpeg, words)

    def _cover(self, size: Size) -> NDArray[np.uint8]:
        """Make a cover of a picture that satisfies what is required now."""
        assert self._surroundings is not None
        required, protected = (
            self._surroundings.required_revision(),
            self._protected,
        )
        if protected is None or protected.header.revision < required:
            return make_cover(None, size)
        return make_cover(protected.jpeg, size)

    def _publish(
        self,
        header: FrameHeader,
        jpeg: NDArray[np.uint8],
        words: Words | None = None,
    ) -> bool:
        """Put a picture before all viewers; False if it does not fit yet."""
        end = self._writer
        assert end is not None
        if HEADER_BYTES + jpeg.nbytes > end.slot_bytes or self._asked_bytes:
            self._ask_for(HEADER_BYTES + 2 * jpeg.nbytes)
            return False
        now_ns = monotonic_ns()
        loan = end.ring.loan()
        encoded = replace(
            header, payload_bytes=jpeg.nbytes, pixel_format=PixelFormat.JPEG
        ).stamped(Step.ENCODED, now_ns)
        target = np.frombuffer(loan.memory, np.uint8, jpeg.nbytes, HEADER_BYTES)
        np.copyto(target, jpeg)
        encoded.pack_into(loan.memory)
        end.ring.publish(loan)
        self._published = Published(header.verdict, header.sequence, now_ns, words)
        return True

    def _ask_for(self, slot_bytes: int) -> None:
        """Ask for larger slots, unless an answer is due or the last was no."""
        self._counters.drop(DropReason.NO_ROOM)
        if self._asked_bytes or monotonic_ns() < self._ask_again_ns:
            return
        self._asked_bytes = slot_bytes
        need = NeedSlots(self._stream, RingKind.ENCODED.value, slot_bytes)
        self._context.send(need)


class Pace:
    """The stream's own rhythm: between frames, and through the chain.

    Attributes:
        interval_ns: Between frames: the smaller of the last two, so that one gap (a
            worker was replaced, the camera was away) is not taken for a slow camera,
            whose pictures may be held for longer.
        configured_max_age_ns: 0 where the bound follows the chain.
    """

    def __init__(self) -> None:
        self.interval_ns = 0
        self.configured_max_age_ns = 0
        self._last_interval_ns = 0
        self._chain_ns = 0.0

    def note(self, header: FrameHeader, before: FrameHeader, frames: int) -> None:
        """Learn from a frame and the one seen before it, ``frames`` earlier."""
        interval_ns = (header.capture_ns - before.capture_ns) // max(frames, 1)
        interval_ns = min(max(interval_ns, 0), _LONGEST_INTERVAL_NS)
        self.interval_ns = min(interval_ns, self._last_interval_ns or interval_ns)
        self._last_interval_ns = interval_ns
        chain_ns = header.steps_ns[Step.PROCESSED] - header.steps_ns[Step.PICKED]
        self._chain_ns += (chain_ns - self._chain_ns) / 8

    def max_age_ns(self) -> int:
        """Return the bound beyond which a picture is not shown."""
        automatic = max(_LEAST_MAX_AGE_NS, int(_CHAIN_TIMES * self._chain_ns))
        return self.configured_max_age_ns or automatic
