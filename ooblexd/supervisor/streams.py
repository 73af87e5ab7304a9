"""All streams: they come, change and go, and their workers are told.

Each change touches only the stream it names. Workers are told by the messages of
`stream`, a new life of one the same as its predecessor; what befalls a worker,
`workers` reports here by `WorkerDuties`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.commands import (
    Admit,
    Applied,
    ConfigStatus,
    ForgetStream,
    LayoutChanged,
    NeedSlots,
    RingKind,
    SlotsRefused,
)
from ooblexd.counters import SourceState, StageCounters
from ooblexd.errors import PortUnusableError, SharedMemoryFullError
from ooblexd.layout import Layout, WorkerLayout, format_layout
from ooblexd.signalling import SessionKind, Signal, Signalled
from ooblexd.supervisor.doors import Doors
from ooblexd.supervisor.stream import CONTROL, Stream
from ooblexd.supervisor.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ooblexd.board import Board
    from ooblexd.commands import Message
    from ooblexd.plan import Place, StreamPlan
    from ooblexd.supervisor.worker import Worker

_MEMORY_AGAIN_NS = 10 * NS_PER_S

logger = logging.getLogger(__name__)


class Streams:
    """The streams by name, and the workers that they need.

    Args:
        board: Of all pages.
        page: Index of the supervisor's own.
        inference_workers: Size of the pool.
        fork: Forks a worker into its stage.
        playing: Where players come; None where they may not.

    Attributes:
        workers: Of all streams, and control.
        doors: Where others publish and play.
        is_closing: The daemon stops: no stream changes any more.
    """

    def __init__(
        self,
        board: Board,
        page: int,
        inference_workers: int,
        fork: Callable[[Worker], None],
        playing: Place | None = None,
    ) -> None:
        self.workers = Workers(board, self)
        self.doors = Doors(self.tell_control, playing)
        self._status: ConfigStatus | None = None
        self.is_closing = False
        self._board = board
        self._page = page
        self._inference: list[str] = []
        self.resize_pool(inference_workers)
        self._fork = fork
        self._by_name: dict[str, Stream] = {}
        self._leaving: dict[str, int] = {}  # stream -> the request that removes it
        self._memory_due_ns = 0  # 0: every stream has its memory
        self._has_started = False

    def __iter__(self) -> Iterator[Stream]:
        return iter(list(self._by_name.values()))

    def resize_pool(self, inference_workers: int) -> None:
        """Spread the streams to come over so many inference workers."""
        self._inference = [f"inference:{n}" for n in range(inference_workers)]

    def start(self, plans: tuple[StreamPlan, ...]) -> None:
        """Begin with control and the streams of the configuration."""
        self.workers.start(CONTROL)
        self._open_for_players()
        for plan in plans:
            try:
                self.enter(self.draft(plan, []))
            except (SharedMemoryFullError, OSError) as error:
                logger.error("[stream %s] %s", plan.name, error)
                self.keep_without_memory(plan, str(error))
        self._has_started = True
        self._tell_layout()

    def close(self) -> None:
        """Let go of the memory and the ports of all; every worker has ended."""
        self.doors.close()
        for stream in self:
            stream.close()

    def keep_without_memory(self, plan: StreamPlan, reason: str) -> None:
        """Know a stream of the file that has no room or port, so that all see why."""
        stream = Stream(plan, self._least_busy([]), self._board)
        page = self._board.page(stream.pages.ingest)
        StageCounters(page).report(SourceState.DOWN, reason)
        self._by_name[plan.name] = stream
        self._memory_due_ns = monotonic_ns() + _MEMORY_AGAIN_NS
        self._tell_layout()

    def try_memory_again(self, now_ns: int) -> None:
        """Start the streams for which there was no room or port, if there is now."""
        if not self._memory_due_ns or now_ns < self._memory_due_ns:
            return
        self._memory_due_ns = 0
        self._open_for_players()
        for stream in self:
            if not stream.plan.enabled or stream.rings or stream.name in self._leaving:
                continue
            try:
                self.doors.open_for(stream.plan)
                stream.open_rings(stream.plan)
            except (SharedMemoryFullError, OSError):
                self._memory_due_ns = now_ns + _MEMORY_AGAIN_NS
                continue
            logger.info("[stream %s] there is what it needs now", stream.name)
            self.start_workers(stream)
            self._tell_layout()

    def _open_for_players(self) -> None:
        """Open their port; the streams run without it, and it is tried again."""
        try:
            self.doors.open_for_players()
        except PortUnusableError as error:
            self._memory_due_ns = monotonic_ns() + _MEMORY_AGAIN_NS
            logger.error("%s", error)

    def grow(self, worker: Worker, need: NeedSlots) -> None:
        """Give a ring larger slots, if ``worker`` is its writer and there is room."""
        stream = self._by_name.get(need.stream)
        ring = stream.rings.get(RingKind(need.kind)) if stream else None
        if stream is None or ring is None or ring.writer != worker.name:
            return  # removed meanwhile
        try:
            if need.slot_bytes > ring.segment.spec.slot_bytes:
                ring.replace_segment(need.slot_bytes)
        except SharedMemoryFullError as error:
            logger.error("[stream %s] %s", need.stream, error)
            worker.send(SlotsRefused(need.stream, need.kind, str(error)))
            return
        self._attach(stream, {ring.writer, *ring.readers}, RingKind(need.kind))

    def pass_on(self, signal: Signal) -> None:
        """Hand what a peer says to the worker that has its connection."""
        stream = self._by_name.get(signal.stream)
        is_publisher = signal.kind == SessionKind.PUBLISH
        name = (stream.ingest if is_publisher else stream.output) if stream else ""
        if name not in self.workers:
            detail = f"{signal.stream} has nobody who could answer"
            self.tell_control(Signalled(signal.request, detail, 503))
            return
        worker = self.workers[name]
        if worker.end is None:  # dead: nobody would ever answer
            detail = f"{worker.name} is being replaced; try again"
            self.tell_control(Signalled(signal.request, detail, 503))
            return
        worker.send(signal)

    def admit(self, message: Admit, fds: tuple[int, ...]) -> None:
        """Hand a publisher to the worker of its stream; whoever is gone drops it."""
        stream = self._by_name.get(message.stream)
        if stream is not None and stream.ingest in self.workers:
            self.workers[stream.ingest].send(message, fds)

    def settle_doors(self) -> None:
        """Close the ports that no stream needs any more."""
        self.doors.settle(stream.plan for stream in self if not stream.is_removed)

    def _attach(self, stream: Stream, names: set[str], kind: RingKind) -> None:
        """Tell ``names`` of the ring of ``kind``, which has new memory."""
        for name in names:
            if name not in self.workers:
                continue
            worker = self.workers[name]
            for message, fds in stream.attachments_for(name, worker.generation):
                if getattr(message, "kind", None) == kind.value:
                    worker.send(message, fds)

    def get(self, name: str) -> Stream | None:
        """Return a stream by its name."""
        return self._by_name.get(name)

    def is_leaving(self, name: str) -> bool:
        """Say whether the workers of a stream are ending."""
        return name in self._leaving

    def draft(self, plan: StreamPlan, others: list[Stream]) -> Stream:
        """Make a stream that nobody knows yet, with the memory that it needs.

        Args:
            plan: Of the stream.
            others: Further drafts, so that all share the inference workers evenly.

        Raises:
            SharedMemoryFullError: There is no room; nothing is left behind.
            OSError: There are no more descriptors, or its port is not to be had;
                likewise.
        """
        self.doors.open_for(plan)
        stream = Stream(plan, self._least_busy(others), self._board)
        if plan.enabled:
            try:
                stream.open_rings(plan)
            except (SharedMemoryFullError, OSError):
                stream.close()
                raise
        return stream

    def enter(self, stream: Stream) -> None:
        """Have a draft be one of the streams."""
        self._by_name[stream.name] = stream
        self.start_workers(stream)
        self._tell_layout()

    def start_workers(self, stream: Stream) -> None:
        """Start what carries a stream, or tell it where it is there."""
        if not stream.plan.enabled:
            return
        self._brief_of(stream, CONTROL)
        # Ingest first: the others are told where its state stands.
        for name in (stream.ingest, stream.inference, stream.output):
            if name in self.workers:
                self._brief_of(stream, name)
            else:
                self.workers.start(name)

    def change(self, stream: Stream, plan: StreamPlan) -> None:
        """Have a stream run by another plan, whose memory it has got."""
        had_uploads = stream.plan.takes_uploads
        stream.change(plan)
        stream.close_uploads()
        if stream.rings:  # else it has no workers to be told
            for name in (stream.ingest, stream.inference, stream.output, CONTROL):
                self._configure(stream, name)
        if RingKind.UPLOADED in stream.rings and not had_uploads:
            self._attach(stream, {CONTROL, stream.ingest}, RingKind.UPLOADED)
        self._tell_layout()

    def begin(self, stream: Stream, plan: StreamPlan) -> None:
        """Start a stream that has no workers, and has got its memory."""
        stream.change(plan)
        self.start_workers(stream)
        self._tell_layout()

    def retire(self, leaving: list[Stream], request: int) -> None:
        """End workers and memory of streams; the answer follows when they have."""
        self._leaving |= {stream.name: request for stream in leaving}
        for stream in leaving:
            for name in (stream.inference, CONTROL):
                if name in self.workers:
                    self.workers[name].send(ForgetStream(stream.name))
            for name in (stream.ingest, stream.output):
                if name in self.workers:
                    self.workers.stop(name)
            stream.close_rings()
        self._finish_leaving()

    def _finish_leaving(self) -> None:
        """Tell control of the retired streams whose workers have ended."""
        for name, request in list(self._leaving.items()):
            stream = self._by_name[name]
            if stream.ingest in self.workers or stream.output in self.workers:
                continue
            del self._leaving[name]
            if stream.is_removed:
                del self._by_name[name]
                stream.close()
            self._tell_layout()
            if request not in self._leaving.values():
                self.tell_control(Applied(request, "", 0, 0))

    def _least_busy(self, others: list[Stream]) -> str:
        """Return the inference worker with the fewest streams."""
        busy = [stream.inference for stream in (*self, *others)]
        return min(self._inference, key=busy.count)

    def _brief_of(self, stream: Stream, name: str) -> None:
        worker = self.workers[name]
        page = self._ingest_worker_page(stream)
        for message, fds in stream.messages_for(name, worker.generation, page):
            worker.send(message, fds)

    def _configure(self, stream: Stream, name: str) -> None:
        if name in self.workers:
            page = self._ingest_worker_page(stream)
            self.workers[name].send(*stream.configure_for(name, page))

    def _ingest_worker_page(self, stream: Stream) -> int:
        if stream.ingest in self.workers:
            return self.workers[stream.ingest].page_index
        return 0

    def tell_control(self, message: Message, fds: tuple[int, ...] = ()) -> None:
        """Say ``message`` to control, if it is there."""
        if CONTROL in self.workers:
            self.workers[CONTROL].send(message, fds)

    def tell_status(self, status: ConfigStatus) -> None:
        """Say to control, and each new life of it, how the configuration is."""
        self._status = status
        self.tell_control(status)

    def _tell_layout(self) -> None:
        if not self._has_started:
            return  # who serves a part of the streams would deny the others
        layout = Layout(
            supervisor_page=self._page,
            streams=tuple(stream.layout() for stream in self._by_name.values()),
            workers=tuple(WorkerLayout(w.name, w.page_index) for w in self.workers),
        )
        self.tell_control(LayoutChanged(format_layout(layout)))

    def unmap_in_child(self) -> None:
        """Unmap, in a forked child, what only the supervisor may map."""
        for stream in self:
            for ring in stream.rings.values():
                ring.control.close()

    # `WorkerDuties`.

    def run_in_child(self, worker: Worker) -> None:
        """Fork ``worker`` into its stage."""
        self._fork(worker)

    def brief(self, worker: Worker) -> None:
        """Send a new life all that it needs to know."""
        if worker.name == CONTROL:
            if self._status is not None:
                worker.send(self._status)
            self._tell_layout()
            self.doors.brief()
        for stream in self:
            names = (stream.ingest, stream.inference, stream.output, CONTROL)
            if worker.name in names and stream.rings:
                self._brief_of(stream, worker.name)
        if worker.name != CONTROL:
            self._tell_layout()

    def release(self, worker: Worker) -> None:
        """Clear the places of a reaped worker in its rings."""
        for stream in self:
            for ring in stream.rings.values():
                for place, reader in enumerate(ring.readers):
                    if reader == worker.name:
                        ring.control.clear_reader(place)

    def abandon(self, worker: Worker) -> None:
        """Replace the rings of a worker that cannot be killed."""
        for stream in self:
            for kind, ring in stream.rings.items():
                if worker.name in (ring.writer, *ring.readers):
                    try:
                        ring.replace_segment(ring.segment.spec.slot_bytes)
                    except SharedMemoryFullError as error:
                        logger.error("[stream %s] %s", stream.name, error)
                        continue
                    others = {ring.writer, *ring.readers} - {worker.name}
                    self._attach(stream, others, kind)

    def forget(self, worker: Worker) -> None:
        """Nobody wants the worker any more, and it has ended."""
        del worker
        self._finish_leaving()
