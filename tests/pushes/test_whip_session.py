from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from ooblexd.errors import PushError, PushRefusedError
from ooblexd.pushes.whip_session import WhipSession

if TYPE_CHECKING:
    from collections.abc import Iterator


class Asked:
    """What a server was asked for, and what it says to an offer."""

    def __init__(self, status: int, **headers: str) -> None:
        self.status = status
        self.headers = headers
        self.requests: list[tuple[str, str, str | None]] = []


@contextmanager
def serving(asked: Asked) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            moved = self.path == "/moved"
            headers = {"Location": "/cam/whip"} if moved else asked.headers
            self._say(307 if moved else asked.status, headers)

        def do_DELETE(self) -> None:
            self._say(200, {})

        def _say(self, status: int, headers: dict[str, str]) -> None:
            asked.requests.append(
                (self.command, self.path, self.headers["Authorization"])
            )
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "6")
            self.end_headers()
            self.wfile.write(b"answer")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_session_begins_with_a_token_and_ends_where_the_server_said() -> None:
    asked = Asked(201, Location="/sessions/7")
    with serving(asked) as place:
        session = WhipSession(f"whip://t%2Fken@{place}/moved")
        assert session.post("offer") == "answer"
        session.delete()
        session.delete()

    bearer = "Bearer t/ken"
    assert asked.requests == [
        ("POST", "/moved", bearer),
        ("POST", "/cam/whip", bearer),
        ("DELETE", "/sessions/7", bearer),
    ]


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (401, "login refused (401)", PushRefusedError),
        (404, "nothing at this path (404)", PushRefusedError),
        (400, "the server refuses it (400): answer", PushRefusedError),
        (409, "somebody publishes there already (409)", PushError),
        (503, "the server reports an error of its own (503)", PushError),
    ],
)
def test_a_refusal_is_told(status: int, reason: str, kind: type[PushError]) -> None:
    with serving(Asked(status)) as place, pytest.raises(PushError) as caught:
        WhipSession(f"http://{place}/cam/whip").post("offer")

    assert caught.value.reason == reason
    assert type(caught.value) is kind


def test_no_server_is_told() -> None:
    with pytest.raises(PushError, match="connection refused"):
        WhipSession("http://127.0.0.1:1/cam/whip").post("offer")
