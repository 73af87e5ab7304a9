"""The loop: wait for what happens, and bring it to whom it concerns.

One thread, nothing heavy. It waits in one ``poll`` for a signal, a worker's message, a
worker's end or the next deadline.
"""

from __future__ import annotations

import logging
import os
import select
import signal
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from ooblexd import commands
from ooblexd.board import Board
from ooblexd.clock import NS_PER_MS, monotonic_ns
from ooblexd.commands import Admit, ApplyPlans, NeedSlots, Ready
from ooblexd.errors import CannotStartError, ConfigError
from ooblexd.heartbeat import Heartbeat, WorkerState, WorkerWord
from ooblexd.log import LEVELS, set_level
from ooblexd.signalling import PeerWish, Signal, Signalled
from ooblexd.supervisor import changes
from ooblexd.supervisor.notify import Notifier
from ooblexd.supervisor.report import Report
from ooblexd.supervisor.states import Event
from ooblexd.supervisor.stream import CONTROL
from ooblexd.supervisor.streams import Streams

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from ooblexd.plan import DaemonPlan
    from ooblexd.supervisor.reading import Reading
    from ooblexd.supervisor.reload import Configuration
    from ooblexd.supervisor.signals import SignalPipe
    from ooblexd.supervisor.worker import Worker

    RunWorker = Callable[["Supervisor", Worker, socket.socket, int], int]

ALIVE_S = 3.0  # past that, control calls the supervisor overdue
_TICK_S = 0.5
# Flow order: sources first, then what drains them, then who watches.
_STOP_ORDER = ("ingest", "inference", "output", "control")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outside:
    """What reaches the supervisor from outside; whoever made it closes it.

    Attributes:
        listener: The listening socket, for control alone.
        signals: That come to this process.
        control_socket: Listening as well, for control alone; None where there is none.
        notifier: To systemd; to nobody where it did not start us.
    """

    listener: socket.socket
    signals: SignalPipe
    control_socket: socket.socket | None = None
    notifier: Notifier = field(default_factory=Notifier)


