"""How old is a picture when a viewer of the running daemon has it?

Setup: the daemon as its user has it, one demo stream of 1280x720 at 30 frames a second,
its chain empty or `blur_faces` on every frame; 1 or 8 viewers of its MJPEG on loopback,
all in one process that only takes bytes off sockets. The demo writes the time of
capture into its pixels.

Formula: age is the unix time at which the last byte of a picture had arrived, less the
time in its pixels; median, p99 and the worst of every second picture of one viewer.
Frames a second are the pictures that this viewer got. CPU is user and system time of
all processes of the daemon, 100 % is one core. Memory is the proportional set size of
all of them, what they share counted once.

Left out: a network, decoding and drawing at the viewer, and the camera. The viewers
share the cores with the daemon.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.support.appliance import Appliance
from tests.support.repository import ROOT

CASES = [
    ("none", "[]", 1),
    ("none", "[]", 8),
    ("blur_faces", '["blur_faces"]', 1),
    ("blur_faces", '["blur_faces"]', 8),
]
_MIB = 1024 * 1024
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PSS = re.compile(r"^ooblexd_worker_resident_bytes\{.*\} (\S+)$", re.MULTILINE)


class Result(NamedTuple):
    """Of one case; ages in ms of one viewer, the rest of the whole daemon."""

    effects: str
    viewers: int
    age_p50_ms: float
    age_p99_ms: float
    age_worst_ms: float
    fps: float
    cpu_percent: float
    memory_mib: float
    ages_ms: list[float]


def measure(effects: str, chain: str, viewers: int, seconds: float) -> Result:
    """Watch a daemon of its own for that long, once it is warm."""
    toml = f'[streams.demo]\nsource = "demo:"\neffects = {chain}\n'
    with (
        tempfile.TemporaryDirectory() as folder,
        Appliance(Path(folder), toml) as appliance,
        _probe(appliance.port, viewers, seconds) as probe,
    ):
        assert probe.stderr is not None
        assert probe.stdout is not None
        assert probe.stderr.readline() == "begin\n", probe.stderr.read()
        before_s = cpu_s(appliance.process.pid)
        assert probe.stderr.readline() == "end\n"
        cpu_percent = 100 * (cpu_s(appliance.process.pid) - before_s) / seconds
        memory_mib = memory_bytes(appliance) / _MIB
        seen = json.loads(probe.stdout.read())
    ages_ms = sorted(seen["ages_ms"])
    return Result(
        effects,
        viewers,
        age_p50_ms=median(ages_ms),
        age_p99_ms=ages_ms[min(int(0.99 * len(ages_ms)), len(ages_ms) - 1)],
        age_worst_ms=ages_ms[-1],
        fps=seen["fps"],
        cpu_percent=cpu_percent,
        memory_mib=memory_mib,
        ages_ms=ages_ms,
    )


def _probe(port: int, viewers: int, seconds: float) -> subprocess.Popen[str]:
    arguments = [str(port), "demo", str(viewers), str(seconds)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.mjpeg_probe", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def cpu_s(supervisor: int) -> float:
    """Return the processor time of the daemon's processes so far."""
    ticks = 0
    for pid in [supervisor, *children_of(supervisor)]:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS_PER_S


def children_of(pid: int) -> list[int]:
    """Return the processes that ``pid`` has forked."""
    words = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(word) for word in words]


def memory_bytes(appliance: Appliance) -> int:
    """Return the proportional set size of the daemon, as its workers count it."""
    workers = sum(
        float(found)
        for found in _PSS.findall(appliance.request("GET", "/metrics").text)
    )
    rollup = Path(f"/proc/{appliance.process.pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    assert found is not None
    return int(workers) + int(found[1]) * 1024


def run(seconds: float = 15.0) -> list[Result]:
    """Measure every case."""
    return [measure(*case, seconds) for case in CASES]


def test_the_age_of_a_picture_at_its_viewer_can_be_measured() -> None:
    result = measure("blur_faces", '["blur_faces"]', viewers=2, seconds=1)

    assert 0 < result.age_p50_ms <= result.age_worst_ms
    assert result.fps > 0
    assert result.cpu_percent > 0
    assert result.memory_mib > 0
