"""Step 3: raw rings -> effects -> processed rings, for the streams of one worker.

The newest raw picture is copied into private memory, its slot is given back at once,
the chain works on the copy, and only a picture that has passed goes into the processed
ring. What has not passed leaves as a header with a verdict and no pixels. While nobody
looks the chain is idle, by the rules of `idle`, and frames stay where they are.
"""

from __future__ import annotations

import logging
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
from ooblexd.effects import EffectContext
from ooblexd.engines import Engines
from ooblexd.errors import OoblexdError
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
from ooblexd.reminders import Reminders
from ooblexd.stages.attachment import ReaderEnd, WriterEnd
from ooblexd.stages.calls import Calls
from ooblexd.stages.chain import Chain, build_chain
from ooblexd.stages.demand import Demand
from ooblexd.stages.idle import Idle, Work

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ooblexd.commands import Message
    from ooblexd.stages.context import StageContext

LEAST_MAX_AGE_NS = NS_PER_S
_CHAIN_TIMES = 3
_BUILD_AGAIN_NS = 5 * NS_PER_S
_WARM_WITHIN_NS = 10 * NS_PER_S
_IDLE_S = 1.0
_ASK_AGAIN_NS = 10 * NS_PER_S

logger = logging.getLogger(__name__)


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
                    stream = StreamInference(self._context, self._engines)
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
            stream.prepare_chain()
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
    """One stream: its rings, its chain, and the chain that is to follow."""

    def __init__(self, context: StageContext, engines: Engines) -> None:
        self.reader: ReaderEnd | None = None
        self.demand: Demand | None = None
        self._idle = Idle()
        self._reminders = Reminders()
        self._is_idle = False
        self._writer: WriterEnd | None = None
        self._context = context
        self._engines = engines
        self._configured: ConfigureStream | None = None
        self._wish: ConfigureStream | None = None
        self._counters: StageCounters | None = None
        self._calls: Calls | None = None
        self._chain: Chain | None = None
        self._warm_by_ns = 0
        self._successor: Chain | None = None
        self._build_after_ns = 0
        self._planes = new_planes(2, 2)
        self._spare = new_planes(2, 2)
        self._name = ""
        self._scene: int | None = None
        self._asked_bytes = 0
        self._ask_again_ns = 0
        self._is_refused = False
        self._max_age_ms = 0
        self._chain_ns = 0.0
        self._told = (False, "")  # of the chain: whether it shows, and its failure

    def configure(self, message: ConfigureStream, demand_fd: int) -> None:
        """Take a plan; its chain is built in the next step of the loop."""
        plan = parse_stream_plan(message.plan)
        if self.demand is not None:
            self.demand.close()
        self.demand = Demand(self._context.board.page(message.demand_page), demand_fd)
        self._configured = self._wish = message
        self._name = message.stream
        self._max_age_ms = plan.max_age_ms
        self._build_after_ns = 0
        if self._counters is None:
            page = self._context.board.page(message.stage_page)
            self._counters = StageCounters(page)
            self._calls = Calls(page, self._context.heartbeat)
            ending = Ending(self._context.page.words[WorkerWord.ENDING])
            self._calls.look_back(ending, plan.effects, message.stream)

    def _forget_scene(self) -> None:
        """Have the chain built anew: what it has tracked is of another scene."""
        self._drop_successor()
        self._wish = self._configured
        if self._chain is not None:
            self._chain.close()
            self._chain = None

    def attach_reader(self, message: AttachReader, fds: list[int]) -> None:
        """Read the raw frames here from here on."""
        self.reader = ReaderEnd(message, fds, self.reader)

    def attach_writer(self, end: WriterEnd) -> None:
        """Write the processed frames here from here on."""
        if self._writer is not None:
            self._writer.close()
        self._writer, self._asked_bytes = end, 0
        if self._is_refused and self._counters is not None:
            self._is_refused = False
            self._counters.report(SourceState.RUNNING)

    def refuse(self, reason: str) -> None:
        """There is no memory for the frames of this stream; ask again in a while."""
        assert self._counters is not None
        self._is_refused = True
        self._counters.report(SourceState.DOWN, reason)
        self._ask_again_ns = monotonic_ns() + _ASK_AGAIN_NS

    def close(self) -> None:
        """Let go of rings and effects."""
        for chain in (self._chain, self._successor):
            if chain is not None:
                chain.close()
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

    def prepare_chain(self) -> None:
        """Build the chain of the newest plan, where it differs.

        A stricter plan takes over at once and covers until it is warm; any other one
        warms up beside the chain that runs.
        """
        wish = self._wish
        if wish is None or monotonic_ns() < self._build_after_ns:
            return
        effects = parse_stream_plan(wish.plan).effects
        for chain in (self._successor, self._chain):
            if chain is not None and chain.plans == effects:
                chain.revision = wish.revision
                if chain is self._chain:
                    self._keep(chain)
                self._wish = None
                return
        context = EffectContext(self._engines, wish.stream)
        assert self._calls is not None
        try:
            built = build_chain(effects, context, wish.revision, self._calls)
        except OoblexdError as error:
            self._note_build_failure(wish, error)
            return
        self._wish = None
        self._drop_successor()
        if self._chain is None or self._chain.revision < wish.required_revision:
            self._take_over(built)
        else:
            self._successor = built
            self._warm_by_ns = monotonic_ns() + _WARM_WITHIN_NS

    def _note_build_failure(self, wish: ConfigureStream, error: OoblexdError) -> None:
        """Go on without the chain: its stream stays covered, and says why."""
        if self._reminders.due(str(error), monotonic_ns()):
            logger.error("[stream %s] the effects cannot start: %s", wish.stream, error)
        assert self._counters is not None
        self._counters.report(SourceState.DOWN, f"effects cannot start: {error}")
        self._build_after_ns = monotonic_ns() + _BUILD_AGAIN_NS
        if self._chain is not None and self._chain.revision < wish.required_revision:
            self._chain.close()
            self._chain = None

    def _take_over(self, chain: Chain) -> None:
        if self._chain is not None:
            self._chain.close()
        self._chain = chain
        assert self._counters is not None
        self._told = (True, "")
        self._counters.set(StageWord.FAILING_SINCE_NS, 0)
        if not self._is_refused:
            self._counters.report(SourceState.RUNNING)

    def _keep(self, chain: Chain) -> None:
        """Go on with the chain that runs: what was to follow it is not wanted."""
        self._drop_successor()
        assert self._counters is not None
        if not (chain.failing_since_ns or self._is_refused):
            self._counters.report(SourceState.RUNNING)

    def _drop_successor(self) -> None:
        if self._successor is not None:
            self._successor.close()
            self._successor = None

    def process_newest(self) -> None:
        """Take the newest raw frame, if there is a new one, through the chain."""
        counters = self._counters
        if self.reader is None or self._writer is None or counters is None:
            return
        if self._asked_bytes and monotonic_ns() >= self._ask_again_ns:
            self._asked_bytes = 0
        if self._leaves_alone(self.reader, counters):
            return
        with_frame = self._pick(self.reader, counters)
        if with_frame is None:
            return
        header, picked_ns = with_frame
        chain = self._chain_for(header.scene)
        if chain is None or not self._is_meant(header.scene):
            self._publish_verdict(header, Verdict.COVERED, 0)
            return
        if self._successor is not None:
            self._spare = _fitting(self._spare, self._planes)
            copy_planes(self._planes, self._spare)
        verdict = chain.run(self._planes, header)
        self._idle.note_try(monotonic_ns())
        self._note(counters, chain, monotonic_ns() - picked_ns, verdict)
        self._send_on(header, verdict, chain)
        counters.observe(StageWord.AGE, monotonic_ns() - header.capture_ns)
        if self._successor is not None:
            self._warm_up(self._successor, header)

    def _send_on(self, header: FrameHeader, verdict: Verdict, chain: Chain) -> None:
        assert self._counters is not None
        if verdict is Verdict.LIVE:
            self._idle.prove(chain.plans)
        if monotonic_ns() - header.capture_ns > self._max_age_ns():
            self._counters.drop(DropReason.STALE)
        elif self._asked_bytes:
            # The sequence must stand still until the larger memory is there.
            self._counters.drop(DropReason.NO_ROOM)
        elif verdict is Verdict.LIVE:
            self._publish_picture(header, chain.revision)
        else:
            self._publish_verdict(header, verdict, chain.revision)

    def _leaves_alone(self, reader: ReaderEnd, counters: StageCounters) -> bool:
        """Say whether nobody wants the newest frame, and count those before it."""
        assert self.demand is not None
        now_ns, chain = monotonic_ns(), self._successor or self._chain
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
            self._forget_scene()
        return self._is_idle

    def _set_idle(self, *, is_idle: bool) -> None:
        assert self._counters is not None
        self._is_idle = is_idle
        self._counters.set(StageWord.IS_IDLE, int(is_idle))

    def _is_meant(self, scene: int) -> bool:
        """Say whether the newest plan speaks of this view of the source.

        For a moment after a change frames of the former view are still on their way, or
        frames of the new one are before its plan: zones would cover the wrong places.
        """
        return self._configured is not None and self._configured.scene == scene

    def _chain_for(self, scene: int) -> Chain | None:
        """Return the chain that knows this scene or none, if there is one already."""
        if self._scene not in (None, scene):
            self._forget_scene()
        self._scene = scene
        return self._chain

    def _pick(
        self, reader: ReaderEnd, counters: StageCounters
    ) -> tuple[FrameHeader, int] | None:
        """Copy the newest frame to private memory and give its slot back."""
        lent = reader.ring.newest()
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

    def _warm_up(self, successor: Chain, header: FrameHeader) -> None:
        """Let the successor see the frame too; it takes over once it is warm.

        One whose effects keep failing takes over as well: it is what the owner wants,
        and what is shown then is what ``on_failure`` says.
        """
        is_warm = successor.run(self._spare, header) is Verdict.LIVE
        if is_warm or monotonic_ns() >= self._warm_by_ns:
            self._successor = None
            self._take_over(successor)

    def _note(
        self, counters: StageCounters, chain: Chain, chain_ns: int, verdict: Verdict
    ) -> None:
        self._chain_ns += (
            (chain_ns - self._chain_ns) / 8 if self._chain_ns else chain_ns
        )
        counters.observe(StageWord.DURATION, chain_ns)
        counters.set(StageWord.REVISION, chain.revision)
        told = (verdict is Verdict.LIVE, chain.failure)
        if told != self._told:
            self._told = told
            self._tell_failure(counters, chain, is_live=verdict is Verdict.LIVE)

    def _tell_failure(
        self, counters: StageCounters, chain: Chain, *, is_live: bool
    ) -> None:
        is_passed = is_live and chain.has_passed
        since_ns = 0 if is_live and not is_passed else chain.failing_since_ns
        counters.set(StageWord.FAILING_SINCE_NS, since_ns)
        if not is_live:
            state = SourceState.DOWN if chain.failure else SourceState.RUNNING
            counters.report(state, chain.failure)
        elif is_passed or not chain.failure:
            counters.report(SourceState.RUNNING, chain.failure)
        else:
            words = f"covered now and then: {chain.failure}"
            counters.report(SourceState.RUNNING, words)

    def _max_age_ns(self) -> int:
        """Return the configured bound, else one that the chain itself can meet."""
        configured = self._max_age_ms * NS_PER_MS
        automatic = max(LEAST_MAX_AGE_NS, int(_CHAIN_TIMES * self._chain_ns))
        return configured or automatic

    def _publish_picture(self, header: FrameHeader, revision: int) -> None:
        payload_bytes = i420_bytes(header.width, header.height)
        end = self._writer
        assert end is not None
        if HEADER_BYTES + payload_bytes > end.slot_bytes:
            self._ask_for(HEADER_BYTES + payload_bytes)
            return
        loan = end.ring.loan()
        target = planes_of(loan.memory, header.width, header.height, HEADER_BYTES)
        copy_planes(self._planes, target)
        finished = replace(
            header, payload_bytes=payload_bytes, revision=revision, verdict=Verdict.LIVE
        )
        finished.stamped(Step.PROCESSED, monotonic_ns()).pack_into(loan.memory)
        end.ring.publish(loan)
        assert self._counters is not None
        self._counters.add(StageWord.FRAMES_OUT)
        self._counters.set(StageWord.LAST_FRAME_NS, monotonic_ns())

    def _publish_verdict(
        self, header: FrameHeader, verdict: Verdict, revision: int
    ) -> None:
        """Say what has become of a frame whose pixels stay here."""
        end = self._writer
        assert end is not None
        loan = end.ring.loan()
        empty = replace(header, payload_bytes=0, revision=revision, verdict=verdict)
        empty.stamped(Step.PROCESSED, monotonic_ns()).pack_into(loan.memory)
        end.ring.publish(loan)
        assert self._counters is not None
        self._counters.add(StageWord.FRAMES_OUT)

    def _ask_for(self, slot_bytes: int) -> None:
        assert self._counters is not None
        self._counters.drop(DropReason.NO_ROOM)
        self._asked_bytes = slot_bytes
        self._ask_again_ns = monotonic_ns() + _ASK_AGAIN_NS
        need = NeedSlots(self._name, RingKind.PROCESSED.value, slot_bytes)
        self._context.send(need)


def _fitting(planes: Planes, like: FrameHeader | Planes) -> Planes:
    """Return ``planes``, or new ones, of the size of ``like``."""
    if (planes.width, planes.height) == (like.width, like.height):
        return planes
    return new_planes(like.width, like.height)
