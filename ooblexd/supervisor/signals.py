"""Signals as bytes on a descriptor, so that one ``poll`` waits for them too."""

from __future__ import annotations

import signal
import socket


class SignalPipe:
    """Signals as bytes on a descriptor: handlers do nothing but that."""

    def __init__(self) -> None:
        self._reading, self._writing = socket.socketpair()
        self._reading.setblocking(False)
        self._writing.setblocking(False)
        self.fd = self._reading.fileno()
        signal.set_wakeup_fd(self._writing.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)

    def read(self) -> bytes:
        """Return the numbers of the signals that came."""
        try:
            return self._reading.recv(4096)
        except BlockingIOError:
            return b""
