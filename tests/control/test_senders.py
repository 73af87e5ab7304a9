"""Pictures in by WebSocket: each is answered, and nothing queues."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
import websockets.exceptions
from websockets.sync.client import ClientConnection, connect

from ooblexd.control import server
from ooblexd.control.intake import MAX_PICTURE_BYTES
from ooblexd.control.senders import MAX_SENDERS
from ooblexd.plan import StreamPlan
from tests.support.control import ControlBench, control_bench
from tests.support.processes import eventually
from tests.support.upload_ring import UploadRing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JPEG = b"\xff\xd8\xff a picture"
DESK, SLOW = StreamPlan("desk", "upload:"), StreamPlan("slow", "upload:", max_fps=0.1)


@pytest.fixture
def bench(config_path: Path) -> Iterator[ControlBench]:
    with control_bench(config_path, DESK, SLOW) as running:
        yield running


@pytest.fixture
def ring(bench: ControlBench) -> Iterator[UploadRing]:
    made = UploadRing(bench)
    made.attach(1 << 16)
    yield made
    made.close()


@contextmanager
def sending(
    bench: ControlBench, stream: str = "desk", **options: Any
) -> Iterator[ClientConnection]:
    url = f"ws://127.0.0.1:{bench.port}/streams/{stream}/ws?watch=false"
    with connect(url, compression=None, max_size=None, **options) as client:
        yield client


def ask(client: ClientConnection, picture: bytes | str) -> dict[str, Any]:
    client.send(picture)
    answer: dict[str, Any] = json.loads(client.recv(5))
    return answer


def test_each_picture_is_answered_in_its_turn(
    bench: ControlBench, ring: UploadRing
) -> None:
    with sending(bench) as client:
        eventually(lambda: ask(client, JPEG)["status"] == 202)
        answers = [ask(client, what) for what in (JPEG, b"no picture", "text", JPEG)]
        newest = ring.newest()

    assert [answer["status"] for answer in answers] == [202, 415, 415, 202]
    first = answers[0]["picture"]
    assert [answer["picture"] - first for answer in answers] == [0, 1, 2, 3]
    assert "no JPEG, PNG or WebP" in answers[1]["detail"]
    assert newest is not None
    assert newest[1] == JPEG


def test_who_hurries_is_told_how_long_to_wait(bench: ControlBench) -> None:
    slow = UploadRing(bench, "slow")
    slow.attach(1 << 16)

    with sending(bench, "slow") as client:
        eventually(lambda: ask(client, JPEG)["status"] == 202)
        answer = ask(client, JPEG)
    slow.close()

    assert (answer["status"], 0 < answer["retry_after_ms"] <= 9_000) == (429, True)
    assert "max_fps" in answer["detail"]


def test_what_is_too_large_ends_the_connection_in_words(bench: ControlBench) -> None:
    with sending(bench) as client, suppress(websockets.exceptions.ConnectionClosed):
        client.send(bytes(MAX_PICTURE_BYTES + 1))
        client.recv(5)
    close = client.protocol.close_rcvd

    assert close is not None
    assert close.code == 1009


@pytest.mark.usefixtures("ring")
def test_so_many_may_send_and_the_next_one_is_told(bench: ControlBench) -> None:
    ends = [sending(bench) for _ in range(MAX_SENDERS + 1)]
    clients = [end.__enter__() for end in ends]
    eventually(lambda: ask(clients[0], JPEG)["status"] == 202)

    with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
        ask(clients[-1], JPEG)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013
    for end in ends:
        end.__exit__(None, None, None)
    with sending(bench) as client:
        assert ask(client, JPEG)["status"] == 202


def be_deaf(data: bytes | bytearray) -> None:
    del data


def test_a_dead_peer_is_noticed(
    config_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "PING_EVERY_S", 0.1)
    monkeypatch.setattr(server, "PONG_WITHIN_S", 0.1)

    with control_bench(config_path, DESK) as bench, sending(bench) as client:
        client.protocol.receive_data = be_deaf  # type: ignore[method-assign] # so it is
        client.recv_events_thread.join(5)
        close = client.protocol.close_rcvd

    assert not client.recv_events_thread.is_alive()
    assert close is None or close.code == 1011
