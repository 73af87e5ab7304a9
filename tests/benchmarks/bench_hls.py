"""How late is low-latency HLS, and what does it cost?

Setup: the daemon as its user has it, a camera by HTTP (JPEG) of 1280x720 at 30 frames a
second, no effects. A player of parts (`tests.support.hls_probe`) reloads the playlist
as hls.js does, fetches each part once it is named, and decodes it.

Formula: the age of a picture *at the edge* is the unix time at which the part that ends
with it was there, less that of its sending by the camera. A player keeps back
``PART-HOLD-BACK`` from the edge, so what is on its screen is older by that: ``latency``
is the sum of both, of the last picture of each part; median, p99 and worst. CPU is user
and system time, 100 % is one core: of all processes of the daemon, and of control,
which muxes and serves.

Left out: a real network, and what a browser adds: hls.js in Chromium is looked at by
``tests/integration/test_hls.py`` where it is at hand. Camera, player and daemon share
the cores.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.support.appliance import Appliance
from tests.support.measured_process import cpu_s, measured_process
from tests.support.numbered import make_units, numbered_camera

if TYPE_CHECKING:
    from collections.abc import Iterator

_REPETITIONS = 3
_SIZE, _UNITS = (1280, 720), 300


class Result(NamedTuple):
    """Of so many players of one stream; the first is measured; times in ms."""

    players: int
    edge_p50_ms: float
    latency_p50_ms: float
    latency_p99_ms: float
    latency_worst_ms: float
    hold_back_ms: float
    cpu_percent: float
    control_percent: float


def measure(players: int, units: Path, seconds: float) -> Result:
    """Play a stream of a daemon of its own for that long."""
    with contextlib.ExitStack() as stack:
        camera = stack.enter_context(numbered_camera(units))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        toml = f'[streams.door]\nsource = "{camera.url}"\neffects = []\n'
        appliance = stack.enter_context(Appliance(folder, toml))
        url = f"{appliance.url}/streams/door/hls/index.m3u8"
        probes = [
            stack.enter_context(measured_process("hls_probe", url, seconds))
            for _ in range(players)
        ]
        for probe in probes:
            probe.expect("begin")
        pids = appliance.process.pid, appliance.pid_of("control")
        before = [cpu_s(pid) for pid in pids]
        for probe in probes:
            probe.expect("end")
        used = [cpu_s(pid) - s for pid, s in zip(pids, before, strict=True)]
        answer = probes[0].answer()
        edges = sorted(camera.ages_ms((n, at_us) for n, at_us in answer["edges"]))
    back_ms = answer["hold_back_s"] * 1000
    return Result(
        players,
        edge_p50_ms=median(edges),
        latency_p50_ms=median(edges) + back_ms,
        latency_p99_ms=edges[min(int(0.99 * len(edges)), len(edges) - 1)] + back_ms,
        latency_worst_ms=edges[-1] + back_ms,
        hold_back_ms=back_ms,
        cpu_percent=100 * used[0] / seconds,
        control_percent=100 * used[1] / seconds,
    )


def run(seconds: float = 20.0, repetitions: int = _REPETITIONS) -> Iterator[Result]:
    """Measure one player, and four."""
    with tempfile.TemporaryDirectory() as name:
        make_units(Path(name), "jpg", size=_SIZE, count=_UNITS)
        for players in (1, 4):
            results = [
                measure(players, Path(name) / "jpg", seconds)
                for _ in range(repetitions)
            ]
            yield Result(
                players,
                *(median(values) for values in list(zip(*results, strict=True))[1:]),
            )


@pytest.mark.timeout(60)
def test_hls_can_be_measured(tmp_path: Path) -> None:
    make_units(tmp_path, "jpg", size=_SIZE, count=60)

    result = measure(1, tmp_path / "jpg", seconds=1)

    assert 0 < result.edge_p50_ms < result.latency_p50_ms <= result.latency_worst_ms
    assert result.cpu_percent > result.control_percent > 0
