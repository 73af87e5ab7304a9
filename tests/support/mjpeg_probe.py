"""Viewers of MJPEG that cost next to nothing, in one process of their own.

::

    python -m tests.support.mjpeg_probe PORT PATH VIEWERS SECONDS

They only take bytes off their sockets while the measurement lasts. What the first
viewer got is decoded afterwards: the clock in its pixels says which picture it was, and
when that was captured. The answer, between words as of
`tests.support.measured_process`, is one line of JSON: the frames a second of each
viewer, and of each picture its sequence, its capture and the arrival of its last byte,
both in unix µs. Whoever serves need not be there yet; its answer may be chunked, and a
part without a length ends where its JPEG does.
"""

from __future__ import annotations

import contextlib
import json
import re
import select
import socket
import sys
import time
from dataclasses import dataclass, field

import cv2
import numpy as np

from ooblexd.sources.pixelclock import read_stamp
from tests.support.processes import eventually

KEEP_EVERY = 2  # pictures of the first viewer, for their clocks
_SETTLE_S = 3.0
_START_S = 30.0
_JPEG_ENDS = b"\xff\xd9"  # within what is coded it cannot stand
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"^transfer-encoding: *chunked\r$", re.IGNORECASE | re.MULTILINE)
_CHUNK = re.compile(rb"(?:\r\n)?([0-9a-f]+)[^\r\n]*\r\n", re.IGNORECASE)
_RECEIVE_BYTES = 1 << 20


@dataclass(slots=True)
class Body:
    """Takes the head and the marks of chunks out of an answer by HTTP.

    Attributes:
        pending: What has arrived and was not given yet.
        is_chunked: None until the whole head is there.
        left_bytes: Of the chunk under way.
    """

    pending: bytearray = field(default_factory=bytearray)
    is_chunked: bool | None = None
    left_bytes: int = 0

    def feed(self, data: bytes) -> bytes:
        """Return what the answer carries, as far as it has come."""
        self.pending += data
        if self.is_chunked is None:
            head, end, _ = self.pending.partition(b"\r\n\r\n")
            if not end:
                return b""
            self.is_chunked = _CHUNKED.search(head + end) is not None
            del self.pending[: len(head) + len(end)]
        if not self.is_chunked:
            return self._taken(len(self.pending))
        out = bytearray()
        while self.pending:
            if not self.left_bytes:
                found = _CHUNK.match(self.pending)
                if found is None:
                    break
                self.left_bytes = int(found[1], 16)
                self._taken(found.end())
            part = self._taken(self.left_bytes)
            self.left_bytes -= len(part)
            out += part
        return bytes(out)

    def _taken(self, count: int) -> bytes:
        part = bytes(self.pending[:count])
        del self.pending[:count]
        return part


@dataclass(slots=True)
class Watcher:
    """One viewer.

    Attributes:
        socket: Its connection.
        keeps: Whether its pictures are looked at.
        body: What its answer carries.
        buffer: What has arrived of the part under way.
        arrived_us: Unix time of each part's last byte.
        kept: Number and JPEG of some of them.
    """

    socket: socket.socket
    keeps: bool
    body: Body = field(default_factory=Body)
    buffer: bytearray = field(default_factory=bytearray)
    arrived_us: list[int] = field(default_factory=list)
    kept: list[tuple[int, bytes]] = field(default_factory=list)

    def take(self) -> None:
        """Read what is there, and note the parts that it completes."""
        data = self.socket.recv(_RECEIVE_BYTES)
        now_us = time.time_ns() // 1000
        if not data:
            raise ConnectionError("the stream has ended")
        self.buffer += self.body.feed(data)
        while (part := self._next_part()) is not None:
            if self.keeps and len(self.arrived_us) % KEEP_EVERY == 0:
                self.kept.append((len(self.arrived_us), part))
            self.arrived_us.append(now_us)

    def _next_part(self) -> bytes | None:
        head_end = self.buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return None
        start = head_end + 4
        found = _LENGTH.search(self.buffer, 0, head_end)
        if found is not None:
            end = start + int(found[1])
        elif (last := self.buffer.find(_JPEG_ENDS, start)) >= 0:
            end = last + len(_JPEG_ENDS)
        else:
            return None
        if len(self.buffer) < end:
            return None
        part = bytes(self.buffer[start:end])
        del self.buffer[:end]
        return part


def watch(port: int, path: str, viewers: int, seconds: float) -> list[Watcher]:
    """Watch what ``path`` shows with that many viewers and return them."""
    watchers = [Watcher(_connect(port, path), keeps=n == 0) for n in range(viewers)]
    by_fd = {watcher.socket.fileno(): watcher for watcher in watchers}
    poll = select.poll()
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    settled = time.monotonic() + _SETTLE_S
    _take_until(settled, poll, by_fd)
    for watcher in watchers:
        watcher.arrived_us.clear()
        watcher.kept.clear()
    sys.stderr.write("begin\n")
    _take_until(time.monotonic() + seconds, poll, by_fd)
    sys.stderr.write("end\n")
    for watcher in watchers:
        watcher.socket.close()
    return watchers


def seen_by(watcher: Watcher) -> list[tuple[int, int, int]]:
    """Return sequence, capture and arrival of each kept picture, in unix µs."""
    seen = []
    for number, jpeg in watcher.kept:
        grey = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
        stamp = read_stamp(np.asarray(grey, np.uint8))
        if stamp is not None:
            seen.append((stamp.sequence, stamp.unix_us, watcher.arrived_us[number]))
    return seen


def _connect(port: int, path: str) -> socket.socket:
    """Return a connection that is answered; who only starts may refuse or drop it."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    answered: list[socket.socket] = []

    def is_answered() -> bool:
        with contextlib.ExitStack() as stack, contextlib.suppress(ConnectionError):
            connection = socket.create_connection(("127.0.0.1", port), timeout=10)
            stack.callback(connection.close)
            connection.sendall(request)
            if connection.recv(1, socket.MSG_PEEK):
                stack.pop_all()
                answered.append(connection)
        return bool(answered)

    eventually(is_answered, _START_S)
    return answered[0]


def _take_until(at_s: float, poll: select.poll, by_fd: dict[int, Watcher]) -> None:
    while (left_s := at_s - time.monotonic()) > 0:
        for fd, _ in poll.poll(left_s * 1000):
            by_fd[fd].take()


def main() -> None:
    """Watch as the command line says, and answer on standard output."""
    port, path, viewers, seconds = sys.argv[1:]
    watchers = watch(int(port), path, int(viewers), float(seconds))
    fps = [len(watcher.arrived_us) / float(seconds) for watcher in watchers]
    answer = {"fps": fps, "seen": seen_by(watchers[0])}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
