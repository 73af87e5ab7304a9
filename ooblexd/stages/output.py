"""Step 4: processed ring -> encoders -> viewers, one worker a stream.

While somebody looks, each frame is encoded once for all who look in the same way: by
HTTP (`stages.jpeg`), or by WebRTC (`stages.video`). Covers and slates are made here and
nowhere else; what may be shown is decided by `showing.choose`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from ooblexd.clock import NS_PER_MS, NS_PER_S, monotonic_ns
from ooblexd.commands import (
    AttachReader,
    AttachWriter,
    ConfigureStream,
    RingKind,
    SlotsRefused,
)
from ooblexd.counters import DropReason, StageCounters, StageWord
from ooblexd.frame import (
    HEADER_BYTES,
    FrameHeader,
    Step,
    Verdict,
    may_show,
    unpack_header,
)
from ooblexd.pixels import copy_planes, new_planes, planes_of
from ooblexd.plan import parse_stream_plan
from ooblexd.signalling import Signal
from ooblexd.stages.attachment import ReaderEnd
from ooblexd.stages.audio_reader import AudioReader
from ooblexd.stages.demand import Demand
from ooblexd.stages.jpeg import JpegOutput
from ooblexd.stages.pace import Pace
from ooblexd.stages.showing import Cause, Showing, Situation, choose
from ooblexd.stages.standins import Size, make_cover, make_slate
from ooblexd.stages.surroundings import Surroundings, Words
from ooblexd.stages.video import VideoOutput

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from ooblexd.audio import AudioPacket
    from ooblexd.commands import Message
    from ooblexd.pixels import Planes
    from ooblexd.renditions import Rendition
    from ooblexd.ring import Lent
    from ooblexd.stages.context import StageContext

_IDLE_S = 1.0
_REPEAT_NS = {
    Verdict.HELD: 200 * NS_PER_MS,
    Verdict.COVERED: NS_PER_S,
    Verdict.SLATE: NS_PER_S,
}
_FIRST_SIZE = Size(1280, 720)
FIRST_WITHIN_NS = 300 * NS_PER_MS  # the first viewer sees a picture, or a cover


class Wanted(NamedTuple):
    """As what pictures are wanted; of whom nothing is known, he wants JPEG."""

    jpeg: bool
    video: bool
    renditions: frozenset[Rendition] = frozenset()


@dataclass(slots=True)
class Protected:
    """The newest live picture that was shown, to be held or reduced to a cover.

    Attributes:
        header: Its own.
        planes: A copy, where it was not encoded as JPEG.
        jpeg: None as long as nobody has wanted that.
    """

    header: FrameHeader
    planes: Planes | None
    jpeg: NDArray[np.uint8] | None


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
        self._demand: Demand | None = None
        self._watched_since_ns = 0
        self._stream = ""
        self._surroundings: Surroundings | None = None
        self._counters = StageCounters(context.page)
        self._jpeg = JpegOutput(context)
        self._video = VideoOutput(context, self._may_show, self._may_hear)
        self._audio = AudioReader()
        self._wanted = Wanted(jpeg=True, video=False)
        self._pace = Pace()
        self._newest: FrameHeader | None = None
        self._noted = 0  # its number in the ring
        self._protected: Protected | None = None
        self._published: Published | None = None

    def obey(self, message: Message, fds: list[int]) -> None:
        """Take a plan or the end of a ring."""
        match message:
            case ConfigureStream():
                self._configure(message, fds)
            case AttachReader(kind=RingKind.AUDIO.value):
                self._audio.attach(message, fds)
            case AttachReader():
                self._reader = ReaderEnd(message, fds, self._reader)
            case AttachWriter(kind=RingKind.VIDEO.value):
                self._video.ring.attach(message, fds)
            case AttachWriter():
                self._jpeg.ring.attach(message, fds)
                self._published = None
            case Signal():
                self._video.obey(message)
            case SlotsRefused(kind=RingKind.VIDEO.value):
                self._video.ring.refuse(message.reason)
            case SlotsRefused():
                self._jpeg.ring.refuse(message.reason)
            case _:
                raise AssertionError(message.tag)

    def _configure(self, message: ConfigureStream, fds: list[int]) -> None:
        plan = parse_stream_plan(message.plan)
        (demand_fd,) = fds
        if self._demand is not None:
            self._demand.close()
        page = self._context.board.page
        demand, output = page(message.demand_page), page(message.output_page)
        ingest = page(message.ingest_page)
        self._demand = Demand(demand, output, ingest, demand_fd)
        self._stream = plan.name
        self._jpeg.set_quality(plan.jpeg_quality)
        self._pace.configured_max_age_ns = plan.max_age_ms * NS_PER_MS
        self._surroundings = Surroundings(self._context.board, message)
        self._counters = StageCounters(self._context.board.page(message.stage_page))
        self._video.pushes.configure(plan.push, page(message.pushes_page))
        self._counters.set(StageWord.PUSHES, len(plan.push))

    def wake_fds(self) -> Iterable[int]:
        """The ring's, and control's: somebody begins to look."""
        if self._reader is not None:
            yield self._reader.wake_fd
        if self._demand is not None:
            yield self._demand.wake_fd
        yield from self._video.wake_fds
        yield from self._audio.wake_fds

    def step(self) -> float:
        """Take the newest frame, and show what may be shown."""
        look, reader = self._surroundings, self._reader
        if look is None or reader is None or not self._jpeg.ring.is_attached:
            return _IDLE_S
        self._context.announce_ready()
        for said in self._video.turn(self._demand, monotonic_ns()):
            self._context.send(said)
        self._counters.set(StageWord.PEERS, self._video.viewers)
        sent, dropped = self._video.take_counts()
        self._counters.add(StageWord.PEER_FRAMES, sent)
        self._counters.add(StageWord.PEER_DROPPED, dropped)
        for packet in self._audio.heard(
            look.required_revision(), listens=self._video.listens
        ):
            self._video.hear(packet)
        due_ns = self._turn(look, reader)
        reader.ring.release()
        reader.ring.drain_wake()
        if not reader.ring.prepare_wait():
            return 0.0
        return max((due_ns - monotonic_ns()) / NS_PER_S, 0.0) if due_ns else _IDLE_S

    def close(self) -> None:
        """End the connections, and unmap the rings."""
        self._video.close()
        self._audio.close()
        self._jpeg.ring.close()
        for end in (self._reader, self._demand):
            if end is not None:
                end.close()

    def _turn(self, look: Surroundings, reader: ReaderEnd) -> int:
        """Do one round; return when the next is due, 0 if only a frame makes it so."""
        lent = reader.ring.newest()
        now_ns = monotonic_ns()
        assert self._demand is not None
        is_watched = self._demand.is_watched(now_ns)
        self._note_wanted(self._demand, now_ns)
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

    def _note_wanted(self, demand: Demand, now_ns: int) -> None:
        has_takers, former = self._video.is_wanted, self._wanted
        wants_jpeg = demand.wants_jpeg(now_ns) or not has_takers
        wanted = Wanted(wants_jpeg, has_takers, frozenset(demand.renditions()))
        self._jpeg.set_renditions(tuple(sorted(wanted.renditions)))
        is_more = not wanted.renditions <= former.renditions
        self._wanted = wanted
        if is_more or wanted[:2] != former[:2]:
            self._published = None  # who has just come is shown what the others see

    def _may_show(self, header: FrameHeader) -> bool:
        """Say whether a picture may be sent to a peer at this very moment."""
        if self._surroundings is None:
            return False
        required = self._surroundings.required_revision()
        return may_show(header, required, self._pace.max_age_ns(), monotonic_ns())

    def _may_hear(self, packet: AudioPacket) -> bool:
        """Say the same of sound, which is as old as the pictures it goes with."""
        look = self._surroundings
        return look is not None and packet.revision >= look.required_revision()

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
            if lent is None or self._show_live(lent) or not self._jpeg.ring.refusal:
                return showing.due_ns
            showing = replace(showing, verdict=Verdict.SLATE)
            words = Words("no room for the picture", self._jpeg.ring.refusal)
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
        if self._wanted.jpeg:
            jpeg = self._jpeg.encode(header, planes)
            if not self._publish(header, jpeg):
                return False
            self._protected = Protected(header, None, jpeg)
        else:
            self._published = Published(header.verdict, header.sequence, monotonic_ns())
            self._protected = Protected(header, self._copy_of(planes), None)
        if self._wanted.video:
            self._video.show(header, planes)
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
            jpeg = self._jpeg_of(protected)
        elif words is not None:
            jpeg = make_slate(self._stream, words.title, words.reason, size)
        else:
            jpeg = self._cover(size)
            if showing.cause is not Cause.CHAIN:  # those inference has counted
                self._counters.add(StageWord.COVERED)
        # Of a picture that is not shown, or only once more, nothing is told.
        header = replace(header, verdict=showing.verdict, detections=None)
        self._publish(header, jpeg, words)
        if self._wanted.video:
            self._video.show_jpeg(header, jpeg)

    def _cover(self, size: Size) -> NDArray[np.uint8]:
        """Make a cover of a picture that satisfies what is required now."""
        assert self._surroundings is not None
        required, protected = (
            self._surroundings.required_revision(),
            self._protected,
        )
        if protected is None or protected.header.revision < required:
            return make_cover(None, size)
        return make_cover(self._jpeg_of(protected), size)

    def _jpeg_of(self, protected: Protected) -> NDArray[np.uint8]:
        if protected.jpeg is None:
            assert protected.planes is not None
            protected.jpeg = self._jpeg.encode(protected.header, protected.planes)
        return protected.jpeg

    def _copy_of(self, planes: Planes) -> Planes:
        """Copy a picture into memory of our own, that of the one before if it fits."""
        kept = self._protected.planes if self._protected else None
        if kept is None or kept.y.shape != planes.y.shape:
            kept = new_planes(planes.width, planes.height)
        copy_planes(planes, kept)
        return kept

    def _publish(
        self, header: FrameHeader, jpeg: NDArray[np.uint8], words: Words | None = None
    ) -> bool:
        """Put a picture before all who look by HTTP; False if it does not fit yet."""
        if not self._jpeg.publish(header, jpeg):
            self._counters.drop(DropReason.NO_ROOM)
            return False
        verdict, sequence = header.verdict, header.sequence
        self._published = Published(verdict, sequence, monotonic_ns(), words)
        return True
