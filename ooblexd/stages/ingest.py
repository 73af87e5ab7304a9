"""Step 1 to 2: source -> raw ring, one worker a stream.

The `pump`, a thread, opens the source and writes the ring; the loop here obeys the
supervisor, promises it only what the pump's own deadline still allows, and ends the
worker with a pump that outlives it.
"""

from __future__ import annotations

import base64
import socket
from typing import TYPE_CHECKING

from ooblexd.clock import monotonic_ns
from ooblexd.commands import (
    Admit,
    AttachReader,
    AttachWriter,
    ConfigureStream,
    RingKind,
    SlotsRefused,
)
from ooblexd.counters import StageCounters, StageWord
from ooblexd.errors import SourceUnavailableError
from ooblexd.plan import StreamPlan, parse_stream_plan
from ooblexd.signalling import Signal
from ooblexd.sources.door import Publisher
from ooblexd.stages.attachment import WriterEnd
from ooblexd.stages.audio_ring import AudioRing
from ooblexd.stages.demand import Demand
from ooblexd.stages.door import Door
from ooblexd.stages.inbox import UploadRing
from ooblexd.stages.publishing import Publishing
from ooblexd.stages.pump import GRACE_S, Entrance, Pump, Task
from ooblexd.stages.video_return import VideoReturn

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
        self._audio = AudioRing()
        self._return = VideoReturn(context, monotonic_ns)
        self._publishing = Publishing(self._audio.put, self._return.may_show)
        self._door: Door | None = None

    def obey(self, message: Message, fds: list[int]) -> None:
        """Take a plan, a ring, or its refusal."""
        match message:
            case ConfigureStream():
                self._configure(message)
                self._heed_demand(message, *fds)
            case AttachWriter() | AttachReader():
                self._take_ring(message, fds)
            case Signal():
                self._publishing.obey(message)
            case Admit():
                self._admit(message, *fds)
            case SlotsRefused():
                if self._pump is not None:
                    self._pump.refuse(message.reason)
            case _:
                raise AssertionError(message.tag)
        if self._pump is None:
            self._start_pump()

    def wake_fds(self) -> Iterable[int]:
        """What comes in and viewers wake the loop; the pump, the reader of its ring."""
        demand = () if self._demand is None else (self._demand.wake_fd,)
        sessions = (*self._publishing.wake_fds, *self._return.wake_fds)
        return (*self._uploads.wake_fds, *sessions, *demand)

    def step(self) -> float:
        """See that the pump is alive within its own deadline."""
        for answer in self._publishing.turn():
            self._context.send(answer)
        for unit in self._return.turn(self._publishing.wishes):
            self._publishing.deliver(unit)
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
        self._audio.close()
        self._publishing.close()
        self._return.close()

    def _take_ring(self, message: AttachWriter | AttachReader, fds: list[int]) -> None:
        match message:
            case AttachWriter(kind=RingKind.AUDIO.value):
                self._audio.attach(message, fds)
            case AttachWriter():
                self._attach(WriterEnd(message, fds))
            case AttachReader(kind=RingKind.VIDEO.value):
                self._return.attach(message, fds)
            case AttachReader():
                self._uploads.attach(message, fds)

    def _attach(self, end: WriterEnd) -> None:
        former, self._end = self._end, end
        if self._pump is not None:
            self._pump.attach(end)
        if former is not None:
            former.close()

    def _configure(self, message: ConfigureStream) -> None:
        """Take a plan: another source needs another pump."""
        plan, former = parse_stream_plan(message.plan), self._task
        self._counters = StageCounters(self._context.board.page(message.stage_page))
        if not plan.takes_uploads:
            self._uploads.detach()
        self._audio.configure(
            message.revision, self._counters, passes=plan.passes_audio
        )
        if not plan.takes_publishers:
            self._publishing.close()
        self._task = Task(plan, message.scene)
        if former is None:
            return
        if _source_of(plan) != _source_of(former.plan):
            self._retire_pump()
        elif self._pump is not None:
            self._pump.take(self._task)

    def _heed_demand(self, message: ConfigureStream, wake_fd: int) -> None:
        page = self._context.board.page
        if self._demand is not None:
            self._demand.close()
        demand, output = page(message.demand_page), page(message.output_page)
        self._demand = Demand(demand, output, page(message.ingest_page), wake_fd)
        self._return.configure(message)
        self._inference = StageCounters(page(message.inference_page))

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
        entrance = Entrance()
        if self._task.plan.takes_uploads:
            if not self._uploads.is_attached:
                return
            entrance = Entrance(inbox=self._uploads.open_inbox(self._counters))
        elif self._task.plan.takes_publishers:
            entrance = Entrance(publication=self._publishing.open_publication())
        elif self._task.plan.listening is not None:
            self._door = Door()
            entrance = Entrance(door=self._door)
        self._pump = Pump(
            self._task, self._end, self._counters, self._context, entrance
        )
        self._pump.on_audio = self._audio.put
        self._pump.is_unwanted = self._is_unwanted
        self._pump.start()

    def _retire_pump(self) -> None:
        if self._pump is not None:
            self._pump.retire()
            self._pump = None
            self._uploads.close_inbox()
        if self._door is not None:
            self._door.close()
            self._door = None

    def _admit(self, message: Admit, fd: int) -> None:
        connection = socket.socket(fileno=fd)
        if self._door is None:  # the stream has changed meanwhile
            connection.close()
            return
        transcript = base64.b64decode(message.transcript)
        publisher = Publisher(connection, transcript, message.peer, message.refusals)
        self._door.admit(publisher)


def _source_of(plan: StreamPlan) -> tuple[object, ...]:
    """Return what a pump cannot change while it reads."""
    return (plan.source, plan.input, plan.transport, plan.audio == "off")
