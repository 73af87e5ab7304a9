"""What does a stream cost that nobody watches, and how soon is its first picture there?

Setup: the daemon as its user has it, one stream of 1280x720 H.264 at 30 frames a second
(the clip of the demo, read as a file, 2.6 Mb/s, a keyframe a second), its chain empty,
`blur_faces` on every frame or `tracked`; and one from an RTSP camera on loopback, at 25
frames a second and with keyframes a second or, the worst case, ten apart. It is left
alone until the chain is idle; then processor time is counted. Then viewers of its MJPEG
come one at a time, each once the chain is idle again, and others ask for a snapshot.

Formula: processor time is user and system time of each process from ``/proc/PID/stat``
over the interval, 100 % is one core; the total is of all of the daemon's. The first
picture is counted from before the connection to the last byte of the first part, or of
the snapshot, that is ``live``; median and worst.

Left out: a real network and a camera's own delay. The viewer and the RTSP camera share
the cores with the daemon.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from ooblexd.sources.demo import DEMO_CLIP
from tests.support.appliance import Appliance
from tests.support.cameras import CLIP_FPS, encode_clip, make_clips, rtsp_camera
from tests.support.measured_process import children_of, cpu_s
from tests.support.processes import eventually
from tests.support.viewer import MjpegViewer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Case(NamedTuple):
    """A stream: where it comes from and what is done to it."""

    source: str  # empty for the demo's clip, else the RTSP camera's seconds a keyframe
    chain: str


CASES = {
    "none": Case("", "[]"),
    "blur_faces": Case("", '["blur_faces"]'),
    "blur_faces, tracked": Case("", '[{ effect = "blur_faces", mode = "tracked" }]'),
    "none, RTSP": Case("1", "[]"),
    "none, RTSP, keyframes 10 s apart": Case("10", "[]"),
}
_WORKED = re.compile(
    r'^ooblexd_frame_age_seconds_count\{stage="inference".*\} (\S+)$', re.MULTILINE
)
_QUIET_S = 1.0


class Result(NamedTuple):
    """Of one chain: processor time in percent of a core, first pictures in ms."""

    stream: str
    cpu: float
    ingest: float
    inference: float
    output: float
    control: float
    supervisor: float
    first_p50_ms: float
    first_worst_ms: float
    snapshot_p50_ms: float
    snapshot_worst_ms: float
    firsts_ms: list[float]
    snapshots_ms: list[float]


def measure(name: str, seconds: float, tries: int) -> Result:
    """Leave a daemon of its own alone, then look at it, again and again."""
    case = CASES[name]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = f"file:{DEMO_CLIP}"
        if case.source:
            make_camera_clip(folder, keyframes_s=int(case.source))
            url = stack.enter_context(rtsp_camera(folder)).url("h264")
        toml = f'[streams.door]\nsource = "{url}"\neffects = {case.chain}\n'
        appliance = stack.enter_context(Appliance(folder, toml))
        await_idle(appliance)
        shares = cpu_shares(appliance.process.pid, seconds)
        firsts_ms = [timed(appliance, first_picture) for _ in range(tries)]
        snapshots_ms = [timed(appliance, live_snapshot) for _ in range(tries)]
    return Result(
        name,
        cpu=sum(shares.values()),
        ingest=shares["ingest:door"],
        inference=shares["inference:0"],
        output=shares["output:door"],
        control=shares["control"],
        supervisor=shares["supervisor"],
        first_p50_ms=median(firsts_ms),
        first_worst_ms=max(firsts_ms),
        snapshot_p50_ms=median(snapshots_ms),
        snapshot_worst_ms=max(snapshots_ms),
        firsts_ms=firsts_ms,
        snapshots_ms=snapshots_ms,
    )


def await_idle(appliance: Appliance) -> None:
    """Return when the chain has worked on no frame for a second."""
    worked, since_s = -1.0, 0.0

    def is_idle() -> bool:
        nonlocal worked, since_s
        now = [float(n) for n in _WORKED.findall(_metrics(appliance))]
        if sum(now) != worked:
            worked, since_s = sum(now), time.monotonic()
        return worked > 0 and time.monotonic() - since_s > _QUIET_S

    eventually(is_idle, 60)


def cpu_shares(supervisor: int, seconds: float) -> dict[str, float]:
    """Return each process's share of a core over ``seconds``, by worker."""
    pids = {name_of(pid): pid for pid in children_of(supervisor)}
    before = {name: cpu_s(pid) for name, pid in pids.items()}
    all_before_s, start_s = cpu_s(supervisor), time.monotonic()
    eventually(lambda: time.monotonic() - start_s > seconds, seconds + 5)
    all_s, elapsed_s = cpu_s(supervisor) - all_before_s, time.monotonic() - start_s
    used = {name: cpu_s(pid) - before[name] for name, pid in pids.items()}
    used["supervisor"] = all_s - sum(used.values())
    return {name: 100 * each_s / elapsed_s for name, each_s in used.items()}


def timed(appliance: Appliance, look: Callable[[Appliance], float]) -> float:
    """Return how long ``look`` takes at an idle stream, in ms."""
    await_idle(appliance)
    start_s = time.monotonic()
    return (look(appliance) - start_s) * 1000


def first_picture(appliance: Appliance) -> float:
    """Watch until the first live picture, and return when its last byte came."""
    with MjpegViewer(appliance.port, "door") as viewer:
        eventually(lambda: "live" in viewer.pictures())
    return viewer.parts[viewer.pictures().index("live")].at_s


def live_snapshot(appliance: Appliance) -> float:
    """Ask for snapshots until one is live, and return when it was there."""

    def is_live() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", appliance.port, timeout=10)
        connection.request("GET", "/streams/door/snapshot.jpg")
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.headers["x-picture"] == "live"

    eventually(is_live)
    return time.monotonic()


def name_of(pid: int) -> str:
    """Return the name of a worker's process."""
    return Path(f"/proc/{pid}/comm").read_text().strip()


def _metrics(appliance: Appliance) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", appliance.port, timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def make_camera_clip(folder: Path, *, keyframes_s: int) -> None:
    """Encode the whole demo as a camera would, 1280x720 at 25 frames a second."""
    make_clips(folder)
    interval = str(keyframes_s * CLIP_FPS)
    encode_clip(
        folder / "clip.264",
        *("-c:v", "libx264", "-preset", "veryfast", "-bf", "0"),
        *("-g", interval, "-keyint_min", interval, "-sc_threshold", "0"),
        seconds=10,
    )


def run(seconds: float = 15.0, tries: int = 8) -> Iterator[Result]:
    """Measure every case."""
    for name in CASES:
        yield measure(name, seconds, tries)


def test_what_nobody_watches_can_be_measured() -> None:
    result = measure("none", seconds=1, tries=1)

    assert result.cpu > 0
    assert result.first_p50_ms > 0
    assert result.snapshot_p50_ms > 0