class Supervisor:
    """Owns the board, the streams and the workers, until it is told to stop.

    Args:
        configuration: What to begin with.
        outside: What reaches it from outside.
        run_worker: What a forked child does; returns its exit code.
        reread: Begins to read what the configuration file says now.
    """

    def __init__(
        self,
        configuration: Configuration,
        outside: Outside,
        run_worker: RunWorker,
        reread: Callable[[], Reading],
    ) -> None:
        self.configuration = configuration
        self.listener = outside.listener
        self.control_socket = outside.control_socket
        self.board = Board()
        self.page = self.board.allocate()
        self._run_worker = run_worker
        self._reread = reread
        own = self.board.page(self.page)
        own.words[WorkerWord.STATE_SINCE_NS] = monotonic_ns()  # the daemon's age
        self._heartbeat = Heartbeat(own)
        self._streams = Streams(
            self.board,
            self.page,
            self.plan.inference_workers,
            self._fork,
            self.plan.rtsp.place,
        )
        self._streams.tell_status(configuration.status())
        self._workers = self._streams.workers
        self._report = Report(
            outside.notifier, self.board, self._streams, configuration.fault
        )
        self._stopping: list[str] | None = None
        self._signals = outside.signals
        self._reading: Reading | None = None
        self._is_file_newer = False  # than what is being read
        self._log_level = self.plan.log_level

    @property
    def plan(self) -> DaemonPlan:
        """What the daemon runs by; of its streams, what it was started with."""
        return self.configuration.plan

    def run(self) -> None:
        """Start everything, keep it alive, and return after a clean stop."""
        self._heartbeat.beat(ALIVE_S)
        self._streams.start(self.plan.streams)
        while self._stopping is None or list(self._workers):
            self._turn()
        self._streams.close()

    def _turn(self) -> None:
        self._wait()
        now_ns = monotonic_ns()
        self._heartbeat.beat(ALIVE_S)
        self._workers.check_deadlines(now_ns)
        self._report.turn(now_ns)
        if self._stopping is None:
            self._streams.try_memory_again(now_ns)
        else:
            self._stop_next_kind()

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._signals.fd, select.POLLIN)
        actions: dict[int, Callable[[], None]] = {self._signals.fd: self._on_signal}
        if self._reading is not None:
            poll.register(self._reading.fd, select.POLLIN)
            actions[self._reading.fd] = partial(self._reload, self._reading)
        for worker in self._workers:
            if worker.end is None:
                continue
            writable = select.POLLOUT if worker.pending else 0
            poll.register(worker.end.fileno(), select.POLLIN | writable)
            poll.register(worker.pidfd, select.POLLIN)
            actions[worker.end.fileno()] = partial(self._hear, worker)
            actions[worker.pidfd] = partial(self._reap, worker)
        pause_ns = self._workers.next_deadline_ns() - monotonic_ns()
        pause_ms = min(max(pause_ns // NS_PER_MS + 1, 0), int(_TICK_S * 1000))
        ready = poll.poll(pause_ms)
        self._on_signal()  # first: whoever has ended may have had the same one
        for fd, _ in ready:
            actions[fd]()

    def _reap(self, worker: Worker) -> None:
        """Take back a process that has ended; while we stop, that is no news."""
        if self._stopping is not None:
            # Whoever sent us the signal may have sent it to all of us.
            self._workers.stop(worker.name)
        self._workers.reap(worker)

    def _on_signal(self) -> None:
        for number in self._signals.read():
            if number == signal.SIGCHLD:
                self._workers.replace_stopped()
                self._workers.reap_abandoned()
            if number == signal.SIGHUP and self._stopping is None:
                self._begin_to_reload()
            if number in (signal.SIGTERM, signal.SIGINT):
                self._begin_to_stop()

    def _begin_to_stop(self) -> None:
        """Stop; at once when it is asked for again."""
        if self._stopping is not None:
            self._workers.kill_all()
            return
        logger.info("stopping")
        self._report.stopping()
        self._stopping = list(_STOP_ORDER)
        self._streams.is_closing = True
        self._abandon_reading()

    def _abandon_reading(self) -> None:
        if self._reading is not None:
            self._reading.abandon()
            self._reading = None

    def _begin_to_reload(self) -> None:
        """Have the file read; when it was, `_reload` does what it says."""
        self._is_file_newer = self._reading is not None
        if self._reading is None:
            self._report.reloading()
            try:
                self._reading = self._reread()
            except OSError as error:
                self._keep_former([f"the file cannot be read: {error.strerror}"])

    def _reload(self, reading: Reading) -> None:
        """Do what the file says now; an error in it leaves everything as it runs."""
        if reading is not self._reading:
            return  # it was abandoned in this turn
        self._reading = None
        try:
            wanted = reading.plan()
        except (ConfigError, CannotStartError) as error:
            self._keep_former(str(error).splitlines())
        else:
            self._adopt(wanted)
            self._report.reloaded()
        if self._is_file_newer:
            self._begin_to_reload()

    def _keep_former(self, problems: list[str]) -> None:
        for problem in problems:
            logger.error("reload: %s", problem)
        self.configuration.refuse(problems)
        logger.error("reload: %s", self.configuration.fault)
        self._tell_status()
        self._report.reloaded("; ".join(problems))

    def _follow_log_level(self) -> None:
        """Have every process log as the plan says now; new ones begin so."""
        if self.plan.log_level == self._log_level:
            return
        self._log_level = self.plan.log_level
        set_level(LEVELS[self._log_level])
        for worker in self._workers:
            worker.page.words[WorkerWord.LOG_LEVEL] = LEVELS[self._log_level]
        logger.info("log level: %s", self._log_level)

    def _adopt(self, wanted: DaemonPlan) -> None:
        plans = self.configuration.wishes([s.plan for s in self._streams], wanted)
        self.configuration.adopt(wanted)
        self._follow_log_level()  # what follows is told at the new one
        self._streams.resize_pool(self.plan.inference_workers)
        self.configuration.problems = changes.reload(self._streams, plans)
        self._tell_status()
        logger.info("reloaded; streams that changed: %s", ", ".join(plans) or "none")
        if later := self.configuration.restart_needed:
            logger.warning("reload: after a restart only: %s", ", ".join(later))

    def _apply(self, wish: ApplyPlans) -> None:
        """Do what control asks for, and have the file say so."""
        changes.apply(self._streams, wish, partial(self._commit, wish))
        self._follow_log_level()
        self._tell_status()

    def _commit(self, wish: ApplyPlans) -> None:
        self.configuration.commit(wish)
        self._streams.resize_pool(self.plan.inference_workers)
        if self._reading is not None:  # of the file as it was before
            self._abandon_reading()
            self._begin_to_reload()

    def _tell_status(self) -> None:
        self._streams.tell_status(self.configuration.status())

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
            self._obey(worker, message, fds)
            for fd in fds:
                os.close(fd)

    def _obey(self, worker: Worker, message: commands.Message, fds: list[int]) -> None:
        match message:
            case Ready():
                self._workers.step(worker, Event.READY)
            case NeedSlots():
                self._streams.grow(worker, message)
            case ApplyPlans() if worker.name == CONTROL:
                self._apply(message)
            case Signal() if worker.name == CONTROL:
                self._streams.pass_on(message)
            case Admit() if worker.name == CONTROL:
                self._streams.admit(message, tuple(fds))
            case Signalled():
                self._streams.tell_control(message)
            case PeerWish() if worker.name == f"output:{message.stream}":
                self._streams.tell_control(message)
            case _:
                logger.error("%s may not say %s", worker.name, message.tag)

    def _fork(self, worker: Worker) -> None:
        def run(end: socket.socket, parent: int) -> int:
            return self._run_worker(self, worker, end, parent)

        worker.fork(run, self._streams.unmap_in_child)
