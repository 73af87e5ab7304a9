"""Step 1 to 2: source -> raw ring, one worker a stream.

Opening and reading a camera block, for seconds when it is away. So a thread, the
`Pump`, does both and writes the ring; the loop promises the supervisor only what the
pump's own deadline still allows, and a pump that outlives it ends the worker.
"""

from __future__ import annotations

import logging
import random
import threading
from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.commands import (
    AttachWriter,
    ConfigureStream,
    NeedSlots,
    RingKind,
    SlotsRefused,
)
from ooblexd.counters import DropReason, SourceState, StageCounters, StageWord
from ooblexd.errors import SourceError, SourceUnavailableError
from ooblexd.frame import HEADER_BYTES, FrameHeader, Step, i420_bytes
from ooblexd.pixels import planes_of
from ooblexd.plan import StreamPlan, parse_stream_plan
from ooblexd.redaction import mask_url
from ooblexd.sources import SourceOptions, open_source
from ooblexd.sources.reconnect import retry_delay_s
from ooblexd.stages.attachment import WriterEnd

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ooblexd.commands import Message
    from ooblexd.sources import Picture, Source
    from ooblexd.stages.context import StageContext

OPEN_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 3.0
MOST_PIXELS = 17_000_000  # 4096x4096, nearly; one larger starves all other streams
_GRACE_S = 3.0  # what a library may need beyond the timeout it was given
_RETIRED_S = 20.0
_ASK_AGAIN_S = 10.0  # for memory that was not there

logger = logging.getLogger(__name__)


class IngestStage:
    """The loop's side: commands, and the watch over the pump."""

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._plan: StreamPlan | None = None
        self._end: WriterEnd | None = None
        self._counters: StageCounters | None = None
        self._pump: Pump | None = None

    def obey(self, message: Message, fds: list[int]) -> None:
        """Take a plan, a ring, or its refusal."""
        match message:
            case ConfigureStream():
                self._configure(message)
            case AttachWriter():
                former, self._end = self._end, WriterEnd(message, fds)
                if self._pump is not None:
                    self._pump.attach(self._end)
                if former is not None:
                    former.close()
            case SlotsRefused():
                if self._pump is not None:
                    self._pump.refuse(message.reason)
            case _:
                raise AssertionError(message.tag)
        if self._pump is None:
            self._start_pump()

    def wake_fds(self) -> Iterable[int]:
        """Nothing but commands wakes the loop; the pump wakes the ring's reader."""
        return ()

    def step(self) -> float:
        """See that the pump is alive within its own deadline."""
        pump = self._pump
        if pump is None:
            return _GRACE_S
        if pump.failure is not None:
            raise pump.failure
        if monotonic_ns() > pump.deadline_ns:
            raise SourceUnavailableError("the source hangs beyond its timeout")
        if pump.has_answered:
            self._context.announce_ready()
        return _GRACE_S

    def close(self) -> None:
        """Tell the pump to end; the process does not wait for it."""
        self._retire_pump()

    def _configure(self, message: ConfigureStream) -> None:
        plan, former = parse_stream_plan(message.plan), self._plan
        self._plan = plan
        self._counters = StageCounters(self._context.board.page(message.stage_page))
        if former is None:
            return
        before = (former.source, former.transport, former.max_fps)
        if before != (plan.source, plan.transport, plan.max_fps):
            self._retire_pump()

    def _start_pump(self) -> None:
        if self._plan is None or self._end is None or self._counters is None:
            return
        self._pump = Pump(self._plan, self._end, self._counters, self._context)
        self._pump.start()

    def _retire_pump(self) -> None:
        if self._pump is not None:
            self._pump.retire()
            self._pump = None


