"""The cable to a camera, which can be pulled, cut, garbled or kept silent.

A relay of TCP on loopback. What it does to a camera's words is a function of the bytes
that come; it keeps its port while the camera behind it is another one.
"""

from __future__ import annotations

import contextlib
import random
import re
import select
import socket
import struct
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Change = Callable[[bytes], bytes]

_CHUNK_BYTES = 1 << 16
_TICK_S = 0.05
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Link:
    """One cable.

    Args:
        port: Of the camera, on loopback.

    Attributes:
        port: Where to reach the camera.
        target: The camera's port; 0 while it is switched off, and nobody answers.
        change: What is done to the camera's words on their way; they may vanish.
        is_frozen: Nothing passes, either way, and no connection ends.
        passed_bytes: Of the camera's, since the beginning.
    """

    def __init__(self, port: int) -> None:
        self.target = port
        self.change: Change = bytes
        self.is_frozen = False
        self.passed_bytes = 0
        self._is_closed = threading.Event()
        self._over = threading.Event()  # for the connections that there are
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def url(self, url: str) -> str:
        """Return ``url`` by way of this cable."""
        head, colon, tail = url.rpartition(":")
        return f"{head}{colon}{self.port}/{tail.partition('/')[2]}"

    def serve(self) -> None:
        """Pass on all connections, until `close`."""
        while not self._is_closed.is_set():
            if select.select([self._listener], [], [], _TICK_S)[0]:
                reader, _ = self._listener.accept()
                threading.Thread(
                    target=self._pass_on, args=(reader, self._over)
                ).start()

    def cut(self) -> None:
        """End the connections that there are."""
        self._over, former = threading.Event(), self._over
        former.set()

    def close(self) -> None:
        """End all connections."""
        self._is_closed.set()
        self._over.set()

    def _pass_on(self, reader: socket.socket, over: threading.Event) -> None:
        with reader, contextlib.suppress(OSError):
            camera = socket.create_connection(("127.0.0.1", self.target), 5)
            with camera:
                while not over.is_set():
                    if self.is_frozen:
                        over.wait(_TICK_S)
                        continue
                    for one in select.select([reader, camera], [], [], _TICK_S)[0]:
                        said = one.recv(_CHUNK_BYTES)
                        if not said:
                            return
                        if one is reader:
                            camera.sendall(said)
                        else:
                            self.passed_bytes += len(said)
                            reader.sendall(self.change(said))


@contextlib.contextmanager
def linked(port: int = 0) -> Iterator[Link]:
    """Lay a cable to a camera's port."""
    link = Link(port)
    thread = threading.Thread(target=link.serve)
    thread.start()
    try:
        yield link
    finally:
        link.close()
        thread.join()
        link._listener.close()


def noise(said: bytes) -> bytes:
    """Put chance in the place of every byte."""
    return random.Random(len(said)).randbytes(len(said))  # noqa: S311 - a fault, no key


class Flips:
    """Flips a bit every ``bytes_apart`` bytes or so; the chance is always the same."""

    def __init__(self, bytes_apart: int) -> None:
        self._chance = random.Random(bytes_apart)  # noqa: S311 - a fault, no key
        self._bytes_apart = bytes_apart

    def __call__(self, said: bytes) -> bytes:
        """Return the bytes with what happened to them."""
        changed = bytearray(said)
        for _ in range(len(said) // self._bytes_apart):
            changed[self._chance.randrange(len(said))] ^= 1 << self._chance.randrange(8)
        return bytes(changed)


class Jumps:
    """Has the clock of an RTSP camera jump, picture by picture, as it is told.

    Args:
        seconds: By how much the time of each picture is wrong, in turn.
    """

    def __init__(self, *seconds: float) -> None:
        self._seconds = seconds
        self._pending = b""
        self.pictures = 0

    def __call__(self, said: bytes) -> bytes:
        """Return all whole packets that have come, at other times."""
        self._pending += said
        passed = b""
        while len(self._pending) >= 4:
            if self._pending[:1] == b"$":
                length = 4 + int.from_bytes(self._pending[2:4], "big")
            else:
                head, end, _ = self._pending.partition(b"\r\n\r\n")
                body = _LENGTH.search(head)
                length = len(head) + 4 + (int(body[1]) if body else 0)
                length += 0 if end else 1
            if length > len(self._pending):
                break
            passed += self._moved(bytearray(self._pending[:length]))
            self._pending = self._pending[length:]
        return passed

    def _moved(self, packet: bytearray) -> bytes:
        if packet[:2] == b"$\0" and len(packet) > 16:  # RTP of the first track
            wrong_s = self._seconds[self.pictures % len(self._seconds)]
            self.pictures += packet[5] >> 7  # the marker: the last of its picture
            at = int.from_bytes(packet[8:12], "big") + int(wrong_s * 90_000)
            struct.pack_into(">I", packet, 8, at & 0xFFFFFFFF)
        return bytes(packet)
