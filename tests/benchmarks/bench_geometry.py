"""How long does it take to turn, mirror or cut a 1280x720 picture into its slot?

Setup: a picture of noise as a decoder holds it (lines padded to 1344 bytes), written
into planes that lie one behind the other, as in a slot; one thread.

Formula: median of the wall time of one picture, in ms; p99 and the worst beside it.

Left out: decoding, and whatever else shares the cores.
"""

from __future__ import annotations

import statistics
import time
from typing import NamedTuple

import cv2
import numpy as np

from ooblexd.pixels import Planes, new_planes
from ooblexd.plan import CropPlan, StreamPlan
from ooblexd.stages.geometry import geometry_of

WIDTH, HEIGHT, LINE = 1280, 720, 1344
_DEMO = ("demo", "demo:")
PLANS = {
    "as it is": StreamPlan(*_DEMO),
    "flip horizontal": StreamPlan(*_DEMO, flip="horizontal"),
    "flip vertical": StreamPlan(*_DEMO, flip="vertical"),
    "rotate 90": StreamPlan(*_DEMO, rotate=90),
    "rotate 180": StreamPlan(*_DEMO, rotate=180),
    "rotate 90, flip horizontal": StreamPlan(*_DEMO, rotate=90, flip="horizontal"),
    "crop to a quarter": StreamPlan(*_DEMO, crop=CropPlan(0.25, 0.25, 0.5, 0.5)),
}


class Timing(NamedTuple):
    """Of one geometry, in microseconds a picture."""

    name: str
    median_us: float
    p99_us: float
    worst_us: float


def run(pictures: int = 300) -> list[Timing]:
    """Measure every geometry."""
    cv2.setNumThreads(1)
    noise = np.random.default_rng(1)
    picture = Planes(
        noise.integers(0, 256, (HEIGHT, LINE), np.uint8)[:, :WIDTH],
        noise.integers(0, 256, (HEIGHT // 2, LINE // 2), np.uint8)[:, : WIDTH // 2],
        noise.integers(0, 256, (HEIGHT // 2, LINE // 2), np.uint8)[:, : WIDTH // 2],
    )
    return [measure(name, plan, picture, pictures) for name, plan in PLANS.items()]


def measure(name: str, plan: StreamPlan, picture: Planes, count: int) -> Timing:
    """Return how long ``picture`` takes by ``plan``."""
    geometry = geometry_of(plan)
    slot = new_planes(*geometry.size_of(WIDTH, HEIGHT))
    took_us = []
    for _ in range(count):
        start_ns = time.perf_counter_ns()
        geometry.place(picture, slot)
        took_us.append((time.perf_counter_ns() - start_ns) / 1e3)
    took_us.sort()
    p99_us = took_us[min(len(took_us) - 1, int(len(took_us) * 0.99))]
    return Timing(name, statistics.median(took_us), p99_us, took_us[-1])


def test_every_geometry_can_be_measured() -> None:
    timings = run(pictures=3)

    assert [timing.name for timing in timings] == list(PLANS)
    assert all(timing.median_us > 0 for timing in timings)
