"""A viewer of MJPEG that keeps every part with its headers, on a plain socket."""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self


@dataclass(frozen=True, slots=True)
class Part:
    """One picture as it arrived.

    Attributes:
        at_s: Monotonic time of its last byte.
        picture: ``X-Picture``.
        sequence: ``X-Sequence``; None on a slate.
        age_ms: ``X-Frame-Age-Ms``; None on a slate.
        jpeg: The bytes.
    """

    at_s: float
    picture: str
    sequence: int | None
    age_ms: float | None
    jpeg: bytes


class MjpegViewer:
    """Watches a stream in a thread until it is left or the server ends it."""

    def __init__(self, port: int, stream: str, *, keeps_jpeg: bool = True) -> None:
        self.parts: list[Part] = []
        self.has_ended = threading.Event()
        self._keeps_jpeg = keeps_jpeg
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._path = f"/streams/{stream}/stream.mjpg"
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._connection.connect()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """Close the connection, whatever is under way."""
        if self._connection.sock is not None:
            self._connection.sock.shutdown(2)
        self._thread.join(5)
        self._connection.close()

    def pictures(self) -> list[str]:
        """Return ``X-Picture`` of all parts so far."""
        return [part.picture for part in self.parts]

    def last(self) -> str:
        """Return ``X-Picture`` of the newest part; empty before the first."""
        return self.parts[-1].picture if self.parts else ""

    def _watch(self) -> None:
        try:
            self._connection.request("GET", self._path)
            response = self._connection.getresponse()
            assert response.status == 200, response.read()
            while True:
                part = _read_part(response)
                if part is None:
                    return
                self.parts.append(part if self._keeps_jpeg else _without_jpeg(part))
        except (OSError, http.client.HTTPException, ValueError):
            return  # left, or the server is gone: has_ended says so
        finally:
            self.has_ended.set()


def _read_part(response: http.client.HTTPResponse) -> Part | None:
    headers: dict[str, str] = {}
    while True:
        line = response.readline()
        if not line:
            return None
        text = line.decode().strip()
        if not text and headers:
            break
        name, colon, value = text.partition(":")
        if colon:
            headers[name.lower()] = value.strip()
    jpeg = response.read(int(headers["content-length"]))
    sequence, age = headers.get("x-sequence"), headers.get("x-frame-age-ms")
    return Part(
        at_s=time.monotonic(),
        picture=headers["x-picture"],
        sequence=int(sequence) if sequence is not None else None,
        age_ms=float(age) if age is not None else None,
        jpeg=jpeg,
    )


def _without_jpeg(part: Part) -> Part:
    return Part(part.at_s, part.picture, part.sequence, part.age_ms, b"")
