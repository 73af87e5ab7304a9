"""How old is a picture when a viewer of the running daemon has it?

Setup: the daemon as its user has it, one stream of 1280x720 at 30 frames a second, its
chain empty or `blur_faces` on every frame; 1 or 8 viewers of its MJPEG on loopback, all
in one process that only takes bytes off sockets. The pictures come from the demo, which
writes the time of capture into its pixels; from a camera by HTTP (JPEG) or by RTSP over
TCP (H.264 of 3 Mb/s, GStreamer's server), which numbers its pictures and says when it
hands each to the network; or from a bare reader, which is what a source of ours alone
takes for the same camera, without daemon, rings, encoder and viewer. At last four
streams at once, each with a viewer, of which the first is measured.

Formula: age is the unix time at which the last byte of a picture had arrived, less that
of its capture or its sending; median, p99 and the worst of every second picture of one
viewer. Frames a second are those of the viewer that got the fewest. CPU is user and
system time of all processes of the daemon, 100 % is one core. Memory is the
proportional set size of all of them, what they share counted once.

Left out: a real network, decoding and drawing at the viewer, what a camera needs to
film and encode. Cameras and viewers share the cores with the daemon.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import httpx

from ooblexd.pixels import new_planes
from ooblexd.sources import open_source
from ooblexd.sources.pixelclock import read_stamp
from tests.support.appliance import Appliance
from tests.support.numbered import NumberedCamera, make_units, numbered_camera
from tests.support.processes import eventually
from tests.support.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


class Case(NamedTuple):
    """What is measured: a source, the chain, and who looks."""

    source: str  # demo, or the kind of a numbered camera's units
    effects: str
    viewers: int
    streams: int = 1


CASES = [
    Case("demo", "none", 1),
    Case("demo", "none", 8),
    Case("demo", "blur_faces", 1),
    Case("demo", "blur_faces", 8),
    Case("jpg", "none", 1),
    Case("jpg", "none", 8),
    Case("264", "none", 1),
    Case("264", "none", 8),
    Case("264", "blur_faces", 1),
    Case("demo", "none", 1, streams=4),
]
SOURCES = {"demo": "demo", "jpg": "HTTP, MJPEG", "264": "RTSP, H.264"}
_SIZE, _UNITS = (1280, 720), 300
_SETTLING = 10  # pictures
_MIB = 1024 * 1024
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PSS = re.compile(r"^ooblexd_worker_resident_bytes\{.*\} (\S+)$", re.MULTILINE)


class Result(NamedTuple):
    """Of one case; ages in ms of one viewer, the rest of the whole daemon."""

    source: str
    effects: str
    streams: int
    viewers: int
    age_p50_ms: float
    age_p99_ms: float
    age_worst_ms: float
    fps: float
    cpu_percent: float
    memory_mib: float
    ages_ms: list[float]


def measure(case: Case, units: Path, seconds: float) -> Result:
    """Watch a daemon of its own for that long, once it is warm.

    Args:
        case: What is measured.
        units: A folder with a folder of units for each kind of camera.
        seconds: How long.
    """
    with contextlib.ExitStack() as stack:
        camera, url = None, "demo:"
        if case.source != "demo":
            camera = stack.enter_context(numbered_camera(units / case.source))
            url = camera.url
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        chain = "[]" if case.effects == "none" else f'["{case.effects}"]'
        toml = "".join(
            f'[streams.s{n}]\nsource = "{url}"\neffects = {chain}\n'
            for n in range(case.streams)
        )
        appliance = stack.enter_context(Appliance(folder, toml))
        probes = [
            stack.enter_context(_probe(appliance.port, f"s{n}", case.viewers, seconds))
            for n in range(case.streams)
        ]
        cpu_percent = _cpu_percent(appliance, probes, seconds)
        memory_mib = memory_bytes(appliance) / _MIB
        answers = [json.loads(_output_of(probe)) for probe in probes]
        ages_ms = _ages_ms(answers[0]["seen"], camera)
    fps = min(min(answer["fps"]) for answer in answers)
    return _result(case, SOURCES[case.source], ages_ms, fps, cpu_percent, memory_mib)


def measure_bare(kind: str, units: Path, seconds: float) -> Result:
    """Read a camera with the source alone, in this process."""
    seen: list[tuple[int, int]] = []
    with numbered_camera(units / kind) as camera:
        source = open_source(camera.url)
        first = source.read()
        planes = new_planes(first.width, first.height)
        start_s, start_cpu_s = time.monotonic(), time.process_time()
        while time.monotonic() - start_s < seconds:
            picture = source.read()
            at_us = time.time_ns() // 1000
            picture.copy_to(planes)
            if (mark := read_stamp(planes.y)) is not None:
                seen.append((mark.sequence, at_us))
        cpu_percent = 100 * (time.process_time() - start_cpu_s) / seconds
        source.close()
        ages_ms = camera.ages_ms(seen[_SETTLING:])
    name = f"{SOURCES[kind]}, bare reader"
    case = Case(kind, "none", 0)
    return _result(case, name, ages_ms, len(seen) / seconds, cpu_percent, 0.0)


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


def run(seconds: float = 15.0) -> Iterator[Result]:
    """Measure every case."""
    with tempfile.TemporaryDirectory() as folder:
        units = Path(folder)
        for kind in ("jpg", "264"):
            make_units(units, kind, size=_SIZE, count=_UNITS)
            yield measure_bare(kind, units, seconds)
        for case in CASES:
            yield measure(case, units, seconds)


def _result(  # noqa: PLR0913, PLR0917 # the columns of a table
    case: Case,
    source: str,
    ages_ms: list[float],
    fps: float,
    cpu_percent: float,
    memory_mib: float,
) -> Result:
    ages_ms = sorted(ages_ms)
    return Result(
        source,
        case.effects,
        case.streams,
        case.viewers,
        age_p50_ms=median(ages_ms),
        age_p99_ms=ages_ms[min(int(0.99 * len(ages_ms)), len(ages_ms) - 1)],
        age_worst_ms=ages_ms[-1],
        fps=fps,
        cpu_percent=cpu_percent,
        memory_mib=memory_mib,
        ages_ms=ages_ms,
    )


def _ages_ms(
    seen: list[tuple[int, int, int]], camera: NumberedCamera | None
) -> list[float]:
    if camera is not None:
        return camera.ages_ms((sequence, at_us) for sequence, _, at_us in seen)
    return [(at_us - captured_us) / 1000 for _, captured_us, at_us in seen]


def _probe(
    port: int, stream: str, viewers: int, seconds: float
) -> subprocess.Popen[str]:
    arguments = [str(port), stream, str(viewers), str(seconds)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.mjpeg_probe", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _cpu_percent(
    appliance: Appliance, probes: list[subprocess.Popen[str]], seconds: float
) -> float:
    """Return the share of a core between the words of the last probe."""
    for probe in probes:
        _expect(probe, "begin\n")
    before_s = cpu_s(appliance.process.pid)
    for probe in probes:
        _expect(probe, "end\n")
    return 100 * (cpu_s(appliance.process.pid) - before_s) / seconds


def _expect(probe: subprocess.Popen[str], word: str) -> None:
    assert probe.stderr is not None
    said = probe.stderr.readline()
    assert said == word, said + probe.stderr.read()


def _output_of(probe: subprocess.Popen[str]) -> str:
    assert probe.stdout is not None
    return probe.stdout.read()


def test_the_age_of_a_picture_at_its_viewer_can_be_measured() -> None:
    result = measure(Case("demo", "blur_faces", 2), Path(), seconds=1)

    assert 0 < result.age_p50_ms <= result.age_worst_ms
    assert result.fps > 0
    assert result.cpu_percent > 0
    assert result.memory_mib > 0


def test_a_camera_that_numbers_its_pictures_can_be_measured(tmp_path: Path) -> None:
    make_units(tmp_path, "jpg", size=(640, 360), count=60)

    bare = measure_bare("jpg", tmp_path, seconds=1)
    watched = measure(Case("jpg", "none", 1), tmp_path, seconds=1)

    assert 0 < bare.age_p50_ms < watched.age_worst_ms


def test_each_loop_of_a_camera_is_told_from_the_one_before() -> None:
    camera = NumberedCamera("", units=2, fps=2)
    camera.sent_us[0] += [0, 1_000_700]  # the second time 0.7 ms late
    camera.sent_us[1] += [500_000, 1_500_000]

    seen = [(0, 300), (1, 500_400), (0, 1_000_800), (1, 1_500_000)]

    assert camera.ages_ms(seen) == [0.3, 0.4, 0.1, 0]


def test_a_camera_whose_reader_leaves_says_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    units = make_units(tmp_path, "jpg", size=(640, 360), count=1)

    counts = [0]
    with numbered_camera(units, fps=1000) as camera:
        with httpx.stream("GET", camera.url) as reply:
            assert next(reply.iter_raw())

        def has_noticed() -> bool:
            counts.append(len(camera.sent_us[0]))
            return counts[-1] == counts[-2]

        eventually(has_noticed)

    assert not capfd.readouterr().err
