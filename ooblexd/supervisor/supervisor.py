"""The loop: wait, step the table, perform its actions; one thread, nothing heavy.

It waits in one ``poll`` for a signal, a worker's message, a worker's end or the next
deadline. Streams come and go here: each change touches only the stream it names.
"""

from __future__ import annotations

import logging
import os
import select
import signal
from functools import partial
from typing import TYPE_CHECKING

from ooblexd import commands
from ooblexd.board import Board
from ooblexd.clock import NS_PER_MS, NS_PER_S, monotonic_ns
from ooblexd.commands import (
    Applied,
    ApplyPlan,
    ForgetStream,
    Layout,
    LayoutChanged,
    NeedSlots,
    Ready,
    RingKind,
    SlotsRefused,
    WorkerLayout,
)
from ooblexd.counters import SourceState, StageCounters
from ooblexd.errors import CannotStartError, ConfigError, SharedMemoryFullError
from ooblexd.heartbeat import Heartbeat, WorkerState
from ooblexd.plan import DaemonPlan, StreamPlan, parse_stream_plan
from ooblexd.supervisor.reload import RELOAD, wishes_of
from ooblexd.supervisor.signals import SignalPipe
from ooblexd.supervisor.states import Event
from ooblexd.supervisor.streams import CONTROL, Stream
from ooblexd.supervisor.workers import Workers

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from ooblexd.supervisor.worker import Worker

    RunWorker = Callable[["Supervisor", Worker, socket.socket, int], int]

REREAD_S = 30.0  # the configuration is read by a child, on a slow SD card
ALIVE_S = 3.0  # past that, control calls the supervisor overdue
_TICK_S = 0.5
_MEMORY_AGAIN_NS = 10 * NS_PER_S
# The layout of all streams, their plans in it, is one datagram of less than 208 KiB.
_MOST_PLAN_BYTES = 4096
# Flow order: sources first, then what drains them, then who watches.
_STOP_ORDER = ("ingest", "inference", "output", "control")

logger = logging.getLogger(__name__)


