"""Do viewers who stall, or come and go, cost the others pictures, or the daemon memory?

Setup: the daemon as its user has it, a camera by HTTP (JPEG) of 640x360 at 30 frames a
second, no effects. 1, 10 and 50 viewers of its MJPEG on loopback only take bytes off
their sockets, in one process. At last there are a hundred: 50 of those, 30 that read a
little and never again, and 20 that connect, read a little and leave, without end; then
80 of those and 20 that stall.

Formula: frames a second are of the healthy viewers, the slowest and the median of them.
Age is the unix time at which the last byte of a picture had arrived, less that of its
sending, of every second picture of one healthy viewer; median and p99. CPU is user and
system time of all processes of the daemon, 100 % is one core. Memory is the
proportional set size of all of them, before the first viewer and at the end.

Left out: a real network; encryption. The viewers share the cores with the daemon.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from tests.benchmarks.bench_end_to_end import memory_bytes
from tests.support.appliance import Appliance
from tests.support.measured_process import cpu_percent, measured_process
from tests.support.mjpeg import request_stream
from tests.support.numbered import make_units, numbered_camera

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.sharedctypes import Synchronized


class Crowd(NamedTuple):
    """Who looks."""

    healthy: int
    stalled: int = 0
    reconnecting: int = 0


CROWDS = [
    Crowd(1),
    Crowd(10),
    Crowd(50),
    Crowd(50, stalled=30, reconnecting=20),
    Crowd(80, stalled=20),
]
_PATH = "/streams/door/stream.mjpg"
_SIZE, _UNITS = (640, 360), 300
_MIB = 1024 * 1024


class Result(NamedTuple):
    """Of one crowd; ages in ms of one healthy viewer, the rest of the whole daemon."""

    healthy: int
    stalled: int
    reconnecting: int
    fps_slowest: float
    fps_p50: float
    age_p50_ms: float
    age_p99_ms: float
    cpu_percent: float
    memory_before_mib: float
    memory_mib: float
    reconnections_per_s: float
    ages_ms: list[float]


def measure(crowd: Crowd, units: Path, seconds: float) -> Result:
    """Watch a daemon of its own for that long, once all viewers are there.

    Args:
        crowd: Who looks.
        units: A folder of JPEGs, as `make_units` writes it.
        seconds: How long.
    """
    with contextlib.ExitStack() as stack:
        camera = stack.enter_context(numbered_camera(units))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        toml = f'[streams.door]\nsource = "{camera.url}"\neffects = []\n'
        appliance = stack.enter_context(Appliance(folder, toml))
        before = memory_bytes(appliance)
        for _ in range(crowd.stalled):
            end = stack.enter_context(request_stream(appliance.port, _PATH, 4096))
            assert end.recv(100)
        times = stack.enter_context(_reconnecting(appliance.port, crowd.reconnecting))
        former, started_s = times.value, time.monotonic()
        watching = (appliance.port, _PATH, crowd.healthy, seconds)
        probe = stack.enter_context(measured_process("mjpeg_probe", *watching))
        cpu = cpu_percent(appliance.process.pid, [probe], seconds)
        reconnections = times.value - former
        watched_s = time.monotonic() - started_s
        memory = memory_bytes(appliance)
        answer = probe.answer()
        ages_ms = sorted(camera.ages_ms((n, at_us) for n, _, at_us in answer["seen"]))
    return Result(
        *crowd,
        fps_slowest=min(answer["fps"]),
        fps_p50=median(answer["fps"]),
        age_p50_ms=median(ages_ms),
        age_p99_ms=ages_ms[min(int(0.99 * len(ages_ms)), len(ages_ms) - 1)],
        cpu_percent=cpu,
        memory_before_mib=before / _MIB,
        memory_mib=memory / _MIB,
        reconnections_per_s=reconnections / watched_s,
        ages_ms=ages_ms,
    )


def run(seconds: float = 15.0) -> Iterator[Result]:
    """Measure every crowd."""
    with tempfile.TemporaryDirectory() as folder:
        make_units(Path(folder), "jpg", size=_SIZE, count=_UNITS)
        for crowd in CROWDS:
            yield measure(crowd, Path(folder) / "jpg", seconds)


@contextlib.contextmanager
def _reconnecting(port: int, count: int) -> Iterator[Synchronized[int]]:
    """Lend how often ``count`` viewers have come and gone; a process of their own."""
    context = multiprocessing.get_context("spawn")
    times = context.Value("q", 0)
    process = context.Process(target=_come_and_go, args=(port, count, times))
    if count:
        process.start()
    try:
        yield times
    finally:
        if count:
            process.kill()
            process.join()


def _come_and_go(port: int, count: int, times: Synchronized[int]) -> None:
    while True:
        ends = [request_stream(port, _PATH) for _ in range(count)]
        for end in ends:
            assert end.recv(1000)
            end.close()
            times.value += 1


def test_viewers_who_misbehave_can_be_measured(tmp_path: Path) -> None:
    make_units(tmp_path, "jpg", size=_SIZE, count=60)

    crowd = Crowd(2, stalled=2, reconnecting=2)
    result = measure(crowd, tmp_path / "jpg", seconds=1)

    assert 0 < result.fps_slowest <= result.fps_p50
    assert 0 < result.age_p50_ms <= result.age_p99_ms
    assert result.cpu_percent > 0
    assert result.reconnections_per_s > 0
    assert result.memory_mib > 0
