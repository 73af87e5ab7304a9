"""A viewer of MJPEG on a bare socket: what a browser reads, part by part."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO


class Part(NamedTuple):
    """One part: its headers by lower-case name, and its body."""

    headers: dict[str, str]
    body: bytes


class MjpegViewer:
    """Reads a stream by HTTP/1.0, which has no chunks, so that bytes are as sent."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.status = int(file.readline().split()[1])
        self.headers = self._read_headers()

    def part(self) -> Part | None:
        """Return the next part; None after the last."""
        line = self._file.readline().strip()
        while line and not line.startswith(b"--"):
            line = self._file.readline().strip()
        if not line or line.endswith(b"--"):
            return None
        headers = self._read_headers()
        if not headers:
            return None
        body = self._file.read(int(headers["content-length"]))
        assert self._file.readline() == b"\r\n"
        return Part(headers, body)

    def _read_headers(self) -> dict[str, str]:
        headers = {}
        while line := self._file.readline().strip().decode():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return headers


def request_stream(port: int, path: str, receive_bytes: int = 0) -> socket.socket:
    """Ask for a stream and read nothing of it."""
    end = socket.socket()
    if receive_bytes:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    end.settimeout(10)
    end.connect(("127.0.0.1", port))
    end.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    return end


@contextmanager
def watching(port: int, path: str) -> Iterator[MjpegViewer]:
    """Lend a viewer of a stream."""
    with request_stream(port, path) as end, end.makefile("rb") as file:
        yield MjpegViewer(file)
