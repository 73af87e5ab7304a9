"""An MJPEG camera over HTTP, with the habits and faults that cameras have.

============  ============================================================
/stream       parts with their length
/slow         the same, ten a second
/unsized      parts without it
/locked       as ``/stream``, behind a login
/frozen       stops after ten pictures, the connection stays
/ending       closes after ten pictures
/garbage      parts that are no pictures
/page         a page
/silent       takes the request and never answers
/broken       reports 500
============  ============================================================

Every further path is given with its pictures.
"""

from __future__ import annotations

import base64
import contextlib
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FPS = 25


@dataclass
class HttpCamera:
    """A running HTTP camera.

    Attributes:
        port: Where it listens, on loopback.
        sent_ns: Monotonic time after the last byte of each of the newest pictures.
    """

    pictures: dict[str, list[bytes]]
    login: str
    port: int = 0
    sent_ns: list[int] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str, userinfo: str = "") -> str:
        """Return the URL of a path."""
        return f"http://{userinfo}127.0.0.1:{self.port}/{path}"


@contextlib.contextmanager
def http_camera(pictures: dict[str, list[bytes]], login: str) -> Iterator[HttpCamera]:
    """Run an HTTP camera.

    Args:
        pictures: JPEG files, by path; paths without their own show ``stream``'s.
        login: ``user:password`` for ``/locked``.
    """
    camera = HttpCamera(pictures, login)

    class Request(_Request):
        shown = camera

    server = ThreadingHTTPServer(("127.0.0.1", 0), Request)
    server.daemon_threads = True
    camera.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield camera
    finally:
        camera.stop.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Request(BaseHTTPRequestHandler):
    shown: HttpCamera

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].strip("/")
        match path:
            case "locked" if not self._is_logged_in():
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                self.end_headers()
            case "page":
                self._answer(b"<!doctype html><title>Log in</title>" * 100)
            case "silent":
                self.shown.stop.wait(20)
            case "broken":
                self.send_error(500)
            case "garbage":
                self._stream(path, [b"\xff\xd8 no picture at all \xff\xd9"])
            case _ if path in self.shown.pictures or path in _LIKE_STREAM:
                pictures = self.shown.pictures
                self._stream(path, pictures.get(path) or pictures["stream"])
            case _:
                self.send_error(404)

    def _is_logged_in(self) -> bool:
        expected = base64.b64encode(self.shown.login.encode()).decode()
        return self.headers.get("Authorization") == f"Basic {expected}"

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, path: str, pictures: list[bytes]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        self.shown.sent_ns = sent_ns = []
        with contextlib.suppress(ConnectionError):  # the reader went away
            number = 0
            period_s = 0.1 if path == "slow" else 1 / FPS
            while not self.shown.stop.wait(period_s):
                if number == 10 and path in ("frozen", "ending"):
                    break
                self._send_part(path, pictures[number % len(pictures)])
                sent_ns.append(time.monotonic_ns())
                self.wfile.write(b"\r\n")
                number += 1
            if path == "frozen":
                self.shown.stop.wait(20)

    def _send_part(self, path: str, jpeg: bytes) -> None:
        length = "" if path == "unsized" else f"Content-Length: {len(jpeg)}\r\n"
        head = f"--frame\r\nContent-Type: image/jpeg\r\n{length}\r\n"
        self.wfile.write(head.encode() + jpeg)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: the tests look at what the daemon logs."""


_LIKE_STREAM = ("slow", "locked", "unsized", "frozen", "ending")
