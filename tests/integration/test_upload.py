"""Pictures by HTTP in, pictures by HTTP out, whatever dies in between."""

from __future__ import annotations

import os
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import httpx
import numpy as np
import pytest

from tests.support.appliance import Appliance
from tests.support.processes import Held, eventually, held_by
from tests.support.stills import coloured, still
from tests.support.viewer import MjpegViewer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import Self

TOML = """
[streams.desk]
source = "upload:"
effects = []
"""
BITS = 10
needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="workers hide their memory from all but root"
)
PATH = "/streams/desk/frame"


@cache
def numbered(number: int) -> bytes:
    """Return a JPEG whose upper edge says its number."""
    picture = coloured(640, 360)
    for bit in range(BITS):
        picture[:48, 64 * bit : 64 * (bit + 1)] = 255 * (number >> bit & 1)
    return still("jpeg", picture)


def number_of(jpeg: bytes) -> int:
    """Return the number that a viewer sees."""
    grey = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert grey is not None
    return sum(int(grey[24, 64 * bit + 32] > 128) << bit for bit in range(BITS))


class Sender:
    """Posts numbered JPEGs at 30 a second until it is left."""

    def __init__(self, appliance: Appliance) -> None:
        self.answers: list[int] = []
        self._url = appliance.url + PATH
        self._has_to_end = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._has_to_end.set()
        self._thread.join(30)

    def _send(self) -> None:
        headers = {"Content-Type": "image/jpeg"}
        with httpx.Client(timeout=5) as client:
            while not self._has_to_end.wait(1 / 30):
                file = numbered(len(self.answers) % 2**BITS)
                try:
                    answer = client.post(self._url, content=file, headers=headers)
                    self.answers.append(answer.status_code)
                except httpx.TransportError:  # control is away
                    self.answers.append(0)


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[Appliance]:
    with Appliance(tmp_path, TOML) as running:
        eventually(lambda: state(running) == "waiting")
        yield running


def state(appliance: Appliance) -> object:
    try:
        return appliance.stream("desk")["state"]
    except (httpx.TransportError, KeyError):
        return ""


def live_numbers(viewer: MjpegViewer) -> list[int]:
    return [number_of(part.jpeg) for part in viewer.parts if part.picture == "live"]


