"""Runs one command and leaves nothing of it behind: a script of its own.

``python warden.py [--input=FD] COMMAND ARGUMENTS…`` lives between a worker and the
command of an ``exec:`` source or push; a push's reads the descriptor FD. Our standard
input is a pipe that the worker holds and never writes to: the pipe ends with the
worker, whatever ends that one, SIGKILL too. Then, or when the command ends, everything
that the command has started ends as well: the warden is the reaper of its orphans, so
nothing escapes by a double fork, a process group or a session of its own.

The command is asked by SIGTERM first, since a camera that is let go of properly can be
opened again; what is still there a second later is killed.

It imports nothing of ooblexd, so that it starts in some 20 ms and weighs 8 MB.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import time
from typing import NoReturn

INPUT = "--input="
"""Before the command: the descriptor that it is to read."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_GRACE_S = 1.0
_KILLED_WITHIN_S = 2.0
_NOT_EXECUTABLE, _NOT_FOUND, _BY_SIGNAL = 126, 127, 128  # as a shell has them
_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(arguments: list[str]) -> int:
    """Run the command until it or the worker ends; returns its exit code."""
    given = -1
    if arguments[0].startswith(INPUT):
        given = int(arguments.pop(0).removeprefix(INPUT))
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (*_HANDLED, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    warden = os.getpid()
    # A signal that came before the child has its own handlers would be lost on it.
    signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
    command = os.fork()
    if command == 0:
        _become(arguments, warden, libc, given)
    if given >= 0:  # else whoever writes would not see the command go
        os.close(given)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
    _let_go_of_output()
    status = _wait(command, reading)
    if status is None:
        status = _ask_to_end(command, reading)
    _kill_all()
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else _BY_SIGNAL - code


def _become(
    arguments: list[str], warden: int, libc: ctypes.CDLL, given: int
) -> NoReturn:
    """Be the command, in a process group of its own."""
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    # The worker ignores some, and what is ignored stays so in what is executed.
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    given = given if given >= 0 else os.open(os.devnull, os.O_RDONLY)
    os.dup2(given, 0)
    os.close(given)
    code = _NOT_FOUND
    try:
        if os.getppid() == warden:
            os.execvp(arguments[0], arguments)  # noqa: S606 # that is what it is for
    except OSError as error:
        code = _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE
        os.write(2, f"{arguments[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(code)


def _let_go_of_output() -> None:
    """Have the worker see the end of the output when the command ends it."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for fd in (1, 2):
        os.dup2(nothing, fd)


def _wait(command: int, wake_fd: int) -> int | None:
    """Return the command's status when it has ended; None if the worker has."""
    poll = select.poll()
    poll.register(0, select.POLLIN)
    poll.register(wake_fd, select.POLLIN)
    while True:
        status = _reap(command)
        if status is not None:
            return status
        ready = [fd for fd, _ in poll.poll()]
        if 0 in ready or _was_told_to_end(wake_fd):
            return None


def _was_told_to_end(wake_fd: int) -> bool:
    with contextlib.suppress(BlockingIOError):
        return any(number in _HANDLED for number in os.read(wake_fd, 64))
    return False


def _ask_to_end(command: int, wake_fd: int) -> int:
    """Give the command a second to end by itself; return its status."""
    deadline = time.monotonic() + _GRACE_S
    with contextlib.suppress(ProcessLookupError):
        os.killpg(command, signal.SIGTERM)
        os.killpg(command, signal.SIGCONT)
    while (left_s := deadline - time.monotonic()) > 0:
        status = _reap(command)
        if status is not None:
            return status
        select.select([wake_fd], [], [], left_s)
        _was_told_to_end(wake_fd)
    return signal.SIGKILL


def _reap(command: int) -> int | None:
    """Bury all who have ended; return the command's status if it is among them."""
    found = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == command:
                found = status
    return found


def _kill_all() -> None:
    """Kill every descendant: orphans become our children, round by round."""
    deadline = time.monotonic() + _KILLED_WITHIN_S
    while time.monotonic() < deadline:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        for pid in _children():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        select.select([], [], [], 0.01)


def _children() -> list[int]:
    """Return the processes whose parent this one is."""
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 # pathlib would double its weight
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat") as file:  # noqa: PTH123 # likewise
            if int(file.read().rpartition(")")[2].split()[1]) == os.getpid():
                found.append(int(name))
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
