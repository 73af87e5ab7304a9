"""Step 1 to 2: source -> raw ring, one worker a stream.

The `pump`, a thread, opens the source and writes the ring; the loop here obeys the
supervisor, promises it only what the pump's own deadline still allows, and ends the
worker with a pump that outlives it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ooblexd.clock import monotonic_ns
from ooblexd.commands import (
    AttachReader,
    AttachWriter,
    ConfigureStream,
    SlotsRefused,
)
from ooblexd.counters import StageCounters, StageWord
from ooblexd.errors import SourceUnavailableError
from ooblexd.plan import StreamPlan, parse_stream_plan
from ooblexd.stages.attachment import WriterEnd
from ooblexd.stages.demand import Demand
from ooblexd.stages.inbox import Inbox, UploadRing
from ooblexd.stages.pump import GRACE_S, Pump, Task

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ooblexd.commands import Message
    from ooblexd.stages.context import StageContext


class IngestStage:
    """The loop's side: commands, and the watch over the pump."""

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._task: Task | None = None
        self._end: WriterEnd | None = None
        self._counters: StageCounters | None = None
        self._pump: Pump | None = None
        self._demand: Demand | None = None
        self._inference: StageCounters | None = None
        self._uploads = UploadRing()

    def obey(self, message: Message, fds: list[int]) -> None:
        """Take a plan, a ring, or its refusal."""
        match message:
            case ConfigureStream():
                self._configure(message)
                self._heed_demand(message, *fds)
            case AttachWriter():
                former, self._end = self._end, WriterEnd(message, fds)
                if self._pump is not None:
                    self._pump.attach(self._end)
                if former is not None:
                    former.close()
            case AttachReader():
                self._uploads.attach(message, fds)
            case SlotsRefused():
                if self._pump is not None:
                    self._pump.refuse(message.reason)
            case _:
                raise AssertionError(message.tag)
        if self._pump is None:
            self._start_pump()

    def wake_fds(self) -> Iterable[int]:
        """Uploads and viewers wake the loop; the pump wakes the reader of its ring."""
        demand = () if self._demand is None else (self._demand.wake_fd,)
        return (*self._uploads.wake_fds, *demand)

    def step(self) -> float:
        """See that the pump is alive within its own deadline."""
        pump = self._pump
        if pump is None:
            return GRACE_S
        self._uploads.drain()
        if self._demand is not None and self._demand.is_watched(monotonic_ns()):
            pump.send_held()
        if pump.failure is not None:
            raise pump.failure
        if monotonic_ns() > pump.deadline_ns:
            raise SourceUnavailableError("the source hangs beyond its timeout")
        if pump.has_answered:
            self._context.announce_ready()
        return GRACE_S

    def close(self) -> None:
        """Tell the pump to end; the process does not wait for it."""
        self._retire_pump()

    def _configure(self, message: ConfigureStream) -> None:
        """Take a plan: another source needs another pump."""
        plan, former = parse_stream_plan(message.plan), self._task
        self._counters = StageCounters(self._context.board.page(message.stage_page))
        if not plan.takes_uploads:
            self._uploads.detach()
        self._task = Task(plan, message.scene)
        if former is None:
            return
        if _source_of(plan) != _source_of(former.plan):
            self._retire_pump()
        elif self._pump is not None:
            self._pump.take(self._task)

    def _heed_demand(self, message: ConfigureStream, wake_fd: int) -> None:
        board = self._context.board
        if self._demand is not None:
            self._demand.close()
        demand, output = (
            board.page(message.demand_page),
            board.page(message.output_page),
        )
        self._demand = Demand(demand, output, wake_fd)
        self._inference = StageCounters(board.page(message.inference_page))

    def _is_unwanted(self) -> bool:
        """Say, to the pump, whether inference leaves frames alone and nobody looks."""
        demand, inference = self._demand, self._inference
        if demand is None or inference is None:
            return False
        is_idle = inference.value(StageWord.IS_IDLE) == 1
        return is_idle and not demand.is_there(monotonic_ns())

    def _start_pump(self) -> None:
        if self._task is None or self._end is None or self._counters is None:
            return
        inbox: Inbox | None = None
        if self._task.plan.takes_uploads:
            if not self._uploads.is_attached:
                return
            inbox = self._uploads.open_inbox(self._counters)
        self._pump = Pump(self._task, self._end, self._counters, self._context, inbox)
        self._pump.is_unwanted = self._is_unwanted
        self._pump.start()

    def _retire_pump(self) -> None:
        if self._pump is not None:
            self._pump.retire()
            self._pump = None
            self._uploads.close_inbox()


def _source_of(plan: StreamPlan) -> tuple[object, ...]:
    """Return what a pump cannot change while it reads."""
    return (plan.source, plan.input, plan.transport)
