"""Connections that say nothing, or too slowly, or no HTTP."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from ooblexd.control import bodies, protocol
from tests.support.processes import eventually

if TYPE_CHECKING:
    from tests.support.control import ControlBench

PATIENCE_S = 1.5  # which a client that behaves keeps on a busy machine
PLACES = 8


@pytest.fixture
def impatient(bench: ControlBench, monkeypatch: pytest.MonkeyPatch) -> ControlBench:
    """Lend control with little patience and few places."""
    bench.stop()
    monkeypatch.setattr(protocol, "HEAD_WITHIN_S", PATIENCE_S)
    monkeypatch.setattr(bodies, "BODY_WITHIN_S", PATIENCE_S)
    monkeypatch.setattr(protocol, "MAX_CONNECTIONS", PLACES)
    bench.start()
    return bench


def connect(bench: ControlBench, said: bytes = b"") -> socket.socket:
    end = socket.create_connection(("127.0.0.1", bench.port), timeout=10)
    end.sendall(said)
    return end


def heard(end: socket.socket) -> bytes:
    """Return all until the other side closes."""
    found = b""
    try:
        while piece := end.recv(65536):
            found += piece
    except ConnectionResetError:
        pass
    return found


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: lo"])
def test_who_does_not_ask_is_not_waited_for(
    impatient: ControlBench, said: bytes
) -> None:
    with connect(impatient, said) as end:
        assert heard(end) == b""


def test_a_byte_now_and_then_does_not_renew_patience(impatient: ControlBench) -> None:
    with connect(impatient, b"GET / HTTP/1.1\r\n") as end:
        end.settimeout(0.04)

        def has_ended() -> bool:
            try:
                end.sendall(b"X: y\r\n")
                return end.recv(1) == b""
            except TimeoutError:
                return False
            except ConnectionError:
                return True

        eventually(has_ended)


def test_a_body_that_does_not_come_is_a_408(impatient: ControlBench) -> None:
    head = (
        b"POST /api/v1/streams HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{"
    )

    with connect(impatient, head) as end:
        answer = heard(end)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answer


def test_what_says_nothing_makes_room(bench: ControlBench) -> None:
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(connect(bench))

        with bench.client() as client:
            assert client.get("/healthz").status_code == 200


def test_who_is_silent_for_longest_goes_first(impatient: ControlBench) -> None:
    with ExitStack() as stack:
        ends = [stack.enter_context(connect(impatient)) for _ in range(PLACES)]
        with impatient.client() as client:
            assert client.get("/healthz").status_code == 200

        assert heard(ends[0]) == b""


def test_where_every_place_is_in_use_one_is_refused(impatient: ControlBench) -> None:
    watch = b"GET /streams/door/stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with ExitStack() as stack:
        ends = [stack.enter_context(connect(impatient, watch)) for _ in range(PLACES)]
        impatient.await_viewers("door", PLACES)

        with connect(impatient) as late:
            answer = heard(late)
        ends[0].close()
        impatient.await_viewers("door", PLACES - 1)

        with impatient.client() as client:
            assert client.get("/healthz").status_code == 200
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert "in use" in json.loads(answer.partition(b"\r\n\r\n")[2])["detail"]


def test_what_is_no_http_is_told_so_as_a_problem(bench: ControlBench) -> None:
    with connect(bench, b"\x16\x03\x01\x02\x00\x01\x00 TLS \r\n\r\n") as end:
        answer = heard(end)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"x-request-id: " in answer.lower()
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == 400
