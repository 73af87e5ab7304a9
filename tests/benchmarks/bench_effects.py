"""How long does an effect take for a 1280x720 frame?

Setup: the portrait of `tests/data` enlarged to 1280x720, I420 in private memory, one
stream, engines with one thread, OpenCV with one. After a warm-up each effect is applied
to the same frames, copied anew each time (the copy is not measured). The plain loop is
the same networks on the same views and the same covers, called one after another
without effect, tracks or analysis between: what an effect adds is the difference.

Formula: median of the wall time of one call, in ms; p99 and the worst beside it. In
``tracked`` mode that is the call alone: the analysis runs beside it, on a core of its
own if there is one. Frames follow one another without a pause.

Left out: decoding, the copy into the ring, and whatever else shares the cores.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, NamedTuple

import cv2

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.effects import EffectContext, build_effect
from ooblexd.effects.face_finder import FaceFinder
from ooblexd.effects.obscure import blur, head_of
from ooblexd.engines import Engines
from ooblexd.frame import FrameHeader
from ooblexd.pixels import copy_planes, new_planes
from tests.support.clips import clip, scaled
from tests.support.effects import effect_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.pixels import Planes

WIDTH, HEIGHT = 1280, 720
_LEAST_SCORE, _SURE = 0.21, 0.3  # as the effect's defaults
_MARGIN, _CELLS = 0.4, 4.5

ZONE = [[0.05, 0.5], [0.4, 0.45], [0.45, 0.95], [0.1, 0.98]]
PLANS = {
    "none": effect_plan("none"),
    "blur_faces": effect_plan("blur_faces"),
    "pixelate_faces": effect_plan("pixelate_faces"),
    "blur_faces, tracked": effect_plan("blur_faces", mode="tracked"),
    "blur_faces, high": effect_plan("blur_faces", detail="high"),
    "privacy_zone": effect_plan("privacy_zone", polygons=[ZONE]),
    "privacy_zone, blur": effect_plan("privacy_zone", polygons=[ZONE], cover="blur"),
    "blur": effect_plan("blur"),
    "grayscale": effect_plan("grayscale"),
    "edges": effect_plan("edges"),
    "overlay": effect_plan("overlay"),
    "overlay, two lines": effect_plan(
        "overlay", text="{name} {fps}\n{time}", size=0.06
    ),
}


class Timing(NamedTuple):
    """Of one effect, in ms a frame."""

    name: str
    median_ms: float
    p99_ms: float
    worst_ms: float


def measure(
    name: str, step: Callable[[Planes, int], bool], pictures: list[Planes]
) -> Timing:
    """Return how long ``step`` takes for each of ``pictures``, once it is warm.

    Args:
        name: For the table.
        step: Changes a picture of that capture time, and says whether it may be shown.
        pictures: Not changed.
    """
    planes = new_planes(WIDTH, HEIGHT)
    took_ms = []
    warm_by_ns = monotonic_ns() + 10 * NS_PER_S
    copy_planes(pictures[0], planes)
    while not step(planes, monotonic_ns()) and monotonic_ns() < warm_by_ns:
        copy_planes(pictures[0], planes)
    for picture in pictures:
        copy_planes(picture, planes)
        start_ns = time.perf_counter_ns()
        step(planes, monotonic_ns())
        took_ms.append((time.perf_counter_ns() - start_ns) / 1e6)
    took_ms.sort()
    p99_ms = took_ms[min(len(took_ms) - 1, int(len(took_ms) * 0.99))]
    return Timing(name, statistics.median(took_ms), p99_ms, took_ms[-1])


def plain_loop(engines: Engines) -> Callable[[Planes, int], bool]:
    """Return the calls of ``blur_faces`` and nothing else."""
    finder = FaceFinder(engines)

    def step(planes: Planes, _at_ns: int) -> bool:
        for one in finder.find(planes, _LEAST_SCORE):
            if one.score >= _SURE:
                blur(planes, head_of(one.box, _MARGIN), _CELLS)
        return True

    return step


def run(frames: int = 120) -> list[Timing]:
    """Measure every effect on ``frames`` frames."""
    cv2.setNumThreads(1)
    engines = Engines()
    source = clip("face.mp4")
    pictures = [scaled(source[n % len(source)], WIDTH, HEIGHT) for n in range(frames)]
    timings = [measure("plain loop of blur_faces", plain_loop(engines), pictures)]
    for name, plan in PLANS.items():
        effect = build_effect(plan, EffectContext(engines, "door"))

        def step(planes: Planes, at_ns: int) -> bool:
            header = FrameHeader(0, WIDTH, HEIGHT, at_ns)
            return effect.apply(planes, header)  # noqa: B023 -- used within this turn

        timings.append(measure(name, step, pictures))
        effect.close()
    engines.close()
    return timings


def test_every_effect_can_be_measured() -> None:
    timings = run(frames=3)

    assert [timing.name for timing in timings[1:]] == list(PLANS)
    assert all(timing.median_ms > 0 for timing in timings)
