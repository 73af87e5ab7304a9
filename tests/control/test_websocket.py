"""WebSocket as its clients have it: two libraries, and bare sockets that misbehave."""

from __future__ import annotations

import json
import socket
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import websockets.exceptions
import wsproto
from websockets.sync.client import ClientConnection, connect
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Pong
from wsproto.events import Request as Handshake

from ooblexd.clock import NS_PER_MS
from ooblexd.counters import DemandWord, Watching
from ooblexd.frame import Verdict
from tests.support.control import JPEG
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.control import ControlBench

HEADER = struct.Struct("<BBHIQQII")
WS = "/streams/door/ws"


@contextmanager
def watching(
    bench: ControlBench, query: str = "", **more: str
) -> Iterator[ClientConnection]:
    """Lend a connection that is counted as a viewer."""
    url = f"ws://127.0.0.1:{bench.port}{WS}{query}"
    with connect(url, additional_headers=more, compression=None) as client:
        bench.await_viewers("door", 1, Watching.WEBSOCKET)
        yield client


def parts_of(message: object) -> tuple[tuple[int, ...], bytes]:
    assert isinstance(message, bytes)
    return HEADER.unpack_from(message), message[HEADER.size :]


def test_a_picture_comes_behind_its_header(bench: ControlBench) -> None:
    with watching(bench) as client:
        header = bench.publish("door", age_ns=20 * NS_PER_MS)
        fields, jpeg = parts_of(client.recv(5))

    version, kind, header_bytes, flags, sequence, capture_us, age_us, size = fields
    assert (version, kind, header_bytes, flags) == (1, Verdict.LIVE, 32, 1)
    assert sequence == header.sequence
    assert capture_us > 1.7e15
    assert 20_000 <= age_us < 5_000_000
    assert (size, jpeg) == (len(JPEG), JPEG)
    eventually(lambda: bench.demand("door", DemandWord.VIEWERS + 1) == 0)


def test_a_slate_names_no_frame_and_a_cover_its_own(bench: ControlBench) -> None:
    with watching(bench) as client:
        bench.publish("door", verdict=Verdict.SLATE)
        slate, _ = parts_of(client.recv(5))
        bench.publish("door", verdict=Verdict.COVERED)
        cover, _ = parts_of(client.recv(5))

    assert slate[:7] == (1, Verdict.SLATE, 32, 0, 0, 0, 0)
    assert cover[:5] == (1, Verdict.COVERED, 32, 1, 2)


def test_what_has_not_passed_the_required_chain_is_never_sent(
    bench: ControlBench,
) -> None:
    with watching(bench) as client:
        bench.require("door", 7)
        bench.publish("door", b"unprotected", revision=6)
        bench.publish("door", b"protected", revision=7)
        _, jpeg = parts_of(client.recv(5))

    assert jpeg == b"protected"


def test_a_peer_that_does_not_read_skips_to_the_newest(bench: ControlBench) -> None:
    picture = bytes(100_000)
    with slow_peer(bench) as peer:
        for _ in range(40):
            bench.publish("door", picture)
        words = (DemandWord.VIEWER_FRAMES + 1, DemandWord.VIEWER_DROPPED + 1)
        taken = bench.demand("door", words[0])
        last = bench.publish("door", picture).sequence
        sequences = [peer.sequence()]
        while sequences[-1] < last:
            sequences.append(peer.sequence())

    assert taken < 20
    assert sequences == sorted(set(sequences))
    assert len(sequences) < 20
    counted = [bench.demand("door", word) for word in words]
    assert counted == [len(sequences), last - len(sequences)]


def test_the_end_of_a_stream_is_said(bench: ControlBench) -> None:
    with watching(bench) as client:
        bench.forget("door")
        with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
            client.recv(5)

    received = closed.value.rcvd
    assert received is not None
    assert (received.code, "door was removed" in received.reason) == (1001, True)


def test_the_end_of_the_web_server_is_said(bench: ControlBench) -> None:
    with watching(bench) as client:
        assert bench.stop() == 0
        with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
            client.recv(5)

    received = closed.value.rcvd
    assert received is not None
    assert (received.code, received.reason) == (1012, "the web server ends; come again")


