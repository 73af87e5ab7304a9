"""Workers die or hang while a viewer watches: who notices, and what is shown.

The bounds here are generous, since timings never decide a test; the benchmark
``recovery`` measures them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.appliance import ZONE_TOML, Appliance
from tests.support.centerface import network_file
from tests.support.faces import clip_truth
from tests.support.faults import (
    STREAMS,
    TWO_STREAMS,
    await_live,
    footprint,
    footprint_at_rest,
    hit,
    is_replaced,
    is_settled,
    put_trouble,
    segments,
    starve,
    unprotected,
)
from tests.support.processes import eventually
from tests.support.viewer import MjpegViewer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TOML = TWO_STREAMS.replace('"demo:"', '"demo:"\nmax_fps = 10')
TWO_WORKERS = "[inference]\nworkers = 2\n"
WORKERS = ("ingest:door", "inference:0", "output:door")
SIGNALS = [signal.SIGKILL, signal.SIGSTOP]

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def appliance(
    tmp_path_factory: pytest.TempPathFactory, with_trouble: Mapping[str, str]
) -> Iterator[Appliance]:
    network_file()
    clip_truth()
    folder = tmp_path_factory.mktemp("faults")
    with Appliance(folder, TOML, with_trouble) as daemon:
        yield daemon
        assert daemon.stop() == 0


def await_replaced(appliance: Appliance, worker: str, former: int) -> None:
    eventually(lambda: is_replaced(appliance, worker, former))


@contextlib.contextmanager
def both_watched(appliance: Appliance) -> Iterator[tuple[MjpegViewer, MjpegViewer]]:
    """Lend viewers of the door and the yard, and look at all that they have seen."""
    door, yard = (MjpegViewer(appliance.port, name) for name in STREAMS)
    with door, yard:
        await_live(door)
        await_live(yard)
        yield door, yard
        assert not door.has_ended.is_set()
        assert not yard.has_ended.is_set()
    assert not unprotected(door.parts + yard.parts)


@pytest.mark.parametrize("number", SIGNALS)
def test_viewer_stays_and_sees_live_again_with_no_face_uncovered(
    appliance: Appliance, number: signal.Signals
) -> None:
    with both_watched(appliance) as (door, _):
        for worker in WORKERS:
            former = hit(appliance, worker, number)
            await_replaced(appliance, worker, former)
            await_live(door, len(door.parts))


def test_a_worker_that_ends_in_an_effect_or_its_engine_is_replaced(
    appliance: Appliance, tmp_path: Path
) -> None:
    told_by = tmp_path / "told"
    with both_watched(appliance) as (door, _):
        for how in ("sleep", "engine", "quit", "memory"):
            put_trouble(appliance, told_by, len(how))
            former = appliance.pid_of("inference:0")
            told_by.write_text(how)
            await_replaced(appliance, "inference:0", former)
            await_live(door, len(door.parts))
            eventually(lambda: is_settled(appliance))


def test_a_worker_survives_what_an_effect_does_for_a_frame(
    appliance: Appliance, tmp_path: Path
) -> None:
    told_by = tmp_path / "told"
    put_trouble(appliance, told_by, 100)
    former = appliance.pid_of("inference:0")
    with both_watched(appliance) as (door, _):
        for how in ("raise", "exit"):
            told_by.write_text(how)
            eventually(lambda: not told_by.exists())
            await_live(door, len(door.parts))
    assert appliance.pid_of("inference:0") == former


def test_a_worker_in_which_somebody_leaks_descriptors_is_replaced(
    appliance: Appliance, tmp_path: Path
) -> None:
    told_by = tmp_path / "told"
    put_trouble(appliance, told_by, 200)
    former = appliance.pid_of("inference:0")
    with both_watched(appliance) as (door, _):
        told_by.write_text("descriptors")

        await_replaced(appliance, "inference:0", former)
        await_live(door, len(door.parts))
        eventually(lambda: is_settled(appliance))
    assert "no descriptor left in this process" in appliance.log()


def test_a_worker_without_memory_is_live_or_replaced(appliance: Appliance) -> None:
    with both_watched(appliance) as (door, _):
        for worker in WORKERS:
            former = starve(appliance, worker)
            await_live(door, len(door.parts))
            eventually(lambda: is_settled(appliance))
            if appliance.pid_of(worker) == former:
                hit(appliance, worker, signal.SIGKILL)
            await_replaced(appliance, worker, former)
            await_live(door, len(door.parts))


def test_nothing_is_left_of_the_workers_that_died(appliance: Appliance) -> None:
    if os.geteuid() != 0:
        pytest.skip("what protected processes hold takes root to see")
    with both_watched(appliance):
        pass
    before = footprint_at_rest(appliance)

    with both_watched(appliance) as (door, yard):
        for worker in ("ingest:door", "inference:0", "inference:1", "output:yard"):
            former = hit(appliance, worker, signal.SIGKILL)
            await_replaced(appliance, worker, former)
        await_live(door, len(door.parts))
        await_live(yard, len(yard.parts))

    eventually(lambda: footprint(appliance).descriptors == before.descriptors)
    after = footprint(appliance)
    assert after.segments <= before.segments
    assert after.pss_bytes < before.pss_bytes * 1.2


def test_streams_of_another_inference_worker_lose_nothing(tmp_path: Path) -> None:
    toml = TWO_WORKERS + ZONE_TOML.format(name="door") + ZONE_TOML.format(name="yard")
    with (
        Appliance(tmp_path, toml) as appliance,
        MjpegViewer(appliance.port, "yard") as viewer,
    ):
        eventually(lambda: viewer.pictures().count("live") > 2)
        count, former, since = viewer.pictures().count("live"), 0, len(viewer.parts)

        def has_shown_more() -> bool:
            """Kill the other worker as soon as it is there: its streams show none."""
            nonlocal former
            if is_replaced(appliance, "inference:0", former):
                former = hit(appliance, "inference:0", signal.SIGKILL)
            return viewer.pictures().count("live") > count + 5

        eventually(has_shown_more)

    # On a busy machine a frame may come late, which is held; nothing more happens.
    assert set(viewer.pictures()[since:]) <= {"live", "held"}


@pytest.mark.parametrize("number", SIGNALS)
def test_port_never_refuses_while_control_is_replaced(
    appliance: Appliance, number: signal.Signals
) -> None:
    with MjpegViewer(appliance.port, "door") as viewer:
        eventually(lambda: viewer.last() == "live")
        former = hit(appliance, "control", number)

        while not is_replaced(appliance, "control", former):
            socket.create_connection(("127.0.0.1", appliance.port), 5).close()
        eventually(viewer.has_ended.is_set)
    with MjpegViewer(appliance.port, "door") as viewer:
        eventually(lambda: viewer.last() == "live")
    assert not unprotected(viewer.parts)


def test_the_web_server_without_memory_is_live_or_replaced(
    appliance: Appliance,
) -> None:
    with MjpegViewer(appliance.port, "door") as viewer:
        await_live(viewer)
        former, since = starve(appliance, "control"), len(viewer.parts)
        hit(appliance, "ingest:yard", signal.SIGKILL)  # which it is told of
        eventually(
            lambda: (
                is_replaced(appliance, "control", former)
                or viewer.pictures()[since:].count("live") > 60
            ),
            10,
        )
        if appliance.pid_of("control") == former:
            hit(appliance, "control", signal.SIGKILL)
        await_replaced(appliance, "control", former)
    with MjpegViewer(appliance.port, "door") as anew:
        await_live(anew)
    assert not unprotected(viewer.parts + anew.parts)
    assert "_read_all" not in appliance.log()  # what cannot be heard, time and again


def test_supervisor_takes_everything_with_it(tmp_path: Path) -> None:
    before = segments()
    with Appliance(tmp_path, TOML) as daemon:
        workers = ["ingest:door", "inference:0", "output:door", "control"]
        pids = [daemon.pid_of(worker) for worker in workers]
        assert all(pids)

        daemon.process.kill()
        daemon.process.wait()

        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    assert segments() <= before
