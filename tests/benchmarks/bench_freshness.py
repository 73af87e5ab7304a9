"""How old do pictures grow where an effect takes ten times as long as it may?

Setup: the daemon as its user has it, one camera by HTTP of 1280x720 at 30 frames a
second, one viewer, and an effect that takes 300 ms a frame, so that nine frames of ten
must be dropped, for ten minutes. At the end the camera is switched off.

Formula: a frame's age at pick-up is measured by the effect itself, when it is called;
at the viewer it is what the daemon says as it hands the picture to the socket. Median,
p99 and the worst of each, a row a minute: what queued would grow from row to row. The
bound at the viewer is the one that the design promises: the times of all stages, and at
each hand-off one period of the stage before (one of the camera's, two of the effect's).
``unaccounted`` is what came in, less what went out, was dropped or failed, over the
stages, when all has come to rest; any frame that nobody counted would show there.

Left out: a real network; several viewers, for which see the benchmark ``end_to_end``.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from ooblexd.clock import NS_PER_MS
from tests.support.appliance import Appliance
from tests.support.numbered import make_units, numbered_camera
from tests.support.packages import install
from tests.support.processes import eventually
from tests.support.viewer import MjpegViewer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.viewer import Part

_FPS, _UNITS = 30, 300
_EFFECT_MS, _PERIOD_MS = 300.0, 1000 / _FPS
_OTHER_STAGES_MS = 20.0  # decoding, copies, encoding
_BOUND_MS = _OTHER_STAGES_MS + _PERIOD_MS + 3 * _EFFECT_MS
_AT_REST_S = 1.5
_COUNTED = re.compile(
    r"^ooblexd_frames(?:_(received|dropped|failed))?_total"
    r'\{.*stage="(\w+)".*\} (\S+)$',
    re.MULTILINE,
)


class Result(NamedTuple):
    """Of one minute, or of all; ages in ms."""

    minute: str
    frames: int
    pick_up_p50_ms: float
    pick_up_p99_ms: float
    pick_up_worst_ms: float
    viewer_p50_ms: float
    viewer_p99_ms: float
    viewer_worst_ms: float
    bound_ms: float
    unaccounted: int | None
    ages_ms: list[float]


class Ages(NamedTuple):
    """Of the frames of some time, in ms."""

    at_pick_up: list[float]
    at_viewer: list[float]


def run(
    minutes: int = 10, seconds: float = 60.0, size: tuple[int, int] = (1280, 720)
) -> Iterator[Result]:
    """Measure so many minutes, of so many seconds each; a row each, and one of all."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        environment = install("trouble", folder / "site")
        units = make_units(folder, "jpg", size=size, count=_UNITS)
        camera_is_on = stack.enter_context(contextlib.ExitStack())
        camera = camera_is_on.enter_context(numbered_camera(units, _FPS))
        notes = folder / "notes"
        appliance = stack.enter_context(
            Appliance(folder, _toml(camera.url, notes), environment)
        )
        viewer = stack.enter_context(
            MjpegViewer(appliance.port, "door", keeps_jpeg=False)
        )
        eventually(lambda: viewer.pictures().count("live") > 10)
        done = [len(_picked_up(notes)), len(viewer.parts)]
        everything = Ages([], [])
        for minute in range(minutes):
            end_s = time.monotonic() + seconds
            eventually(lambda: time.monotonic() > end_s, seconds + 5)  # noqa: B023 # called here
            ages = _ages(_picked_up(notes)[done[0] :], viewer.parts[done[1] :])
            done = [len(_picked_up(notes)), len(viewer.parts)]
            yield _result(str(minute + 1), ages)
            everything.at_pick_up.extend(ages.at_pick_up)
            everything.at_viewer.extend(ages.at_viewer)
        camera_is_on.close()
        yield _result("all", everything, _unaccounted(appliance))


def _toml(url: str, notes: Path) -> str:
    effect = f'effect = "trouble", how = "slow", whitens = false, notes = "{notes}"'
    return f'[streams.door]\nsource = "{url}"\neffects = [{{ {effect} }}]\n'


def _picked_up(notes: Path) -> list[float]:
    return [int(line) / NS_PER_MS for line in notes.read_text().splitlines()]


def _ages(picked_up: list[float], parts: list[Part]) -> Ages:
    live = [part.age_ms for part in parts if part.picture == "live"]
    return Ages(picked_up, [age_ms for age_ms in live if age_ms is not None])


def _result(minute: str, ages: Ages, unaccounted: int | None = None) -> Result:
    at_pick_up, at_viewer = map(sorted, ages)
    return Result(
        minute,
        len(at_viewer),
        *(median(at_pick_up), _p99(at_pick_up), at_pick_up[-1]),
        *(median(at_viewer), _p99(at_viewer), at_viewer[-1]),
        _BOUND_MS,
        unaccounted,
        ages.at_viewer,
    )


def _p99(ordered: list[float]) -> float:
    return ordered[min(int(0.99 * len(ordered)), len(ordered) - 1)]


def _unaccounted(appliance: Appliance) -> int:
    """Return how many frames nobody counted, once nothing moves any more."""
    counts, since_s = Counter[str](), time.monotonic()

    def is_at_rest() -> bool:
        nonlocal counts, since_s
        now = _counts(appliance)
        if now != counts:
            counts, since_s = now, time.monotonic()
        return time.monotonic() - since_s > _AT_REST_S

    eventually(is_at_rest)
    return counts["received"] - counts["dropped"] - counts["failed"] - counts[""]


def _counts(appliance: Appliance) -> Counter[str]:
    """Return how many frames were received, dropped, failed, and sent on (``""``)."""
    counts = Counter[str]()
    text = appliance.request("GET", "/metrics").text
    for what, _, count in _COUNTED.findall(text):
        counts[what] += int(float(count))
    return counts


def test_freshness_under_overload_can_be_measured() -> None:
    (minute, everything) = run(minutes=1, seconds=3, size=(640, 360))

    assert minute.frames > 5
    assert minute.pick_up_p50_ms > 0
    assert minute.viewer_p50_ms > minute.pick_up_p50_ms + 300
    assert everything.unaccounted == 0