def test_pictures_that_are_sent_are_seen_and_silence_is_no_fault(
    appliance: Appliance,
) -> None:
    health = appliance.request("GET", "/health").json()
    assert health["status"] == "healthy"
    assert appliance.stream("desk")["reason"] == "no picture has been sent yet"

    with MjpegViewer(appliance.port, "desk") as viewer:
        eventually(lambda: viewer.last() == "slate")
        with Sender(appliance) as sender:
            eventually(lambda: len(set(live_numbers(viewer))) >= 20)
        assert set(sender.answers) == {202}
        eventually(lambda: state(appliance) == "waiting")
        eventually(lambda: viewer.last() == "slate")

    numbers = live_numbers(viewer)
    steps = np.diff(numbers) % 2**BITS
    assert (steps < 2**BITS // 2).all(), "pictures keep their order"
    assert "down" not in appliance.log()
    assert appliance.request("GET", "/health").json()["status"] == "healthy"


@pytest.mark.parametrize("worker", ["control", "ingest:desk"])
def test_the_ring_outlives_who_writes_and_who_reads_it(
    appliance: Appliance, worker: str
) -> None:
    with Sender(appliance) as sender:
        eventually(lambda: state(appliance) == "running")
        killed = appliance.kill(worker)
        eventually(lambda: appliance.pid_of(worker) not in (0, killed))
        with MjpegViewer(appliance.port, "desk") as viewer:
            eventually(lambda: len(set(live_numbers(viewer))) >= 10)

    assert set(sender.answers) <= {202, 503, 0}
    assert sender.answers[-1] == 202


def test_a_lone_picture_is_seen(appliance: Appliance) -> None:
    """It is larger than all rings are at first."""
    rng = np.random.default_rng(1)
    soft = cv2.resize(rng.integers(0, 255, (96, 128, 3), np.uint8), (1920, 1080))
    picture = still("jpeg", np.asarray(soft, np.uint8))
    headers = {"Content-Type": "image/jpeg"}

    with MjpegViewer(appliance.port, "desk") as viewer:
        eventually(lambda: viewer.last() == "slate")
        answer = httpx.post(appliance.url + PATH, content=picture, headers=headers)
        assert answer.status_code == 202
        eventually(lambda: "live" in viewer.pictures())

    live = next(part.jpeg for part in viewer.parts if part.picture == "live")
    seen = cv2.imdecode(np.frombuffer(live, np.uint8), cv2.IMREAD_COLOR)
    assert seen is not None
    assert seen.shape == (1080, 1920, 3)


def test_a_picture_that_cannot_be_shown_is_told_and_harms_nobody(
    appliance: Appliance,
) -> None:
    headers = {"Content-Type": "image/jpeg"}
    bad = still("jpeg")[:2000]

    answer = httpx.post(appliance.url + PATH, content=bad, headers=headers)

    assert answer.status_code == 202, "nobody has looked into it yet"
    reason = "the last picture sent cannot be shown: it is damaged"
    eventually(lambda: appliance.stream("desk")["reason"] == reason)
    with Sender(appliance):
        eventually(lambda: state(appliance) == "running")


@needs_root
def test_a_source_comes_and_goes_without_a_trace(appliance: Appliance) -> None:
    held = [_held(appliance)]
    for _ in range(4):
        answer = _patch(appliance, "demo:")
        assert answer.status_code == 200, answer.text
        eventually(lambda: state(appliance) == "running")
        assert _post(appliance).status_code == 409

        assert _patch(appliance, "upload:").status_code == 200
        eventually(lambda: state(appliance) == "waiting")
        eventually(lambda: _post(appliance).status_code == 202)
        eventually(lambda: state(appliance) == "running")
        held.append(_held(appliance))

    assert all(later == held[0] for later in held)


@needs_root
def test_control_maps_what_was_sent_and_never_what_it_became(
    appliance: Appliance,
) -> None:
    sent = _rings_of(appliance, "control")
    decoded = _rings_of(appliance, "ingest:desk")
    analysed = _rings_of(appliance, "inference:0")

    assert len(sent) == 4, "uploads, and what viewers get: JPEG, H.264, sound"
    assert len(sent & decoded) == 3, "uploads, sound, and H.264 for who publishes"
    assert not sent & analysed


@needs_root
def test_streams_are_added_and_removed_without_a_trace(appliance: Appliance) -> None:
    held = []
    for _ in range(3):
        table = {"name": "more", "source": "upload:"}
        assert appliance.request("POST", "/api/v1/streams", table).status_code == 201
        eventually(lambda: _post(appliance, "more").status_code == 202)
        answer = appliance.request("DELETE", "/api/v1/streams/more", {})
        assert answer.status_code == 204
        held.append(_held(appliance))

    assert all(later == held[0] for later in held)


def _post(appliance: Appliance, stream: str = "desk") -> httpx.Response:
    headers = {"Content-Type": "image/jpeg"}
    url = f"{appliance.url}/streams/{stream}/frame"
    return httpx.post(url, content=numbered(1), headers=headers)


def _patch(appliance: Appliance, source: str) -> httpx.Response:
    return appliance.request("PATCH", "/api/v1/streams/desk", {"source": source})


def _rings_of(appliance: Appliance, worker: str) -> set[str]:
    """Return the inodes of the segments that a worker maps."""
    maps = Path(f"/proc/{appliance.pid_of(worker)}/maps").read_text()
    return {line.split()[4] for line in maps.splitlines() if "/ooblexd-" in line}


def _held(appliance: Appliance) -> list[Held]:
    """Return what the supervisor, control and ingest hold of shared memory."""
    workers = map(appliance.pid_of, ("control", "ingest:desk"))
    return [held_by(pid) for pid in (appliance.process.pid, *workers)]
