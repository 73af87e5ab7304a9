"""Workers die or hang while a viewer watches: who notices, and what is shown.

The bounds here are generous, since timings never decide a test; the benchmark
``recovery`` measures them.
"""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.appliance import Appliance
from tests.support.faces import clip_truth, uncovered_faces
from tests.support.processes import eventually
from tests.support.viewer import MjpegViewer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.viewer import Part

TWO_STREAMS = """
[inference]
workers = 2

[streams.door]
source = "demo:"
effects = ["blur_faces"]

[streams.yard]
source = "demo:"
effects = ["blur_faces"]
"""
SIGNALS = [signal.SIGKILL, signal.SIGSTOP]

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    clip_truth()
    with Appliance(tmp_path_factory.mktemp("faults"), TWO_STREAMS) as daemon:
        yield daemon
        assert daemon.stop() == 0


def shows_live(viewer: MjpegViewer, since: int = 0) -> bool:
    return "live" in viewer.pictures()[since:]


def assert_no_face_is_uncovered(parts: list[Part]) -> None:
    shown = [part for part in parts if part.picture in ("live", "held")]
    assert shown
    for part in shown:
        assert not uncovered_faces(part.jpeg), f"frame {part.sequence} {part.picture}"


def hit(appliance: Appliance, worker: str, number: signal.Signals) -> int:
    pid = appliance.pid_of(worker)
    assert pid
    os.kill(pid, number)
    return pid


def replaced(appliance: Appliance, worker: str, former: int) -> bool:
    return appliance.pid_of(worker) not in (0, former)


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("worker", ["ingest:door", "inference:0", "output:door"])
def test_viewer_stays_and_sees_live_again_with_no_face_uncovered(
    appliance: Appliance, worker: str, number: signal.Signals
) -> None:
    with MjpegViewer(appliance.port, "door") as viewer:
        eventually(lambda: viewer.pictures().count("live") > 10, 10)
        former = hit(appliance, worker, number)

        eventually(lambda: replaced(appliance, worker, former), 10)
        since = len(viewer.parts)
        eventually(lambda: viewer.pictures()[since:].count("live") > 10, 10)

        assert not viewer.has_ended.is_set()
    assert_no_face_is_uncovered(viewer.parts)


def test_streams_of_another_inference_worker_lose_nothing(
    appliance: Appliance,
) -> None:
    with MjpegViewer(appliance.port, "yard") as viewer:
        eventually(lambda: viewer.last() == "live", 10)
        former = hit(appliance, "inference:0", signal.SIGKILL)
        eventually(lambda: replaced(appliance, "inference:0", former), 10)
        since = len(viewer.parts)
        eventually(lambda: len(viewer.parts) > since + 10, 10)

    # On a busy machine a frame may come late, which is held; nothing more happens.
    assert set(viewer.pictures()[1:]) <= {"live", "held"}


@pytest.mark.parametrize("number", SIGNALS)
def test_port_never_refuses_while_control_is_replaced(
    appliance: Appliance, number: signal.Signals
) -> None:
    with MjpegViewer(appliance.port, "door") as viewer:
        eventually(lambda: viewer.last() == "live", 10)
        former = hit(appliance, "control", number)

        while not replaced(appliance, "control", former):
            socket.create_connection(("127.0.0.1", appliance.port), 5).close()
        eventually(viewer.has_ended.is_set, 5)
    with MjpegViewer(appliance.port, "door") as viewer:
        eventually(lambda: shows_live(viewer), 10)
    assert_no_face_is_uncovered(viewer.parts)


def test_supervisor_takes_everything_with_it(tmp_path: Path) -> None:
    before = set(os.listdir("/dev/shm"))  # noqa: PTH208,S108 # names are what is compared
    with Appliance(tmp_path, TWO_STREAMS) as daemon:
        workers = ["ingest:door", "inference:0", "output:door", "control"]
        pids = [daemon.pid_of(worker) for worker in workers]
        assert all(pids)

        daemon.process.kill()
        daemon.process.wait()

        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 5)
    assert set(os.listdir("/dev/shm")) <= before  # noqa: PTH208,S108 # likewise
