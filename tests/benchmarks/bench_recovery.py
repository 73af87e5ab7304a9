"""How soon is the picture live after a start, and how little does a switch cost?

Setup: the daemon as its user has it, one demo stream of 1280x720 at 30 frames a second
with `blur_faces` on every frame, one viewer. It is started several times, the first of
which only warms the caches. Then its chain is switched between two effects, both of
which are warm by then, while the viewer looks on: `grayscale` and `edges`; and
`blur_faces` and `pixelate_faces`, which guard the same, so that the old one goes on
until the new one has analysed its five frames.

Formula: the start is from before the process until the last byte of the first live
picture. A switch is the longest time between two live pictures from the request until
30 pictures later, less one period, in frames of 33 ms. Median and worst of each.

Left out: recovery from faults, which the benchmark ``faults`` measures.
"""

from __future__ import annotations

import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from tests.support.appliance import DEMO_TOML, Appliance
from tests.support.processes import eventually
from tests.support.viewer import MjpegViewer

if TYPE_CHECKING:
    from collections.abc import Iterator

TOML = DEMO_TOML.replace("max_fps = 10\n", "")
PAIRS = (("grayscale", "edges"), ("pixelate_faces", "blur_faces"))
_PERIOD_S = 1 / 30
_LOOKED_AT = 30  # live pictures after a switch


class Result(NamedTuple):
    """Of one event, in the unit that it names."""

    event: str
    bar: float
    p50: float
    worst: float
    samples: list[float]


def start_ms() -> float:
    """Start a daemon and return how long its first live picture takes."""
    with tempfile.TemporaryDirectory() as folder:
        begin_s = time.monotonic()
        with Appliance(Path(folder), TOML) as appliance:
            with MjpegViewer(appliance.port, "demo") as viewer:
                eventually(lambda: "live" in viewer.pictures())
            first = viewer.parts[viewer.pictures().index("live")]
    return (first.at_s - begin_s) * 1000


def switches_frames(effects: tuple[str, str], times: int) -> list[float]:
    """Switch between two effects and return how many frames each cost."""
    lost = []
    with (
        tempfile.TemporaryDirectory() as folder,
        Appliance(Path(folder), TOML) as appliance,
        MjpegViewer(appliance.port, "demo", keeps_jpeg=False) as viewer,
    ):
        for n in range(times + 2):
            eventually(lambda: viewer.pictures()[-_LOOKED_AT:].count("live") > 20)
            since = len(viewer.parts) - 1
            path = "/api/v1/streams/demo/effects"
            assert appliance.request("PUT", path, [effects[n % 2]]).status_code == 202
            eventually(
                lambda: viewer.pictures()[since:].count("live") > _LOOKED_AT,  # noqa: B023 # called here
                20,
            )
            at_s = [one.at_s for one in viewer.parts[since:] if one.picture == "live"]
            longest_s = max(after - before for before, after in pairwise(at_s))
            lost.append(max(longest_s / _PERIOD_S - 1, 0.0))
    return lost[2:]  # the first two warm them


def run(times: int = 10) -> Iterator[Result]:
    """Measure both."""
    start_ms()
    starts = [start_ms() for _ in range(times)]
    yield Result("start, ms", 1500, median(starts), max(starts), starts)
    for effects in PAIRS:
        lost = switches_frames(effects, times)
        event = f"{effects[0]} to {effects[1]} and back, frames"
        yield Result(event, 2, median(lost), max(lost), lost)


def test_starts_and_switches_can_be_measured() -> None:
    assert start_ms() > 0
    assert len(switches_frames(PAIRS[0], 1)) == 1