class Supervisor:
    """Owns the board, the streams and the workers, and keeps them alive.

    Args:
        plan: What to begin with.
        listener: The listening socket, for control alone.
        run_worker: What a forked child does; returns its exit code.
        reread: Returns what the configuration file says now.
    """

    def __init__(
        self,
        plan: DaemonPlan,
        listener: socket.socket,
        run_worker: RunWorker,
        reread: Callable[[], DaemonPlan],
    ) -> None:
        self.plan = plan
        self.listener = listener
        self.board = Board()
        self.page = self.board.allocate()
        self._run_worker = run_worker
        self._reread = reread
        self._heartbeat = Heartbeat(self.board.page(self.page))
        self._workers = Workers(self.board, self)
        self._streams: dict[str, Stream] = {}
        self._leaving: dict[str, int] = {}  # stream -> the request that removes it
        self._stopping: list[str] | None = None
        self._memory_due_ns = 0  # 0: every stream has its memory
        self._signals = SignalPipe()

    def run(self) -> None:
        """Start everything, keep it alive, and return after a clean stop."""
        self._heartbeat.beat(ALIVE_S)
        self._workers.start(CONTROL)
        for plan in self.plan.streams:
            try:
                self._add_stream(plan)
            except (SharedMemoryFullError, OSError) as error:
                logger.error("[stream %s] %s", plan.name, error)
                self._keep_without_memory(plan, str(error))
        while self._stopping is None or list(self._workers):
            self._turn()
        for stream in self._streams.values():
            stream.close()

    def _keep_without_memory(self, plan: StreamPlan, reason: str) -> None:
        """Know a stream of the file that has no room, so that all see why."""
        stream = Stream(plan, self._least_busy(), self.board)
        page = self.board.page(stream.pages.ingest)
        StageCounters(page).report(SourceState.DOWN, reason)
        self._streams[plan.name] = stream
        self._memory_due_ns = monotonic_ns() + _MEMORY_AGAIN_NS
        self._tell_layout()

    def _try_memory_again(self, now_ns: int) -> None:
        """Start the streams for which there was no room, if there is some now."""
        if not self._memory_due_ns or now_ns < self._memory_due_ns:
            return
        self._memory_due_ns = 0
        for stream in list(self._streams.values()):
            if not stream.plan.enabled or stream.rings or stream.name in self._leaving:
                continue
            try:
                stream.open_rings()
            except (SharedMemoryFullError, OSError):
                self._memory_due_ns = now_ns + _MEMORY_AGAIN_NS
                continue
            logger.info("[stream %s] there is memory now", stream.name)
            self._start_workers(stream)
            self._tell_layout()

    def _turn(self) -> None:
        self._wait()
        now_ns = monotonic_ns()
        self._heartbeat.beat(ALIVE_S)
        self._workers.check_deadlines(now_ns)
        if self._stopping is None:
            self._try_memory_again(now_ns)
        else:
            self._stop_next_kind()

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._signals.fd, select.POLLIN)
        actions: dict[int, Callable[[], None]] = {self._signals.fd: self._on_signal}
        for worker in self._workers:
            if worker.end is None:
                continue
            writable = select.POLLOUT if worker.pending else 0
            poll.register(worker.end.fileno(), select.POLLIN | writable)
            poll.register(worker.pidfd, select.POLLIN)
            actions[worker.end.fileno()] = partial(self._hear, worker)
            actions[worker.pidfd] = partial(self._workers.reap, worker)
        pause_ns = self._workers.next_deadline_ns() - monotonic_ns()
        pause_ms = min(max(pause_ns // NS_PER_MS + 1, 0), int(_TICK_S * 1000))
        for fd, _ in poll.poll(pause_ms):
            actions[fd]()

    def _on_signal(self) -> None:
        for number in self._signals.read():
            if number == signal.SIGCHLD:
                self._workers.replace_stopped()
            if number == signal.SIGHUP and self._stopping is None:
                self._reload()
            if number not in (signal.SIGTERM, signal.SIGINT):
                continue
            if self._stopping is None:
                logger.info("stopping")
                self._stopping = list(_STOP_ORDER)
            else:
                self._workers.kill_all()

    def _reload(self) -> None:
        """Do what the file says now; an error in it leaves everything as it runs."""
        self._heartbeat.beat(REREAD_S)
        try:
            wanted = self._reread()
        except (ConfigError, CannotStartError) as error:
            for problem in str(error).splitlines():
                logger.error("reload: %s", problem)
            logger.error("reload: the former configuration runs on")
            return
        streams = tuple(stream.plan for stream in self._streams.values())
        wishes, later = wishes_of(self.plan, streams, wanted)
        for wish in wishes:
            self._apply(wish)
        changed = ", ".join(wish.stream for wish in wishes) or "none"
        logger.info("reloaded; streams that changed: %s", changed)
        if later:
            logger.warning("reload: after a restart only: %s", ", ".join(later))

    def _stop_next_kind(self) -> None:
        assert self._stopping is not None
        while self._stopping:
            kind = self._stopping[0]
            of_kind = [worker for worker in self._workers if worker.kind == kind]
            if not of_kind:
                self._stopping.pop(0)
                continue
            for worker in of_kind:
                if worker.state is not WorkerState.STOPPING:
                    self._workers.stop(worker.name)
            return

    # What workers say.

    def _hear(self, worker: Worker) -> None:
        """Take what ``worker`` sent, and send what waits for it."""
        if worker.end is None:
            return  # it was reaped in this turn
        if not worker.flush():
            logger.warning("%s reads no commands: killing it", worker.name)
            worker.signal(signal.SIGKILL)
            return
        while worker.end is not None:
            try:
                received = commands.receive(worker.end)
            except (BlockingIOError, ConnectionError):
                return
            if received is None:
                return  # its pidfd tells the rest
            message, fds = received
            for fd in fds:
                os.close(fd)
            self._obey(worker, message)

    def _obey(self, worker: Worker, message: commands.Message) -> None:
        match message:
            case Ready():
                self._workers.step(worker, Event.READY)
            case NeedSlots():
                self._grow(worker, message)
            case ApplyPlan() if worker.name == CONTROL:
                self._apply(message)
            case _:
                logger.error("%s may not say %s", worker.name, message.tag)

    def _grow(self, worker: Worker, need: NeedSlots) -> None:
        stream = self._streams.get(need.stream)
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

    def _attach(self, stream: Stream, names: set[str], kind: RingKind) -> None:
        """Tell ``names`` of the ring of ``kind``, which has new memory."""
        for name in names:
            if name not in self._workers:
                continue
            worker = self._workers[name]
            for message, fds in stream.attachments_for(name, worker.generation):
                if getattr(message, "kind", None) == kind.value:
                    worker.send(message, fds)

    # Streams come, change and go.

    def _apply(self, wish: ApplyPlan) -> None:
        """Do what control asks for, and answer when it is so."""
        known = self._streams.get(wish.stream)
        needed_bytes = free_bytes = 0
        error = ""
        try:
            if wish.stream in self._leaving or self._stopping is not None:
                error = f"stream {wish.stream} is being stopped; try again"
            elif len(wish.plan) > _MOST_PLAN_BYTES:
                error = f"a plan of {len(wish.plan)} bytes, at most {_MOST_PLAN_BYTES}"
            elif known is None and not wish.plan:
                error = f"there is no stream {wish.stream}"
            elif known is None:
                self._add_stream(parse_stream_plan(wish.plan))
            elif not wish.plan:
                known.is_removed = True
                self._retire(known, wish.request)
                return
            else:
                plan = parse_stream_plan(wish.plan)
                self._change_stream(known, plan)
                if not plan.enabled and known.rings:
                    self._retire(known, wish.request)
                    return
        except SharedMemoryFullError as full:
            error = str(full)
            needed_bytes, free_bytes = full.needed_bytes, full.free_bytes
        except OSError as lack:  # descriptors, most likely
            error = f"the system gives no more: {lack.strerror}"
        if wish.request == RELOAD and error:
            logger.error("[stream %s] reload: %s", wish.stream, error)
        self._tell_control(Applied(wish.request, error, needed_bytes, free_bytes))

    def _add_stream(self, plan: StreamPlan) -> None:
        stream = Stream(plan, self._least_busy(), self.board)
        if plan.enabled:
            try:
                stream.open_rings()
            except (SharedMemoryFullError, OSError):
                stream.close()
                raise
        self._streams[plan.name] = stream
        self._start_workers(stream)
        self._tell_layout()

    def _start_workers(self, stream: Stream) -> None:
        if not stream.plan.enabled:
            return
        self._brief_of(stream, CONTROL)
        # Ingest first: the others are told where its state stands.
        for name in (stream.ingest, stream.inference, stream.output):
            if name in self._workers:
                self._brief_of(stream, name)
            else:
                self._workers.start(name)

    def _change_stream(self, stream: Stream, plan: StreamPlan) -> None:
        if plan.enabled and not stream.rings:
            stream.open_rings()
            stream.change(plan)
            self._start_workers(stream)
        else:
            stream.change(plan)
            if stream.rings:  # else it has no workers to be told
                for name in (stream.ingest, stream.inference, stream.output, CONTROL):
                    self._configure(stream, name)
        self._tell_layout()

    def _retire(self, stream: Stream, request: int) -> None:
        """End a stream's workers and memory; the answer follows when they have."""
        self._leaving[stream.name] = request
        for name in (stream.inference, CONTROL):
            if name in self._workers:
                self._workers[name].send(ForgetStream(stream.name))
        for name in (stream.ingest, stream.output):
            if name in self._workers:
                self._workers.stop(name)
        stream.close_rings()
        self._finish_leaving()

    def _finish_leaving(self) -> None:
        """Tell control of the retired streams whose workers have ended."""
        for name, request in list(self._leaving.items()):
            stream = self._streams[name]
            if stream.ingest in self._workers or stream.output in self._workers:
                continue
            del self._leaving[name]
            if stream.is_removed:
                del self._streams[name]
                stream.close()
            self._tell_layout()
            self._tell_control(Applied(request, "", 0, 0))

    def _least_busy(self) -> str:
        """Return the inference worker with the fewest streams."""
        names = [f"inference:{n}" for n in range(self.plan.inference_workers)]
        busy = [stream.inference for stream in self._streams.values()]
        return min(names, key=busy.count)

    # What workers are told.

    def _brief_of(self, stream: Stream, name: str) -> None:
        worker = self._workers[name]
        page = self._ingest_worker_page(stream)
        for message, fds in stream.messages_for(name, worker.generation, page):
            worker.send(message, fds)

    def _configure(self, stream: Stream, name: str) -> None:
        if name in self._workers:
            page = self._ingest_worker_page(stream)
            self._workers[name].send(*stream.configure_for(name, page))

    def _ingest_worker_page(self, stream: Stream) -> int:
        if stream.ingest in self._workers:
            return self._workers[stream.ingest].page_index
        return 0

    def _tell_control(self, message: commands.Message) -> None:
        if CONTROL in self._workers:
            self._workers[CONTROL].send(message)

    def _tell_layout(self) -> None:
        layout = Layout(
            supervisor_page=self.page,
            streams=tuple(stream.layout() for stream in self._streams.values()),
            workers=tuple(WorkerLayout(w.name, w.page_index) for w in self._workers),
        )
        self._tell_control(LayoutChanged(commands.format_layout(layout)))

    # `WorkerDuties`.

    def run_in_child(self, worker: Worker) -> None:
        """Fork ``worker`` into its stage."""

        def run(end: socket.socket, parent: int) -> int:
            return self._run_worker(self, worker, end, parent)

        worker.fork(run, self._forget_in_child)

    def _forget_in_child(self) -> None:
        """Unmap, in the child, what only the supervisor may map."""
        for stream in self._streams.values():
            for ring in stream.rings.values():
                ring.control.close()

    def brief(self, worker: Worker) -> None:
        """Send a new life all that it needs to know."""
        if worker.name == CONTROL:
            self._tell_layout()
        for stream in self._streams.values():
            names = (stream.ingest, stream.inference, stream.output, CONTROL)
            if worker.name in names and stream.rings:
                self._brief_of(stream, worker.name)
        if worker.name != CONTROL:
            self._tell_layout()

    def release(self, worker: Worker) -> None:
        """Clear the places of a reaped worker in its rings."""
        for stream in self._streams.values():
            for ring in stream.rings.values():
                for place, reader in enumerate(ring.readers):
                    if reader == worker.name:
                        ring.control.clear_reader(place)

    def abandon(self, worker: Worker) -> None:
        """Replace the rings of a worker that cannot be killed."""
        for stream in self._streams.values():
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
