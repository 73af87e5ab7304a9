"""The loop of a worker: promise, step, wait, obey; and what surrounds it."""

from __future__ import annotations

import ctypes
import logging
import os
import re
import resource
import select
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from ooblexd import commands
from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.errors import OoblexdError, WorkerSpentError
from ooblexd.heartbeat import Heartbeat, WorkerWord
from ooblexd.log import configure_logging, set_level
from ooblexd.stages.context import StageContext
from ooblexd.supervisor.worker import close_all_but

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ooblexd.commands import Message
    from ooblexd.stages import Stage
    from ooblexd.supervisor.supervisor import Supervisor
    from ooblexd.supervisor.worker import Worker

_PR_SET_DUMPABLE = 4
_PR_SET_NAME = 15
_NAME_BYTES = 15
LONGEST_PAUSE_S = 0.4  # the loop promises to come round within a second
_PSS_EVERY_NS = 10 * NS_PER_S
_LOOK_EVERY_NS = NS_PER_S

logger = logging.getLogger(__name__)


def run_worker(
    supervisor: Supervisor, worker: Worker, end: socket.socket, parent: int
) -> int:
    """Be ``worker`` in the forked child; returns its exit code."""
    is_control = worker.kind == "control"
    kept = {0, 1, 2, end.fileno()}
    listeners = (supervisor.listener, supervisor.control_socket) if is_control else ()
    close_all_but(kept | {one.fileno() for one in listeners if one is not None})
    _harden(worker.name)
    plan = supervisor.plan
    configure_logging(worker.name, plan.log_level, plan.log_format)
    try:
        if is_control:
            _run_control(supervisor, worker, end, parent)
        else:
            page = supervisor.board.page(worker.page_index)
            context = StageContext(supervisor.board, page, Heartbeat(page), end)
            _run_stage(_build_stage(worker.kind, context, supervisor), context)
    except OoblexdError as error:
        logger.error("%s; the worker is replaced", error)
        return 1
    except Exception:  # the supervisor handles a worker's bugs: it ends here
        logger.exception("this is a bug; the worker is replaced")
        return 1
    return 0


def _harden(name: str) -> None:
    """Keep frames out of core files and other users' debuggers; be seen in ``ps``."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(_PR_SET_NAME, name.encode()[:_NAME_BYTES] + b"\0", 0, 0, 0)
    # ONNX Runtime keeps a device id in the home directory, for its telemetry.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    # One worker, one core: the pools of numpy's BLAS and OpenCV would only compete.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    os.environ["OPENCV_FOR_THREADS_NUM"] = "1"


def _build_stage(kind: str, context: StageContext, supervisor: Supervisor) -> Stage:
    # Imported here, after the fork: the supervisor stays light.
    if kind == "ingest":
        from ooblexd.stages.ingest import IngestStage

        return IngestStage(context)
    if kind == "inference":
        from ooblexd.stages.inference import InferenceStage

        return InferenceStage(context, supervisor.plan.inference_threads)
    from ooblexd.stages.output import OutputStage

    return OutputStage(context)


def _run_control(
    supervisor: Supervisor, worker: Worker, end: socket.socket, parent: int
) -> None:
    from ooblexd.control.worker import ControlContext, run_control

    run_control(
        ControlContext(
            board=supervisor.board,
            commands=end,
            listener=supervisor.listener,
            page=worker.page_index,
            plan=supervisor.plan,
            supervisor_page=supervisor.page,
            parent_pid=parent,
            control_socket=supervisor.control_socket,
        )
    )


def _run_stage(stage: Stage, context: StageContext) -> None:
    waiter = _Waiter(context)
    while not waiter.is_stopping:
        context.heartbeat.beat()
        if level := context.page.words[WorkerWord.LOG_LEVEL]:
            set_level(level)
        pause_s = stage.step()
        waiter.wait(stage.wake_fds(), min(pause_s, LONGEST_PAUSE_S))
        while (received := waiter.receive()) is not None:
            stage.obey(*received)
    stage.close()


class _Waiter:
    """The pause of the loop, ended by a command, a wake-up or SIGTERM."""

    def __init__(self, context: StageContext) -> None:
        self.is_stopping = False
        self._context = context
        self._pss_due_ns = 0
        self._look_due_ns = 0
        self._reading, writing = socket.socketpair()
        self._writing = writing
        for half in (self._reading, writing):
            half.setblocking(False)
        signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, *_: object) -> None:
        self.is_stopping = True

    def wait(self, fds: Iterable[int], pause_s: float) -> None:
        """Sleep until something happens, at most ``pause_s``."""
        self._look_for_descriptors()
        self._measure_memory()
        poll = select.poll()
        poll.register(self._context.end.fileno(), select.POLLIN)
        poll.register(self._reading.fileno(), select.POLLIN)
        for fd in fds:
            poll.register(fd, select.POLLIN)
        if not self.is_stopping:
            poll.poll(max(pause_s, 0.0) * 1000)

    def receive(self) -> tuple[Message, list[int]] | None:
        """Return the next command, or None."""
        try:
            received = commands.receive(self._context.end)
        except BlockingIOError:
            return None
        except ConnectionError:
            received = None
        if received is None:
            self.is_stopping = True  # the supervisor closed it
        return received

    def _look_for_descriptors(self) -> None:
        """Look whether there is one.

        Raises:
            WorkerSpentError: Somebody leaks them, and without one no change of
                configuration can be made.
        """
        now_ns = monotonic_ns()
        if now_ns < self._look_due_ns:
            return
        self._look_due_ns = now_ns + _LOOK_EVERY_NS
        try:
            os.close(os.dup(self._reading.fileno()))
        except OSError as error:
            raise WorkerSpentError("descriptor") from error

    def _measure_memory(self) -> None:
        now_ns = monotonic_ns()
        if now_ns < self._pss_due_ns:
            return
        self._pss_due_ns = now_ns + _PSS_EVERY_NS
        self._context.page.words[WorkerWord.PSS_BYTES] = proportional_set_bytes()


def proportional_set_bytes() -> int:
    """Return this process's proportional set size; 0 where the kernel hides it."""
    try:
        text = Path("/proc/self/smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
