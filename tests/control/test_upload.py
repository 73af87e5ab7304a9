"""Pictures into control, and no further than the ring of uploads."""

from __future__ import annotations

import signal
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from ooblexd.clock import monotonic_ns
from ooblexd.commands import SlotsRefused, send
from ooblexd.control import intake, upload
from ooblexd.frame import PixelFormat
from ooblexd.heartbeat import WorkerState, WorkerWord
from ooblexd.plan import StreamPlan
from tests.support.control import ControlBench, control_bench
from tests.support.processes import eventually, held_by
from tests.support.upload_ring import UploadRing as Ring

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

JPEG = b"\xff\xd8\xff a picture"
DESK = StreamPlan("desk", "upload:")
OTHERS = (
    StreamPlan("door", "rtsp://192.0.2.20/stream1"),
    StreamPlan("off", "upload:", enabled=False),
    StreamPlan("slow", "upload:", max_fps=0.1),
    StreamPlan("bare", "upload:"),
)
FRAME = "/streams/desk/frame"
ORIGIN = {"Origin": "http://elsewhere.example"}


@pytest.fixture
def bench(config_path: Path) -> Iterator[ControlBench]:
    """Lend control with a stream for uploads and others that take none."""
    with control_bench(config_path, DESK, *OTHERS) as running:
        yield running


@pytest.fixture
def ring(bench: ControlBench) -> Iterator[Ring]:
    """Lend the ring of desk, which control has."""
    made = Ring(bench)
    made.attach(1 << 16)
    yield made
    made.close()


@pytest.fixture
def client(bench: ControlBench, ring: Ring) -> Iterator[httpx.Client]:
    """Lend a client, once control knows desk's ring."""
    with bench.client() as lent:
        eventually(lambda: post(lent, JPEG).status_code == 202)
        ring.newest()
        yield lent


def post(
    client: httpx.Client, picture: bytes, kind: str = "image/jpeg", path: str = FRAME
) -> httpx.Response:
    return client.post(path, content=picture, headers={"Content-Type": kind})


@pytest.mark.parametrize(
    ("kind", "picture"),
    [
        ("image/jpeg", JPEG),
        ("image/png", b"\x89PNG\r\n\x1a\n and more"),
        ("image/webp", b"RIFF\0\0\0\0WEBPVP8 "),
        ("IMAGE/JPEG; q=1", JPEG),
        ("image/png", JPEG),
    ],
)
def test_a_picture_is_accepted_and_handed_on_as_it_is(
    client: httpx.Client, ring: Ring, kind: str, picture: bytes
) -> None:
    before_ns = monotonic_ns()

    response = post(client, picture, kind)

    taken = ring.newest()
    assert response.status_code == 202
    assert response.content == b""
    assert taken is not None
    header, data = taken
    assert data == picture
    assert header.pixel_format is PixelFormat.FILE
    assert header.generation == 7
    assert before_ns < header.capture_ns < monotonic_ns()


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/streams/nothing/frame", 404, "there is no stream nothing"),
        ("/streams/door/frame", 409, "door takes no pictures: its source is not"),
        ("/streams/off/frame", 409, "off is switched off"),
        ("/streams/bare/frame", 503, "bare cannot take pictures"),
    ],
)
def test_a_stream_that_takes_no_pictures_says_why(
    client: httpx.Client, path: str, status: int, detail: str
) -> None:
    response = post(client, JPEG, path=path)

    assert response.status_code == status
    assert detail in response.json()["detail"]
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/json"]
)
def test_a_type_that_is_no_picture_is_refused(
    client: httpx.Client, ring: Ring, kind: str
) -> None:
    response = post(client, JPEG, kind)

    assert response.status_code == 415
    assert "image/jpeg, image/png or image/webp" in response.json()["detail"]
    assert ring.newest() is None


def test_a_form_is_refused(client: httpx.Client, ring: Ring) -> None:
    assert client.post(FRAME, files={"frame": JPEG}).status_code == 415
    assert ring.newest() is None


@pytest.mark.parametrize("body", [b"", b"GIF89a", b"\xff\xd8", b"RIFF\0\0\0\0WAVE"])
def test_bytes_that_are_no_picture_are_refused_whatever_their_type(
    client: httpx.Client, ring: Ring, body: bytes
) -> None:
    response = post(client, body)

    assert response.status_code == 415
    assert "no JPEG, PNG or WebP" in response.json()["detail"]
    assert ring.newest() is None


def test_a_foreign_page_cannot_post_a_picture(client: httpx.Client, ring: Ring) -> None:
    headers = {"Content-Type": "image/jpeg", **ORIGIN}

    assert client.post(FRAME, content=JPEG, headers=headers).status_code == 403
    leave = client.options(FRAME, headers=ORIGIN).headers
    assert not [name for name in leave if name.startswith("access-control-")]
    assert ring.newest() is None


