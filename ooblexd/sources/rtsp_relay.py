"""Spares a camera's pictures the wait for the next one.

FFmpeg's RTSP demuxer cuts the stream into pictures by looking for the beginning of the
next one, so each picture is a whole period late: 33 ms at 30 frames a second, 100 ms at
10. Yet the camera has said where it ends: the last packet of each picture has the
marker bit (RFC 6184, 5.1; RFC 7798, 4.1). FFmpeg has no way to heed it, so its
connection is relayed through this process, and behind each marked packet goes a packet
of our own with an access unit delimiter: the next picture begins. The packets that
follow are renumbered; nothing else is touched.

A camera whose marker cannot be believed, since packets of the same picture follow it,
is left as it is.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

_RTP = struct.Struct(">BBHII")  # flags, marker and type, sequence, time, source
_FRAME = struct.Struct(">cBH")  # RFC 2326, 10.12: a dollar, the channel, the length
_MARKER, _TYPE = 0x80, 0x7F
_MAP = re.compile(rb"^a=rtpmap:(\d+) (H264|H265)/", re.MULTILINE | re.IGNORECASE)
_LENGTH = re.compile(rb"^content-length:\s*(\d+)\s*$", re.MULTILINE | re.IGNORECASE)
_DELIMITERS = {b"H264": b"\x09\xf0", b"H265": b"\x46\x01\x50"}
_MOST_HEAD_BYTES = 1 << 16
_CHUNK_BYTES = 1 << 18
_BELIEVED_AFTER = 5  # pictures whose marker was the last word


@dataclass(slots=True)
class _Track:
    """One channel's packets.

    Attributes:
        added: How many of ours it has got.
        ended_at: Time of the picture whose marker came last.
        is_ended: Nothing has come since.
        endings: Markers that were true in a row; negative once one was not.
    """

    added: int = 0
    ended_at: int = 0
    is_ended: bool = False
    endings: int = 0


class Delimiting:
    """What a camera says, with an end behind each picture; pure."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._delimiters: dict[int, bytes] = {}  # by RTP's type of payload
        self._tracks: dict[int, _Track] = {}
        self._is_foreign = False

    def feed(self, data: bytes) -> bytes:
        """Take what came, and return what is to be passed on of it and of before."""
        if self._is_foreign:
            return data
        self._pending += data
        return b"".join(self._pieces())

    def _pieces(self) -> Iterator[bytes]:
        pending = self._pending
        while pending:
            length = self._length_of_next()
            if length == 0 or length > len(pending):
                return
            piece = bytes(pending[:length])
            del pending[:length]
            if piece[:1] == b"$":
                yield from self._packet(piece)
            else:
                self._learn(piece)
                yield piece

    def _length_of_next(self) -> int:
        """Return the length of what comes next; 0 while that cannot be told."""
        pending = self._pending
        if pending[:1] == b"$":
            if len(pending) < _FRAME.size:
                return 0
            return _FRAME.size + int(_FRAME.unpack_from(pending)[2])
        end = pending.find(b"\r\n\r\n", 0, _MOST_HEAD_BYTES)
        if end >= 0:
            found = _LENGTH.search(pending, 0, end + 2)
            return end + 4 + (int(found[1]) if found else 0)
        if len(pending) >= _MOST_HEAD_BYTES or not pending[:1].isupper():
            self._is_foreign = True  # whoever is meant may understand it
            return len(pending)
        return 0

    def _learn(self, message: bytes) -> None:
        """Find out in a session description which packets are of pictures."""
        for kind, codec in _MAP.findall(message):
            self._delimiters[int(kind)] = _DELIMITERS[codec.upper()]

    def _packet(self, piece: bytes) -> Iterator[bytes]:
        if len(piece) < _FRAME.size + _RTP.size:
            yield piece
            return
        _, channel, _ = _FRAME.unpack_from(piece)
        flags, kind, sequence, at, source = _RTP.unpack_from(piece, _FRAME.size)
        delimiter = self._delimiters.get(kind & _TYPE)
        if delimiter is None:
            yield piece
            return
        track = self._tracks.setdefault(channel, _Track())
        self._doubt(track, at)
        if track.added:
            renumbered = (sequence + track.added) & 0xFFFF
            yield piece[:6] + renumbered.to_bytes(2, "big") + piece[8:]
        else:
            yield piece
        if kind & _MARKER:
            track.is_ended, track.ended_at = True, at
            if track.endings >= _BELIEVED_AFTER:
                track.added += 1
                head = _RTP.pack(
                    *(flags & 0xC0, kind & _TYPE),
                    *((sequence + track.added) & 0xFFFF, at, source),
                )
                length = len(head) + len(delimiter)
                yield _FRAME.pack(b"$", channel, length) + head + delimiter

    def _doubt(self, track: _Track, at: int) -> None:
        """Judge by the packet that follows a marker whether that was the last."""
        if not track.is_ended or track.endings < 0:
            return
        track.is_ended = False
        track.endings = -1 if at == track.ended_at else track.endings + 1


class Relay:
    """Passes one connection to a camera on, from a port of this machine.

    It connects to the camera when it is connected to, and ends with the connection,
    whichever side closes it.

    Args:
        url: Of the camera, with its login, which stays out of this.
        default_port: Of its scheme.
        timeout_s: To connect.

    Attributes:
        url: What to open instead: the same on this machine.
        failure: Why there is no connection to the camera; None if there is one.
    """

    def __init__(self, url: str, default_port: int, timeout_s: float) -> None:
        parts = urlsplit(url)
        self.failure: OSError | None = None
        self._address = (parts.hostname or "", parts.port or default_port)
        self._timeout_s = timeout_s
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        self._listener.settimeout(timeout_s)
        port = self._listener.getsockname()[1]
        login, at, _ = parts.netloc.rpartition("@")
        self.url = urlunsplit(parts._replace(netloc=f"{login}{at}127.0.0.1:{port}"))
        threading.Thread(target=self._serve, name="relay", daemon=True).start()

    def _serve(self) -> None:
        with self._listener, contextlib.suppress(OSError):  # nobody came, or both left
            reader, _ = self._listener.accept()
            self._listener.close()
            with reader:
                try:
                    camera = socket.create_connection(self._address, self._timeout_s)
                except OSError as exc:
                    self.failure = exc  # before the reader sees that it is closed
                    return
                with camera:
                    _pass_on(reader, camera)


def _pass_on(reader: socket.socket, camera: socket.socket) -> None:
    """Pass all on in both directions until one side closes."""
    delimiting, ready = Delimiting(), select.poll()
    for one in (reader, camera):
        one.settimeout(None)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ready.register(one, select.POLLIN)
    while True:
        for fd, _ in ready.poll():
            is_request = fd == reader.fileno()
            said = (reader if is_request else camera).recv(_CHUNK_BYTES)
            if not said:
                return
            if is_request:
                camera.sendall(said)
            else:
                reader.sendall(delimiting.feed(said))
