"""Forks, signals and reaps one process; knows nothing of why.

A worker leads a process group of its own: a terminal's Ctrl-C reaches the supervisor
alone, and what the worker started ends with it.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import random
import signal
import socket
import sys
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ooblexd import commands
from ooblexd.heartbeat import Ending, WorkerState
from ooblexd.supervisor.signals import be_a_child, held_back

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.board import Page
    from ooblexd.commands import Message

_MAX_PENDING = 1000

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Worker:
    """One worker over all its lives.

    Attributes:
        name: As in logs and metrics: ``ingest:door``, ``inference:0``, ``control``.
        kind: Which stage it runs.
        page_index: Of its page on the board.
        page: Its words: heartbeat, state.
        state: Where it is in the table.
        pid: Of this life; 0 without one.
        pidfd: Readable once it has ended; -1 without one.
        end: Our end of its command socket.
        deadline_ns: When OVERDUE or TIMER is due, beside its own word; 0 is never.
        deaths_ns: The deaths that still count.
        generation: Number of this life, from 1.
        is_hung: It was past its word in this life.
        pending: Messages that its socket did not take yet.
    """

    name: str
    kind: str
    page_index: int
    page: Page
    state: WorkerState = WorkerState.DOWN
    pid: int = 0
    pidfd: int = -1
    end: socket.socket | None = None
    deadline_ns: int = 0
    deaths_ns: tuple[int, ...] = ()
    generation: int = 0
    is_hung: bool = False
    pending: deque[tuple[Message, tuple[int, ...]]] = field(default_factory=deque)

    def fork(
        self, run: Callable[[socket.socket, int], int], forget: Callable[[], None]
    ) -> None:
        """Begin the next life.

        Args:
            run: The worker's main function, called in the child with its end of the
                command socket and the parent's pid; returns the exit code.
            forget: Called in the child first: drops what is the supervisor's alone.

        Raises:
            OSError: There are no more processes or descriptors.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        try:
            with held_back():
                pid = os.fork()
                if pid == 0:
                    ours.close()
                    _live(run, forget, theirs, parent)
        except OSError:
            ours.close()
            theirs.close()
            raise
        theirs.close()
        ours.setblocking(False)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.setpgid(pid, pid)  # the child does it too: whoever comes first
        self.pid, self.pidfd, self.end = pid, os.pidfd_open(pid), ours
        self.generation += 1

    def send(self, message: Message, fds: tuple[int, ...] = ()) -> None:
        """Send ``message``, or keep it until the socket takes it; drop it if dead."""
        if self.end is None:
            return
        self.pending.append((message, tuple(os.dup(fd) for fd in fds)))
        self.flush()

    def flush(self) -> bool:
        """Send what is pending; False when the worker has not read for long."""
        while self.pending and self.end is not None:
            message, fds = self.pending[0]
            try:
                commands.send(self.end, message, fds)
            except BlockingIOError:
                return len(self.pending) < _MAX_PENDING
            except ConnectionError:
                self._drop_pending()
                return True
            except OSError as error:
                if error.errno != errno.EMSGSIZE:
                    raise
                # What the limits of a plan should make impossible costs a message.
                logger.error("%s cannot be told all of it: %s", self.name, message.tag)
            self.pending.popleft()
            for fd in fds:
                os.close(fd)
        return True

    def signal(self, number: signal.Signals) -> None:
        """Send a signal: SIGKILL to the whole group, others to the worker."""
        assert self.pid, "pid 0 would be our own group"
        with contextlib.suppress(ProcessLookupError):  # it ended by itself
            if number is signal.SIGKILL:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)

    def is_stopped(self) -> bool:
        """Say whether a signal has stopped it; it has a process."""
        how = os.WSTOPPED | os.WNOHANG | os.WNOWAIT
        try:
            return os.waitid(os.P_PID, self.pid, how) is not None
        except ChildProcessError:
            return False  # it has ended, which its pidfd tells

    def wants_processor(self) -> bool:
        """Say whether one of its threads runs, or would if it were its turn."""
        for stat in Path(f"/proc/{self.pid}/task").glob("*/stat"):
            with contextlib.suppress(OSError):  # that thread has ended meanwhile
                if stat.read_text().rpartition(")")[2].split()[0] == "R":
                    return True
        return False

    def reap(self) -> int | None:
        """Return the exit status if the process has ended, and let go of it."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            return None
        # What the worker itself had started outlives it without this.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.let_go()
        return os.waitstatus_to_exitcode(status)

    def let_go(self) -> None:
        """Close what belongs to this life."""
        self._drop_pending()
        if self.end is not None:
            self.end.close()
            os.close(self.pidfd)
        self.pid, self.pidfd, self.end = 0, -1, None

    def _drop_pending(self) -> None:
        for _, fds in self.pending:
            for fd in fds:
                os.close(fd)
        self.pending.clear()


def ending_of(code: int, *, is_hung: bool) -> Ending:
    """Say how a life ended: by its exit status, and whether it was past its word."""
    if is_hung:
        return Ending.HUNG
    is_killed = -code in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    return Ending.KILLED if is_killed else Ending.CRASHED


def describe_exit(code: int, *, is_hung: bool = False) -> str:
    """Say how a process ended, for people."""
    if is_hung:
        return "hung, and was killed"
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"


def _live(
    run: Callable[[socket.socket, int], int],
    forget: Callable[[], None],
    end: socket.socket,
    parent: int,
) -> NoReturn:
    """Be the worker, and leave by ``os._exit``: the parent's cleanup is not ours."""
    code = 1
    try:
        _separate(end, parent)
        forget()
        code = run(end, parent)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())  # nobody else would ever say why
        raise
    finally:
        with contextlib.suppress(OSError, ValueError):  # nobody reads them any more
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _separate(end: socket.socket, parent: int) -> None:
    """Cut all that binds the child to the supervisor but its one socket."""
    with contextlib.suppress(PermissionError):
        os.setpgid(0, 0)
    # Under `stty tostop` a log line would stop it, in the background as it is.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    be_a_child(parent, ignored=(signal.SIGINT,))
    _be_expendable()
    random.seed()
    end.setblocking(False)


def _be_expendable() -> None:
    """Where memory is short, have us killed before the supervisor, which replaces us.

    systemd protects the whole daemon (``OOMScoreAdjust``), and that is inherited.
    """
    score = Path("/proc/self/oom_score_adj")
    with contextlib.suppress(OSError):  # it matters only where memory is short
        if int(score.read_text()) < 0:
            score.write_text("0")


def close_all_but(kept: set[int]) -> None:
    """Close every descriptor of this process that is not in ``kept``."""
    for fd in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        if fd not in kept:
            with contextlib.suppress(OSError):  # the listing's own, already closed
                os.close(fd)
