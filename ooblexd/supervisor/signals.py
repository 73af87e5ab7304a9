"""Signals as bytes on a descriptor, so that one ``poll`` waits for them too."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_PR_SET_PDEATHSIG = 1


class SignalPipe:
    """Signals as bytes on a descriptor: handlers do nothing but that."""

    def __init__(self) -> None:
        self._reading, self._writing = socket.socketpair()
        self._reading.setblocking(False)
        self._writing.setblocking(False)
        self.fd = self._reading.fileno()
        signal.set_wakeup_fd(self._writing.fileno(), warn_on_full_buffer=False)
        for number in HANDLED:
            signal.signal(number, lambda *_: None)

    def read(self) -> bytes:
        """Return the numbers of the signals that came."""
        try:
            return self._reading.recv(4096)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        """Take no more."""
        signal.set_wakeup_fd(-1)
        self._reading.close()
        self._writing.close()


@contextmanager
def held_back() -> Iterator[None]:
    """Hold signals back over a fork, in both processes.

    Until the child has handlers of its own, a signal to it would be written to the
    supervisor's pipe, which they share: to stop a worker that was only just forked
    would stop the daemon. The child leaves by `be_a_child` instead.
    """
    former = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def be_a_child(parent: int, ignored: tuple[signal.Signals, ...] = ()) -> None:
    """Part from the signals of ``parent``, which has just forked us, but die with it.

    Args:
        parent: Its pid.
        ignored: Which of its signals do nothing here; others do what is usual.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # it died between the fork and the line above
    signal.set_wakeup_fd(-1)
    for number in HANDLED:
        usual = signal.SIG_IGN if number in ignored else signal.SIG_DFL
        signal.signal(number, usual)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
