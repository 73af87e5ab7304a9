"""How old is a picture when a viewer by WebRTC has it, and what does a viewer cost?

Setup: the daemon as its user has it, a camera by HTTP (JPEG) of 1280x720 at 30 frames a
second, no effects. 1, 8 and 20 viewers by WHEP on this machine, in one process. They
receive H.264 with aiortc, which hands a picture over with its last packet, as browsers
do. The first decodes what it gets; the others count.

Formula: age is the unix time at which a picture was decoded, less that of its sending
by the camera, of each picture of the first viewer; median, p99 and worst. Frames a
second are those of the viewer that got the fewest. CPU is user and system time of all
processes of the daemon, 100 % is one core; ``further_percent`` what each viewer beyond
the first adds. Memory is the proportional set size of all of them.

Left out: a real network, and what a browser adds to be smooth. Camera, viewers and
daemon share the cores.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from tests.benchmarks.bench_end_to_end import memory_bytes
from tests.support.appliance import Appliance
from tests.support.measured_process import cpu_percent, measured_process
from tests.support.numbered import make_units, numbered_camera

if TYPE_CHECKING:
    from collections.abc import Iterator

VIEWERS = (1, 8, 20)
_REPETITIONS = 3
_PATH = "/streams/door/whep"
_SIZE, _UNITS = (1280, 720), 300
_MIB = 1024 * 1024


class Result(NamedTuple):
    """Of so many viewers; ages in ms, medians of several repetitions."""

    viewers: int
    fps_slowest: float
    age_p50_ms: float
    age_p99_ms: float
    age_worst_ms: float
    cpu_percent: float
    further_percent: float | None
    memory_mib: float
    ages_ms: list[float]


def measure(viewers: int, units: Path, seconds: float) -> Result:
    """Watch a daemon of its own for that long, once all viewers are there."""
    with contextlib.ExitStack() as stack:
        camera = stack.enter_context(numbered_camera(units))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        toml = f'[streams.door]\nsource = "{camera.url}"\neffects = []\n'
        appliance = stack.enter_context(Appliance(folder, toml))
        watching = (f"127.0.0.1:{appliance.port}", _PATH, viewers, seconds)
        probe = stack.enter_context(measured_process("whep_probe", *watching))
        cpu = cpu_percent(appliance.process.pid, [probe], seconds)
        memory = memory_bytes(appliance)
        answer = probe.answer()
        ages_ms = sorted(camera.ages_ms((n, at_us) for n, _, at_us in answer["seen"]))
    return Result(
        viewers,
        fps_slowest=min(answer["fps"]),
        age_p50_ms=median(ages_ms),
        age_p99_ms=ages_ms[min(int(0.99 * len(ages_ms)), len(ages_ms) - 1)],
        age_worst_ms=ages_ms[-1],
        cpu_percent=cpu,
        further_percent=None,
        memory_mib=memory / _MIB,
        ages_ms=ages_ms,
    )


def run(seconds: float = 10.0, repetitions: int = _REPETITIONS) -> Iterator[Result]:
    """Measure each number of viewers, in turns."""
    with tempfile.TemporaryDirectory() as name:
        make_units(Path(name), "jpg", size=_SIZE, count=_UNITS)
        units = Path(name) / "jpg"
        rounds = [
            [measure(viewers, units, seconds) for viewers in VIEWERS]
            for _ in range(repetitions)
        ]
    first: Result | None = None
    for results in zip(*rounds, strict=True):
        row = _middle(results)
        if first is None:
            first = row
        else:
            further = row.cpu_percent - first.cpu_percent
            row = row._replace(further_percent=further / (row.viewers - first.viewers))
        yield row


def _middle(results: tuple[Result, ...]) -> Result:
    """Return medians, field by field."""
    return Result(
        results[0].viewers,
        fps_slowest=median(one.fps_slowest for one in results),
        age_p50_ms=median(one.age_p50_ms for one in results),
        age_p99_ms=median(one.age_p99_ms for one in results),
        age_worst_ms=median(one.age_worst_ms for one in results),
        cpu_percent=median(one.cpu_percent for one in results),
        further_percent=None,
        memory_mib=median(one.memory_mib for one in results),
        ages_ms=[age for one in results for age in one.ages_ms],
    )


def test_viewers_by_webrtc_can_be_measured(tmp_path: Path) -> None:
    make_units(tmp_path, "jpg", size=_SIZE, count=60)

    result = measure(2, tmp_path / "jpg", seconds=1)

    assert result.fps_slowest > 0
    assert 0 < result.age_p50_ms <= result.age_p99_ms <= result.age_worst_ms
    assert result.cpu_percent > 0
