"""Publishers on their way from control, which let them in, to the source that reads."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ooblexd.sources.door import Publisher


class Door:
    """A `ooblexd.sources.door.Door` of one pump: the newest publisher wins."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._waiting: Publisher | None = None
        self._inside: Publisher | None = None
        self._is_closed = False

    def admit(self, publisher: Publisher) -> None:
        """Have ``publisher`` take the place of whoever publishes."""
        with self._change:
            self._clear()
            if self._is_closed:
                publisher.connection.close()
            else:
                self._waiting = publisher
            self._change.notify()

    def take(self, within_s: float) -> Publisher | None:
        """Return the newest publisher, waiting for one; None if none came."""
        with self._change:
            self._change.wait_for(lambda: self._waiting or self._is_closed, within_s)
            publisher, self._waiting = self._waiting, None
            self._inside = publisher or self._inside
            return publisher

    def close(self) -> None:
        """Cut off whoever publishes, and let nobody wait here any longer."""
        with self._change:
            self._is_closed = True
            self._clear()
            self._change.notify()

    def _clear(self) -> None:
        if self._waiting is not None:
            self._waiting.connection.close()
            self._waiting = None
        if self._inside is not None:
            with contextlib.suppress(OSError):  # closed already by who took it
                self._inside.connection.shutdown(socket.SHUT_RDWR)
            self._inside = None