def test_who_sends_where_nothing_is_taken_is_told(bench: ControlBench) -> None:
    with watching(bench) as client:
        client.send(JPEG)
        with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
            client.recv(5)

    received = closed.value.rcvd
    assert received is not None
    assert (received.code, 'not "upload:"' in received.reason) == (1003, True)


@pytest.mark.parametrize(
    ("path", "headers", "status", "words"),
    [
        ("/streams/nobody/ws", {}, 404, "no stream nobody"),
        ("/streams/door/stream.mjpg", {}, 404, "no WebSocket"),
        (WS + "?fps=x", {}, 422, "fps"),
        (WS + "?watch=maybe", {}, 422, "watch"),
        (WS, {"Origin": "http://evil.example"}, 403, "own page"),
    ],
)
def test_a_refusal_is_a_problem_document(
    bench: ControlBench, path: str, headers: dict[str, str], status: int, words: str
) -> None:
    url = f"ws://127.0.0.1:{bench.port}{path}"
    with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
        connect(url, additional_headers=headers, compression=None)

    answer = refused.value.response
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]
    assert words in json.loads(answer.body or b"")["detail"]


def test_our_own_page_may_look(bench: ControlBench) -> None:
    with watching(bench, Origin=f"http://127.0.0.1:{bench.port}") as client:
        assert client.response is not None
        assert client.response.headers["x-request-id"]


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ("Upgrade: websocket\r\nConnection: Upgrade", b"400"),
        ("Accept: */*", b"426"),
    ],
)
def test_what_is_no_handshake_is_answered(
    bench: ControlBench, lines: str, status: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", bench.port), 5) as end:
        asked = f"GET {WS} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        end.sendall(f"{asked}{lines}\r\n\r\n".encode())
        with end.makefile("rb") as file:
            answer = file.read()

    assert answer.split()[1] == status
    assert b"application/problem+json" in answer
    assert b"x-request-id" in answer.lower()


def test_another_library_watches_and_its_pings_are_answered(
    bench: ControlBench,
) -> None:
    with slow_peer(bench) as peer:
        peer.send(Ping(b"there?"))
        assert isinstance(peer.event(), Pong)
        bench.publish("door")
        assert peer.sequence() == 1
        peer.send(CloseConnection(1000))
        assert isinstance(peer.event(), CloseConnection)

    bench.await_viewers("door", 0, Watching.WEBSOCKET)


def test_text_that_is_none_ends_the_connection(bench: ControlBench) -> None:
    with slow_peer(bench) as peer:
        peer.end.sendall(b"\x81\x83\0\0\0\0\xff\xfe\xfd")  # no UTF-8
        event = peer.event()

    assert isinstance(event, CloseConnection)
    assert event.code == 1007


def test_a_peer_that_asks_and_never_reads_costs_no_memory(bench: ControlBench) -> None:
    with slow_peer(bench) as peer:
        before = bench.resident_kib()
        ping = peer.connection.send(Ping(bytes(125)))
        for _ in range(130):  # 17 MB of pings, as many of pongs
            peer.end.sendall(ping * 1000)
        grown = bench.resident_kib() - before

    assert grown < 8 * 1024


class Peer:
    """A client by wsproto, with a small window, that reads when it is told to."""

    def __init__(self, end: socket.socket, port: int) -> None:
        self.end = end
        self.connection = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        self._events: list[wsproto.events.Event] = []
        self.send(Handshake(host=f"127.0.0.1:{port}", target=WS))
        assert isinstance(self.event(), AcceptConnection)

    def send(self, event: wsproto.events.Event) -> None:
        self.end.sendall(self.connection.send(event))

    def event(self) -> wsproto.events.Event:
        while not self._events:
            self.connection.receive_data(self.end.recv(65536))
            self._events += self.connection.events()
        return self._events.pop(0)

    def sequence(self) -> int:
        """Read a picture, and return its number."""
        data = bytearray()
        while True:
            event = self.event()
            assert isinstance(event, BytesMessage)
            data += event.data
            if event.message_finished:
                return int(HEADER.unpack_from(data)[4])


@contextmanager
def slow_peer(bench: ControlBench) -> Iterator[Peer]:
    with socket.socket() as end:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        end.settimeout(5)
        end.connect(("127.0.0.1", bench.port))
        peer = Peer(end, bench.port)
        bench.await_viewers("door", 1, Watching.WEBSOCKET)
        yield peer
