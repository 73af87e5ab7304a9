"""How long does an effect take for a 1280x720 frame?

Setup: the portrait of `tests/data` enlarged to 1280x720, I420 in private memory, one
stream, engines with one thread, OpenCV with one. After a warm-up each effect is applied
to the same frames, copied anew each time (the copy is not measured). The plain loop is
the same networks on the same views, second looks at the same places and covers of the
same areas, which the effect had chosen before, called one after another without effect,
tracks or analysis between: what an effect adds is the difference. Loop and effect take
turns, frame by frame.

Formula: median of the wall time of one call, in ms; p99 and the worst beside it; and
the median, over the frames, of how much longer the effect took than its plain loop. In
``tracked`` mode that is the call alone: the analysis runs beside it, on a core of its
own if there is one. Frames follow one another without a pause.

Left out: decoding, the copy into the ring, and whatever else shares the cores.
"""

from __future__ import annotations

import statistics
import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import cv2
import pytest

from ooblexd.clock import NS_PER_MS, NS_PER_S, monotonic_ns
from ooblexd.effects import EffectContext, build_effect
from ooblexd.effects.face_finder import FaceFinder
from ooblexd.effects.faces import Faces
from ooblexd.effects.obscure import blur, pixelate
from ooblexd.effects.second_look import SecondLook
from ooblexd.engines import Engines
from ooblexd.frame import FrameHeader
from ooblexd.pixels import copy_planes, new_planes
from tests.support.clips import clip, scaled
from tests.support.effects import effect_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.effects.boxes import Box, Opinion
    from ooblexd.pixels import Planes
    from ooblexd.plan import EffectPlan

WIDTH, HEIGHT = 1280, 720
_LEAST_SCORE = 0.21  # as the effect's default
_PERIOD_NS = NS_PER_S // 30
_WARM_UP = 5  # frames
_OBSCURE = {"blur_faces": blur, "pixelate_faces": pixelate}

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
    over_plain_percent: float | None = None


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
        took_ms.append((time.perf_counter_ns() - start_ns) / NS_PER_MS)
    return _timing(name, took_ms)


class Chosen(NamedTuple):
    """What an effect did to one picture beside looking at all of it.

    Attributes:
        looks: Where it looked again, and whether a short look was enough.
        covers: What it covered, and in how many cells.
    """

    looks: list[tuple[Box, bool]]
    covers: list[tuple[Box, float]]


class PlainLoop:
    """The calls of an effect on faces and nothing else: find, look again, cover.

    Args:
        engines: Of the effect as well.
        plan: Of the effect.
        pictures: In the order in which they will come.
    """

    def __init__(
        self, engines: Engines, plan: EffectPlan, pictures: list[Planes]
    ) -> None:
        self._finder = FaceFinder(engines)
        self._second = SecondLook(engines)
        self._obscure = _OBSCURE[plan.effect]
        self._chosen = _chosen_of(engines, plan, pictures)
        self._frame = 0

    def step(self, planes: Planes) -> None:
        """Do to the next picture what the effect did to it."""
        chosen = self._chosen[self._frame % len(self._chosen)]
        self._finder.find(planes, _LEAST_SCORE)
        for box, is_settled in chosen.looks:
            self._second.opinion(planes, box, is_settled=is_settled)
        for area, cells in chosen.covers:
            self._obscure(planes, area, cells)
        self._frame += 1


def _chosen_of(
    engines: Engines, plan: EffectPlan, pictures: list[Planes]
) -> list[Chosen]:
    """Return what the effect does to each of the pictures."""
    chosen: list[Chosen] = []
    opinion = SecondLook.opinion

    def note(
        second: SecondLook, planes: Planes, box: Box, *, is_settled: bool = False
    ) -> Opinion:
        chosen[-1].looks.append((box, is_settled))
        return opinion(second, planes, box, is_settled=is_settled)

    effect = build_effect(plan, EffectContext(engines, "door"))
    assert isinstance(effect, Faces)
    effect._obscure = lambda _planes, *cover: chosen[-1].covers.append(cover)
    planes = new_planes(WIDTH, HEIGHT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SecondLook, "opinion", note)
        for n, picture in enumerate(pictures):
            chosen.append(Chosen([], []))
            copy_planes(picture, planes)
            effect.apply(planes, FrameHeader(n, WIDTH, HEIGHT, n * _PERIOD_NS))
    effect.close()
    return chosen


def beside_plain(
    engines: Engines, plan: EffectPlan, pictures: list[Planes]
) -> list[Timing]:
    """Measure an effect on faces and its plain loop, in turns."""
    plain = PlainLoop(engines, plan, pictures)
    effect = build_effect(plan, EffectContext(engines, "door"))
    planes = new_planes(WIDTH, HEIGHT)
    took_ms: tuple[list[float], list[float]] = ([], [])
    for n, picture in enumerate(pictures):
        header = FrameHeader(n, WIDTH, HEIGHT, n * _PERIOD_NS)
        turns: tuple[Callable[[], object], ...] = (
            partial(plain.step, planes),
            partial(effect.apply, planes, header),
        )
        for which in (0, 1) if n % 2 else (1, 0):
            copy_planes(picture, planes)
            start_ns = time.perf_counter_ns()
            turns[which]()
            took_ms[which].append((time.perf_counter_ns() - start_ns) / NS_PER_MS)
    effect.close()
    over = statistics.median(
        100 * (ours / its - 1) for its, ours in zip(*took_ms, strict=True)
    )
    return [
        _timing(f"plain loop of {plan.effect}", took_ms[0]),
        _timing(plan.effect, took_ms[1])._replace(over_plain_percent=over),
    ]


def _timing(name: str, took_ms: list[float]) -> Timing:
    took_ms = sorted(took_ms[min(_WARM_UP, len(took_ms) - 1) :])
    p99_ms = took_ms[min(len(took_ms) - 1, int(len(took_ms) * 0.99))]
    return Timing(name, statistics.median(took_ms), p99_ms, took_ms[-1])


def run(frames: int = 120) -> list[Timing]:
    """Measure every effect on ``frames`` frames."""
    cv2.setNumThreads(1)
    engines = Engines()
    source = clip("face.mp4")
    pictures = [scaled(source[n % len(source)], WIDTH, HEIGHT) for n in range(frames)]
    timings = []
    for name in _OBSCURE:
        timings += beside_plain(engines, PLANS[name], pictures)
    for name, plan in PLANS.items():
        if name in _OBSCURE:
            continue
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

    plain = [f"plain loop of {name}" for name in _OBSCURE]
    assert {timing.name for timing in timings} == {*PLANS, *plain}
    assert all(timing.median_ms > 0 for timing in timings)