def test_a_picture_that_is_too_large_is_refused_by_its_length(
    bench: ControlBench, client: httpx.Client
) -> None:
    """Not a byte of it is sent before the answer comes."""
    assert client
    with socket.create_connection(("127.0.0.1", bench.port), 5) as connection:
        head = f"POST {FRAME} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg"
        length = intake.MAX_PICTURE_BYTES + 1
        connection.sendall(f"{head}\r\nContent-Length: {length}\r\n\r\n".encode())

        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_picture_that_hides_its_length_is_refused_too(
    client: httpx.Client, ring: Ring
) -> None:
    def endless() -> Iterator[bytes]:
        yield JPEG
        for _ in range(17):
            yield bytes(1 << 20)

    headers = {"Content-Type": "image/jpeg"}
    response = client.post(FRAME, content=endless(), headers=headers)

    assert response.status_code == 413
    assert response.json()["detail"] == "a picture has at most 16 MiB"
    assert ring.newest() is None


def test_a_picture_that_does_not_fit_waits_for_larger_slots(
    bench: ControlBench, client: httpx.Client, ring: Ring
) -> None:
    picture = JPEG + bytes(200_000)
    answers: list[int] = []
    poster = threading.Thread(
        target=lambda: answers.append(post(client, picture).status_code)
    )
    poster.start()
    eventually(lambda: bool(bench.needs))
    need = bench.needs[0]
    assert (need.stream, need.kind) == ("desk", "uploaded")

    ring.attach(need.slot_bytes)
    poster.join(10)

    assert answers == [202]
    taken = ring.newest()
    assert taken is not None
    assert taken[1] == picture


def test_too_little_memory_for_a_picture_is_said(
    bench: ControlBench, client: httpx.Client
) -> None:
    answers: list[httpx.Response] = []
    poster = threading.Thread(
        target=lambda: answers.append(post(client, JPEG + bytes(200_000)))
    )
    poster.start()
    eventually(lambda: bool(bench.needs))

    send(bench.end, SlotsRefused("desk", "uploaded", "shared memory: 9 MiB needed"))
    poster.join(10)

    assert answers[0].status_code == 507
    assert answers[0].json()["detail"] == "desk: shared memory: 9 MiB needed"
    assert post(client, JPEG).status_code == 202


def test_a_supervisor_that_does_not_answer_is_no_hang(
    bench: ControlBench, client: httpx.Client
) -> None:
    response = post(client, JPEG + bytes(200_000))

    assert bench.needs
    assert response.status_code == 503
    assert post(client, JPEG).status_code == 202


def test_pictures_above_the_rate_are_refused_with_a_time(
    bench: ControlBench, client: httpx.Client
) -> None:
    slow = Ring(bench, "slow")
    slow.attach(1 << 16)
    path = "/streams/slow/frame"
    eventually(lambda: post(client, JPEG, path=path).status_code == 202)

    response = post(client, JPEG, path=path)

    assert response.status_code == 429
    assert 1 <= int(response.headers["retry-after"]) <= 9
    assert response.json()["detail"] == (
        "slow takes 0.1 pictures (max_fps) and 64 MiB a second"
    )
    slow.close()


def test_large_pictures_use_up_the_turns_of_many(
    config_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "MAX_BYTES_A_SECOND", 20_000)
    with control_bench(config_path, DESK) as bench, bench.client() as client:
        ring = Ring(bench)
        ring.attach(1 << 17)
        eventually(lambda: post(client, JPEG).status_code == 202)

        assert post(client, JPEG + bytes(100_000)).status_code == 202
        assert post(client, JPEG).status_code == 429
        eventually(lambda: post(client, JPEG).status_code == 202)

        ring.close()


def test_many_who_send_slowly_cannot_fill_the_memory(
    bench: ControlBench, client: httpx.Client
) -> None:
    head = f"POST {FRAME} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg"
    slow = [
        socket.create_connection(("127.0.0.1", bench.port), 5)
        for _ in range(upload.MAX_ARRIVING)
    ]
    for connection in slow:
        connection.sendall(f"{head}\r\nContent-Length: 99\r\n\r\nabc".encode())

    eventually(lambda: post(client, JPEG).status_code == 429)
    for connection in slow:
        connection.close()

    eventually(lambda: post(client, JPEG).status_code == 202)


@pytest.mark.parametrize("state", [WorkerState.WAITING, WorkerState.STARTING])
def test_nothing_is_taken_while_nobody_decodes(
    bench: ControlBench, client: httpx.Client, ring: Ring, state: WorkerState
) -> None:
    page = bench.board.page(bench.workers["ingest:desk"])
    page.words[WorkerWord.STATE] = state

    response = post(client, JPEG)

    assert response.status_code == 503
    assert "ingest:desk is" in response.json()["detail"]
    assert ring.newest() is None


def test_a_source_that_is_changed_takes_nothing_more_and_leaks_nothing(
    bench: ControlBench, client: httpx.Client, ring: Ring
) -> None:
    held = []

    for _ in range(6):
        bench.change(StreamPlan("desk", "demo:"))
        eventually(lambda: post(client, JPEG).status_code == 409)
        bench.change(DESK)
        ring.attach(1 << 16)
        eventually(lambda: post(client, JPEG).status_code == 202)
        held.append(held_by(bench.pid))

    assert set(held) == {held[0]}


def test_a_new_life_of_control_goes_on_in_the_same_ring(
    bench: ControlBench, client: httpx.Client, ring: Ring
) -> None:
    assert post(client, JPEG).status_code == 202
    ring.newest()
    bench.stop(signal.SIGKILL)

    bench.start()
    ring.attach(1 << 16)

    with bench.client() as another:
        eventually(lambda: post(another, JPEG).status_code == 202)
    assert ring.newest() is not None
