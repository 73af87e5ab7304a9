"""A process that the hunt started, and what connects the two."""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import sys
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from ooblexd.ring import RingSpec

if TYPE_CHECKING:
    from collections.abc import Callable

_ORPHANED_S = 1.0
_SPEC = struct.Struct("<4Q")


class Line(NamedTuple):
    """What connects a process with the hunt.

    Attributes:
        messages: It sends what it has to say, and is sent new memory.
        go_fd: An eventfd: it is to go on.
        hunt_pid: The hunt's process, without which it ends.
    """

    messages: socket.socket
    go_fd: int
    hunt_pid: int

    def send(self, text: str) -> None:
        self.messages.send(text.encode())

    def stop(self, why: str) -> None:
        """Say where this process is, and stay there until it is killed or sent on."""
        self.send(why)
        self.wait_for(self.go_fd)
        os.eventfd_read(self.go_fd)

    def wait_for(self, *readable: int | socket.socket) -> None:
        """Sleep until one of these has something, however long that takes."""
        while not select.select(readable, [], [], _ORPHANED_S)[0]:
            self.end_if_orphaned()

    def end_if_orphaned(self) -> None:
        """End this process if the hunt has ended without it."""
        if os.getppid() != self.hunt_pid:
            os._exit(0)


class Memory(NamedTuple):
    """A ring, as it is handed to a process; the descriptor is the process's own."""

    fd: int
    spec: RingSpec


class Quarry:
    """A writer (place -1) or a reader, as the hunt sees it.

    Args:
        place: Which reader.
        live: What the process does, for ever; how it ends by itself is a fault.

    Attributes:
        line: The hunt's end.
        at: The step where the process waits for the hunt's word.
        is_frozen: It was stopped by a signal.
    """

    def __init__(self, place: int, live: Callable[[Line], None]) -> None:
        self.place = place
        self.at = ""
        self.is_frozen = False
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.line = Line(ours, os.eventfd(0), os.getpid())
        self._pid = _fork(live, self.line._replace(messages=theirs))
        theirs.close()

    @property
    def name(self) -> str:
        return f"reader {self.place}" if self.place >= 0 else "writer"

    def freeze(self) -> None:
        """Stop it wherever it is."""
        os.kill(self._pid, signal.SIGSTOP)
        self.is_frozen = True

    def thaw(self) -> None:
        """Let it go on after ``freeze``."""
        if self.is_frozen:
            os.kill(self._pid, signal.SIGCONT)
            self.is_frozen = False

    def send_on(self) -> None:
        """Let it go on from the step where it waits."""
        if self.at:
            self.at = ""
            os.eventfd_write(self.line.go_fd, 1)

    def kill(self) -> None:
        """Kill it; ``reap`` must follow."""
        os.kill(self._pid, signal.SIGKILL)

    def reap(self) -> int:
        """Return its exit code once ``waitpid`` has."""
        _, status = os.waitpid(self._pid, 0)
        self.line.messages.close()
        os.close(self.line.go_fd)
        return os.waitstatus_to_exitcode(status)


def _fork(live: Callable[[Line], None], line: Line) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        with suppress(SystemExit):
            live(line)
    except Exception:  # noqa: BLE001  # the hunt sees that it has ended, people this
        traceback.print_exc()
    finally:  # the child must never return into the hunt
        os._exit(1)


def send_memory(line: Line, memory: Memory) -> None:
    """Hand a process new memory; it gets a descriptor of its own."""
    spec = memory.spec
    numbers = _SPEC.pack(spec.slots, spec.slot_bytes, spec.readers, spec.history)
    socket.send_fds(line.messages, [numbers], [memory.fd])


def receive_memory(line: Line) -> Memory:
    """Take what ``send_memory`` sent; end where the hunt has ended."""
    numbers, fds, _, _ = socket.recv_fds(line.messages, _SPEC.size, 1)
    if not numbers:
        sys.exit("the hunt is over")
    return Memory(fds[0], RingSpec(*_SPEC.unpack(numbers)))