class Pump(threading.Thread):
    """Opens the source, moves its pictures into the ring, and reconnects for ever.

    Attributes:
        deadline_ns: When the call that it is in must be over.
        has_answered: Whether the source has delivered or failed: it is known.
        failure: A bug; it ends the worker.
    """

    def __init__(
        self,
        plan: StreamPlan,
        end: WriterEnd,
        counters: StageCounters,
        context: StageContext,
    ) -> None:
        super().__init__(name="pump", daemon=True)
        self.deadline_ns = monotonic_ns() + int(_RETIRED_S * NS_PER_S)
        self.has_answered = False
        self.failure: BaseException | None = None
        self._plan = plan
        self._end = end
        self._counters = counters
        self._context = context
        self._lock = threading.Lock()  # the ring has one writing thread at a time
        self._retired = threading.Event()
        self._asked_bytes = 0
        self._refusal = ""
        self._ask_again_ns = 0
        self._next_due_ns = 0

    def retire(self) -> None:
        """Publish nothing more from here on, and end after the call it is in."""
        with self._lock:
            self._retired.set()

    def attach(self, end: WriterEnd) -> None:
        """Write to ``end`` from here on."""
        with self._lock:
            self._end = end
            self._asked_bytes = 0
            if self._refusal:
                self._refusal = ""
                self._counters.report(SourceState.RUNNING)

    def refuse(self, reason: str) -> None:
        """There is no memory for the frames of this source."""
        with self._lock:
            self._refusal = reason
            self._ask_again_ns = monotonic_ns() + int(_ASK_AGAIN_S * NS_PER_S)
            self._counters.report(SourceState.DOWN, reason)

    def run(self) -> None:
        """Reconnect for ever."""
        attempt = 0
        self._counters.report(SourceState.STARTING)
        try:
            while not self._retired.is_set():
                before = self._counters_out()
                error = self._connect_and_read()
                if error is None:
                    return
                attempt = 1 if self._counters_out() > before else attempt + 1
                self._pause(error, attempt)
        except BaseException as error:  # noqa: BLE001 # handed to the loop, which raises it
            self.failure = error

    def _counters_out(self) -> int:
        return self._counters.value(StageWord.FRAMES_OUT)

    def _connect_and_read(self) -> SourceError | None:
        """Read until the source fails, and return why; None once retired."""
        try:
            self._promise(OPEN_TIMEOUT_S)
            options = SourceOptions(
                transport=self._plan.transport,
                open_timeout_s=OPEN_TIMEOUT_S,
                read_timeout_s=READ_TIMEOUT_S,
            )
            source = open_source(self._plan.source, options)
        except SourceError as error:
            return error
        try:
            self._read(source)
        except SourceError as error:
            return error
        finally:
            self._promise(OPEN_TIMEOUT_S)
            source.close()
        return None

    def _read(self, source: Source) -> None:
        is_first = True
        while not self._retired.is_set():
            self._promise(READ_TIMEOUT_S)
            picture = source.read()
            with self._lock:
                if self._retired.is_set():
                    return
                self._take(picture)
            if is_first and not self._refusal:
                is_first = False
                self._counters.report(SourceState.RUNNING)
                logger.info(
                    "[stream %s] %s delivers %dx%d",
                    self._plan.name,
                    mask_url(self._plan.source),
                    picture.width,
                    picture.height,
                )
            self.has_answered = True

    def _take(self, picture: Picture) -> None:
        """Publish one picture, or count why not."""
        counters = self._counters
        counters.add(StageWord.FRAMES_IN)
        if picture.width * picture.height > MOST_PIXELS:
            size = f"{picture.width}x{picture.height}"
            most = MOST_PIXELS // 1_000_000
            raise SourceUnavailableError(
                f"pictures of {size} are too large, at most {most} megapixels"
            )
        if self._is_above_rate(picture.capture_ns):
            counters.drop(DropReason.RATE)
            return
        payload_bytes = i420_bytes(picture.width, picture.height)
        if HEADER_BYTES + payload_bytes > self._end.slot_bytes or self._asked_bytes:
            counters.drop(DropReason.NO_ROOM)
            self._ask_for(HEADER_BYTES + payload_bytes)
            return
        self._publish(picture, payload_bytes)

    def _publish(self, picture: Picture, payload_bytes: int) -> None:
        ring, counters = self._end.ring, self._counters
        loan = ring.loan()
        width, height = picture.width, picture.height
        picture.copy_to(planes_of(loan.memory, width, height, HEADER_BYTES))
        now_ns = monotonic_ns()
        header = FrameHeader(
            sequence=ring.sequence + 1,
            generation=ring.generation,
            width=width,
            height=height,
            payload_bytes=payload_bytes,
            full_range=picture.full_range,
            matrix=picture.matrix,
            pts_ns=picture.pts_ns,
            capture_ns=picture.capture_ns,
        ).stamped(Step.DECODED, picture.decoded_ns)
        header.stamped(Step.INGESTED, now_ns).pack_into(loan.memory)
        ring.publish(loan)
        counters.add(StageWord.FRAMES_OUT)
        counters.set(StageWord.LAST_FRAME_NS, now_ns)
        counters.set(StageWord.WIDTH, width)
        counters.set(StageWord.HEIGHT, height)
        counters.observe(StageWord.AGE, now_ns - picture.capture_ns)
        counters.observe(StageWord.DURATION, now_ns - picture.decoded_ns)

    def _is_above_rate(self, capture_ns: int) -> bool:
        """Thin the pictures out to ``max_fps``, evenly over time."""
        if not self._plan.max_fps:
            return False
        interval_ns = int(NS_PER_S / self._plan.max_fps)
        # A tenth of jitter may not cost a picture of a source at just that rate.
        if capture_ns < self._next_due_ns - interval_ns // 10:
            return True
        behind = capture_ns - self._next_due_ns > interval_ns
        start_ns = capture_ns if behind else self._next_due_ns
        self._next_due_ns = start_ns + interval_ns
        return False

    def _ask_for(self, slot_bytes: int) -> None:
        is_time = monotonic_ns() >= self._ask_again_ns
        if slot_bytes <= self._asked_bytes and not is_time:
            return
        self._asked_bytes = slot_bytes
        self._ask_again_ns = monotonic_ns() + int(_ASK_AGAIN_S * NS_PER_S)
        need = NeedSlots(self._plan.name, RingKind.RAW.value, slot_bytes)
        self._context.send(need)

    def _pause(self, error: SourceError, attempt: int) -> None:
        jitter = random.random()  # noqa: S311 # it spreads retries, it guards nothing
        delay_s = retry_delay_s(error, attempt, jitter)
        if attempt == 1 or not self.has_answered:
            logger.warning(
                "[stream %s] source down: %s; trying again for ever",
                self._plan.name,
                error.reason,
            )
        with self._lock:
            if not self._retired.is_set():
                self._counters.report(SourceState.DOWN, error.reason)
        self.has_answered = True
        self._promise(delay_s)
        self._retired.wait(delay_s)

    def _promise(self, within_s: float) -> None:
        self.deadline_ns = monotonic_ns() + int((within_s + _GRACE_S) * NS_PER_S)
