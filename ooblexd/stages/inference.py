"""Step 3: raw rings -> effects -> processed rings, for the streams of one worker.

The newest raw picture is copied into private memory, its slot is given back at once,
the chain works on the copy, and only a picture that has passed goes into the processed
ring. What has not passed leaves as a header with a verdict and no pixels. While nobody
looks the chain is idle, by the rules of `idle`, and frames stay where they are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_MS, NS_PER_S, monotonic_ns
from ooblexd.commands import (
    AttachReader,
    AttachWriter,
    ConfigureStream,
    ForgetStream,
    NeedSlots,
    RingKind,
    SlotsRefused,
)
from ooblexd.counters import DropReason, SourceState, StageCounters, StageWord
from ooblexd.detection import pack_detections
from ooblexd.engines import Engines
from ooblexd.frame import (
    HEADER_BYTES,
    FrameHeader,
    Step,
    Verdict,
    i420_bytes,
    unpack_header,
)
from ooblexd.heartbeat import Ending, WorkerWord
from ooblexd.pixels import Planes, copy_planes, new_planes, planes_of
from ooblexd.plan import parse_stream_plan
from ooblexd.stages.attachment import ReaderEnd, WriterEnd
from ooblexd.stages.calls import Calls
from ooblexd.stages.demand import Demand
from ooblexd.stages.idle import Idle, Work
from ooblexd.stages.succession import Succession

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ooblexd.commands import Message
    from ooblexd.stages.chain import Chain
    from ooblexd.stages.context import StageContext

LEAST_MAX_AGE_NS = NS_PER_S
_CHAIN_TIMES = 3
_IDLE_S = 1.0
_ASK_AGAIN_NS = 10 * NS_PER_S


class InferenceStage:
    """The streams of this worker, in turn, newest frame each."""

    def __init__(self, context: StageContext, threads: int) -> None:
        self._context = context
        self._engines = Engines(threads=threads)
        self._streams: dict[str, StreamInference] = {}

    def obey(self, message: Message, fds: list[int]) -> None:
        """Take a plan or the end of a ring, or let go of a stream."""
        match message:
            case ConfigureStream():
                if message.stream not in self._streams:
                    stream = StreamInference(self._context, self._engines, message)
                    self._streams[message.stream] = stream
                self._streams[message.stream].configure(message, *fds)
            case AttachReader():
                self._streams[message.stream].attach_reader(message, fds)
            case AttachWriter():
                self._streams[message.stream].attach_writer(WriterEnd(message, fds))
            case SlotsRefused() if message.stream in self._streams:
                self._streams[message.stream].refuse(message.reason)
            case ForgetStream() if message.stream in self._streams:
                self._streams.pop(message.stream).close()
            case _:
                pass  # of a stream that was removed meanwhile

    def wake_fds(self) -> Iterable[int]:
        """Two eventfds a stream: a frame comes, somebody begins to look."""
        for stream in self._streams.values():
            if stream.reader is not None:
                yield stream.reader.wake_fd
            if stream.demand is not None:
                yield stream.demand.wake_fd

    def step(self) -> float:
        """Process the newest frame of each stream; pause only when none has one."""
        for stream in self._streams.values():
            self._context.heartbeat.beat()
            stream.chains.prepare()
        self._context.announce_ready()
        pause_s = _IDLE_S
        for stream in self._streams.values():
            self._context.heartbeat.beat()
            stream.process_newest()
            if not stream.may_sleep():
                pause_s = 0.0
        return pause_s

    def close(self) -> None:
        """Close every stream and engine."""
        for stream in self._streams.values():
            stream.close()
        self._engines.close()


class StreamInference:
    """One stream: its rings, and its frames on their way through the chain.

    Args:
        context: Of the worker.
        engines: Of the worker.
        message: The first plan; `configure` takes it too.
    """

    def __init__(
        self, context: StageContext, engines: Engines, message: ConfigureStream
    ) -> None:
        self.reader: ReaderEnd | None = None
        self.demand: Demand | None = None
        self._writer: WriterEnd | None = None
        self._context = context
        self._name = message.stream
        page = context.board.page(message.stage_page)
        self._counters = StageCounters(page)
        calls = Calls(page, context.heartbeat)
        ending = Ending(context.page.words[WorkerWord.ENDING])
        calls.look_back(ending, parse_stream_plan(message.plan).effects, self._name)
        self.chains = Succession(engines, self._counters, calls)
        self._idle = Idle()
        self._is_idle = False
        self._planes = new_planes(2, 2)
        self._spare = new_planes(2, 2)
        self._scene: int | None = None
        self._asked_bytes = 0
        self._ask_again_ns = 0
        self._max_age_ms = 0
        self._chain_ns = 0.0

    def configure(self, message: ConfigureStream, demand_fd: int) -> None:
        """Take a plan; its chain is built in the next step of the loop."""
        if self.demand is not None:
            self.demand.close()
        page = self._context.board.page
        demand, output = page(message.demand_page), page(message.output_page)
        self.demand = Demand(demand, output, page(message.ingest_page), demand_fd)
        self._max_age_ms = parse_stream_plan(message.plan).max_age_ms
        self.chains.configure(message)

    def attach_reader(self, message: AttachReader, fds: list[int]) -> None:
        """Read the raw frames here from here on."""
        self.reader = ReaderEnd(message, fds, self.reader)
        if not self._counters.value(StageWord.FRAMES_IN):
            self.reader.ring.resume(0)  # what came while the worker started counts too

    def attach_writer(self, end: WriterEnd) -> None:
        """Write the processed frames here from here on."""
        if self._writer is not None:
            self._writer.close()
        self._writer, self._asked_bytes = end, 0
        if self.chains.is_refused:
            self.chains.is_refused = False
            self._counters.report(SourceState.RUNNING)

    def refuse(self, reason: str) -> None:
        """There is no memory for the frames of this stream; ask again in a while."""
        self.chains.is_refused = True
        self._counters.report(SourceState.DOWN, reason)
        self._ask_again_ns = monotonic_ns() + _ASK_AGAIN_NS

    def close(self) -> None:
        """Let go of rings and effects."""
        self.chains.close()
        for end in (self.reader, self._writer, self.demand):
            if end is not None:
                end.close()

    def may_sleep(self) -> bool:
        """Say to the ring that we wait; False if a frame is there already."""
        if self.reader is None:
            return True
        self.reader.ring.drain_wake()
        # While idle only demand wakes it; what comes is counted when it comes round.
        return self._is_idle or self.reader.ring.prepare_wait()

    def process_newest(self) -> None:
        """Take the newest raw frame, if there is a new one, through the chain."""
        if self.reader is None or self._writer is None:
            return
        if self._asked_bytes and monotonic_ns() >= self._ask_again_ns:
            self._asked_bytes = 0
        if self._leaves_alone(self.reader):
            return
        with_frame = self._pick(self.reader)
        if with_frame is None:
            return
        header, picked_ns = with_frame
        chain = self._chain_for(header.scene)
        if chain is None or not self.chains.is_meant(header.scene):
            self._publish_verdict(header, Verdict.COVERED, 0)
            return
        if self.chains.has_successor:
            self._spare = _fitting(self._spare, self._planes)
            copy_planes(self._planes, self._spare)
        verdict = chain.run(self._planes, header)
        self._idle.note_try(monotonic_ns())
        self._note_duration(monotonic_ns() - picked_ns)
        self.chains.note(chain, verdict)
        self._send_on(header, verdict, chain)
        self._counters.observe(StageWord.AGE, monotonic_ns() - header.capture_ns)
        if self.chains.has_successor:
            self.chains.warm_up(self._spare, header)

    def _send_on(self, header: FrameHeader, verdict: Verdict, chain: Chain) -> None:
        if verdict is Verdict.LIVE:
            self._idle.prove(chain.plans)
        if monotonic_ns() - header.capture_ns > self._max_age_ns():
            self._counters.drop(DropReason.STALE)
        elif verdict is Verdict.LIVE:
            self._publish_picture(header, chain)
        else:
            self._publish_verdict(header, verdict, chain.revision)

    def _leaves_alone(self, reader: ReaderEnd) -> bool:
        """Say whether nobody wants the newest frame, and count those before it."""
        assert self.demand is not None
        counters, chain = self._counters, self.chains.final
        now_ns = monotonic_ns()
        is_watched = self.demand.is_watched(now_ns)
        if chain is None:
            self._set_idle(is_idle=False)
            return False
        due = self._idle.work_due(
            chain.plans,
            now_ns,
            is_wanted=is_watched or any(p.runs_unwatched for p in chain.plans),
            is_failing=chain.failing_since_ns > 0,
        )
        if self._is_idle:
            forgone = reader.ring.forgo()
            counters.add(StageWord.FRAMES_IN, forgone)
            counters.drop(DropReason.IDLE, forgone)
        self._set_idle(is_idle=due is not Work.FRAME)
        if self._is_idle and (lent := reader.ring.newest()) is not None:
            # Ingest holds a newer one for whoever comes: this one grows old here.
            with lent:
                counters.add(StageWord.FRAMES_IN, 1 + lent.passed)
                counters.drop(DropReason.IDLE, 1 + lent.passed)
        if due is Work.NEW_CHAIN:
            self.chains.begin_anew()
        return self._is_idle

    def _set_idle(self, *, is_idle: bool) -> None:
        self._is_idle = is_idle
        self._counters.set(StageWord.IS_IDLE, int(is_idle))

    def _chain_for(self, scene: int) -> Chain | None:
        """Return the chain that knows this scene or none, if there is one already."""
        if self._scene not in (None, scene):
            self.chains.begin_anew()
        self._scene = scene
        return self.chains.current

    def _pick(self, reader: ReaderEnd) -> tuple[FrameHeader, int] | None:
        """Copy the newest frame to private memory and give its slot back."""
        counters, lent = self._counters, reader.ring.newest()
        if lent is None:
            return None
        with lent:
            picked_ns = monotonic_ns()
            counters.add(StageWord.FRAMES_IN, 1 + lent.passed)
            if lent.passed:
                counters.drop(DropReason.PASSED_OVER, lent.passed)
            header = unpack_header(lent.memory).stamped(Step.PICKED, picked_ns)
            if picked_ns - header.capture_ns > self._max_age_ns():
                counters.drop(DropReason.STALE)
                return None
            source = planes_of(lent.memory, header.width, header.height, HEADER_BYTES)
            self._planes = _fitting(self._planes, header)
            copy_planes(source, self._planes)
        return header, picked_ns

    def _note_duration(self, chain_ns: int) -> None:
        self._chain_ns += (
            (chain_ns - self._chain_ns) / 8 if self._chain_ns else chain_ns
        )
        self._counters.observe(StageWord.DURATION, chain_ns)

    def _max_age_ns(self) -> int:
        """Return the configured bound, else one that the chain itself can meet."""
        configured = self._max_age_ms * NS_PER_MS
        automatic = max(LEAST_MAX_AGE_NS, int(_CHAIN_TIMES * self._chain_ns))
        return configured or automatic

    def _publish_picture(self, header: FrameHeader, chain: Chain) -> None:
        payload_bytes = i420_bytes(header.width, header.height)
        end = self._writer
        assert end is not None
        if HEADER_BYTES + payload_bytes > end.slot_bytes or self._asked_bytes:
            self._ask_for(HEADER_BYTES + payload_bytes)
            return
        loan = end.ring.loan()
        target = planes_of(loan.memory, header.width, header.height, HEADER_BYTES)
        copy_planes(self._planes, target)
        found = chain.detections
        finished = replace(
            header,
            payload_bytes=payload_bytes,
            revision=chain.revision,
            verdict=Verdict.LIVE,
            detections=None if found is None else pack_detections(found),
        )
        finished.stamped(Step.PROCESSED, monotonic_ns()).pack_into(loan.memory)
        end.ring.publish(loan)
        for one in found or ():
            self._counters.detect(one.label)
        self._counters.add(StageWord.FRAMES_OUT)
        self._counters.set(StageWord.LAST_FRAME_NS, monotonic_ns())

    def _publish_verdict(
        self, header: FrameHeader, verdict: Verdict, revision: int
    ) -> None:
        """Say what has become of a frame whose pixels stay here."""
        end = self._writer
        assert end is not None
        if self._asked_bytes:
            self._counters.drop(DropReason.NO_ROOM)
            return
        loan = end.ring.loan()
        empty = replace(header, payload_bytes=0, revision=revision, verdict=verdict)
        empty.stamped(Step.PROCESSED, monotonic_ns()).pack_into(loan.memory)
        end.ring.publish(loan)
        self._counters.add(StageWord.FRAMES_OUT)

    def _ask_for(self, slot_bytes: int) -> None:
        """Ask once for larger slots; the sequence stands still until they are there."""
        self._counters.drop(DropReason.NO_ROOM)
        if slot_bytes <= self._asked_bytes:
            return
        self._asked_bytes = slot_bytes
        self._ask_again_ns = monotonic_ns() + _ASK_AGAIN_NS
        need = NeedSlots(self._name, RingKind.PROCESSED.value, slot_bytes)
        self._context.send(need)


def _fitting(planes: Planes, like: FrameHeader | Planes) -> Planes:
    """Return ``planes``, or new ones, of the size of ``like``."""
    if (planes.width, planes.height) == (like.width, like.height):
        return planes
    return new_planes(like.width, like.height)
