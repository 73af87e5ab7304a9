"""What systemd is told, by datagrams on a socket that it names (sd_notify(3)).

Ours, since it is a page: of the libraries one comes as source only, and the other is
the binding of libsystemd and needs a compiler. Nothing here waits: systemd that does
not read is no reason for the supervisor to hang.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from ooblexd.clock import monotonic_ns

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_NS_PER_US = 1000
_MOST_STATUS_CHARACTERS = 300
_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Notifier:
    """The sender; without an address everything is said to nobody.

    Args:
        address: Of systemd's socket, ``@`` for an abstract one; empty where there is
            none.
        watchdog_ns: Without a sign of life for longer, systemd ends us; 0 is never.

    Attributes:
        watchdog_ns: As given.
    """

    def __init__(self, address: str = "", watchdog_ns: int = 0) -> None:
        self._address = address.replace("@", "\0", 1) if address[:1] == "@" else address
        self.watchdog_ns = watchdog_ns

    @classmethod
    def take(cls, environ: MutableMapping[str, str], pid: int) -> Notifier:
        """Return what ``environ`` describes, and take it out of there.

        Nobody but us may speak to systemd: no worker, and nothing that one starts.

        Args:
            environ: The environment variables of this process.
            pid: Of this process: a watchdog may be meant for another.
        """
        address, watchdog_us, watchdog_pid = (environ.pop(v, "") for v in _VARIABLES)
        is_ours = watchdog_pid in ("", str(pid))
        is_watched = watchdog_us.isdecimal() and is_ours
        return cls(address, int(watchdog_us) * _NS_PER_US if is_watched else 0)

    def ready(self) -> bool:
        """Say that the start, or a reload, is over; False if it was not heard."""
        return self._say("READY=1")

    def reloading(self) -> None:
        """Say that a reload begins; `ready` ends it."""
        self._say(f"RELOADING=1\nMONOTONIC_USEC={monotonic_ns() // _NS_PER_US}")

    def stopping(self) -> None:
        """Say that the end begins."""
        self._say("STOPPING=1")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._say("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Say in a line how it goes.

        Whatever is in ``text``, such as the words of a camera, it stays one line: the
        next would be a message of its own.
        """
        self._say("STATUS=" + " ".join(text.split())[:_MOST_STATUS_CHARACTERS])

    def _say(self, message: str) -> bool:
        if not self._address:
            return True
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            try:
                sender.sendto(message.encode(), self._address)
            except OSError:  # it is full, or systemd is being replaced
                return False
        return True
