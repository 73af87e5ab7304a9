"""The effects that analyse nothing: blur, grayscale, edges, overlay, privacy_zone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ooblexd.detection import Detection, Label
from ooblexd.effects.overlay import drawable
from ooblexd.effects.privacy_zone import PrivacyZone
from ooblexd.pixels import Planes, new_planes
from tests.support.clips import clip, copied
from tests.support.contracts import EffectContract, at_frame
from tests.support.effects import built

if TYPE_CHECKING:
    from ooblexd.effects import Effect
    from ooblexd.pixels import Plane

TRIANGLE = [[0.25, 0.25], [0.75, 0.25], [0.5, 0.9]]
SAID: dict[str, dict[str, Any]] = {
    "blur": {},
    "grayscale": {},
    "edges": {},
    "overlay": {"text": "{name} {time} {fps}\nfree text"},
    "privacy_zone": {"polygons": [TRIANGLE]},
}


@pytest.fixture
def street() -> Planes:
    return copied(clip("pedestrians.mp4")[40])


def flat(luma: int, width: int = 320, height: int = 180) -> Planes:
    planes = new_planes(width, height)
    for plane, value in zip(planes, (luma, 90, 160), strict=True):
        plane.fill(value)
    return planes


def detail(plane: Plane) -> float:
    return float(np.abs(cv2.Laplacian(plane, cv2.CV_32F)).mean())


@pytest.mark.parametrize("name", SAID)
def test_is_warm_at_once(street: Planes, name: str) -> None:
    assert built(name, **SAID[name]).apply(street, at_frame(0))


class TestBlur(EffectContract):
    @pytest.fixture
    def effect(self) -> Effect:
        return built("blur")


class TestGrayscale(EffectContract):
    @pytest.fixture
    def effect(self) -> Effect:
        return built("grayscale")


class TestEdges(EffectContract):
    @pytest.fixture
    def effect(self) -> Effect:
        return built("edges")


class TestOverlay(EffectContract):
    @pytest.fixture
    def effect(self) -> Effect:
        return built("overlay", **SAID["overlay"])


class TestPrivacyZone(EffectContract):
    @pytest.fixture(params=["fill", "blur"])
    def effect(self, request: pytest.FixtureRequest) -> Effect:
        return built("privacy_zone", polygons=[TRIANGLE], cover=request.param)


def test_blur_takes_more_detail_the_stronger_it_is(street: Planes) -> None:
    left = []
    for strength in (0.0, 0.5, 1.0):
        planes = copied(street)
        built("blur", strength=strength).apply(planes, at_frame(0))
        left.append(detail(planes.y))

    assert left[0] < 0.3 * detail(street.y)
    assert left == sorted(left, reverse=True)


def test_blur_keeps_the_colours(street: Planes) -> None:
    planes = copied(street)
    built("blur", strength=1.0).apply(planes, at_frame(0))

    for before, after in zip(street, planes, strict=True):
        assert abs(float(before.mean()) - float(after.mean())) < 2


def test_grayscale_leaves_luma_alone(street: Planes) -> None:
    planes = copied(street)
    built("grayscale").apply(planes, at_frame(0))

    assert np.array_equal(planes.y, street.y)
    assert np.all(planes.u == 128)
    assert np.all(planes.v == 128)


@pytest.mark.parametrize(("ground", "level"), [("black", 16), ("white", 235)])
def test_edges_are_two_levels_of_luma(street: Planes, ground: str, level: int) -> None:
    built("edges", ground=ground).apply(street, at_frame(0))

    assert set(np.unique(street.y)) == {16, 235}
    assert np.median(street.y) == level
    assert np.all(street.u == 128)


def test_a_higher_threshold_draws_fewer_edges(street: Planes) -> None:
    drawn = []
    for threshold in (0.0, 0.5, 1.0):
        planes = copied(street)
        built("edges", threshold=threshold).apply(planes, at_frame(0))
        drawn.append(int(np.count_nonzero(planes.y == 235)))

    assert drawn == sorted(drawn, reverse=True)
    assert drawn[0] > drawn[-1]


@pytest.mark.parametrize("luma", [16, 128, 235, 255])
def test_overlay_can_be_read_on_any_ground(luma: int) -> None:
    planes = flat(luma)
    built("overlay", size=0.1).apply(planes, at_frame(0))

    label = planes.y[9:25, 9:200]
    assert label.max() >= 230
    assert np.median(label) <= 90


@pytest.mark.parametrize("across", ["left", "right"])
@pytest.mark.parametrize("down", ["top", "bottom"])
def test_overlay_stands_where_it_was_told(across: str, down: str) -> None:
    planes = flat(200)
    built("overlay", position=f"{down}_{across}").apply(planes, at_frame(0))

    rows, columns = np.nonzero(planes.y != 200)
    assert (rows.mean() < 90) == (down == "top")
    assert (columns.mean() < 160) == (across == "left")
    assert rows.min() > 0
    assert rows.max() < 179


def test_overlay_that_is_too_long_becomes_smaller_instead_of_being_cut() -> None:
    planes = flat(200)
    built("overlay", text="W" * 200, size=0.2).apply(planes, at_frame(0))

    _, columns = np.nonzero(planes.y != 200)
    assert columns.max() < 319
    assert np.all(planes.y[90:] == 200)


def test_overlay_says_the_rate_of_the_frames() -> None:
    once, twice = flat(50), flat(50)
    effect = built("overlay", text="{fps}", size=0.2)
    for sequence in range(30):
        once, twice = flat(50), flat(50)
        effect.apply(once, at_frame(sequence, fps=10))
    built("overlay", text="10.0 fps", size=0.2).apply(twice, at_frame(0))

    assert np.array_equal(once.y, twice.y)


def test_overlay_of_what_does_not_change_is_drawn_once() -> None:
    effect = built("overlay", text="{name}")
    first, second = flat(50), flat(50)
    effect.apply(first, at_frame(0))
    label = effect._label  # type: ignore[attr-defined] # what it keeps
    effect.apply(second, at_frame(1))

    assert effect._label is label  # type: ignore[attr-defined] # likewise
    assert np.array_equal(first.y, second.y)


def test_overlay_draws_what_the_font_has() -> None:
    major = int(cv2.__version__.split(".")[0])

    assert drawable("Tür 1") == ("Tür 1" if major >= 5 else "Tur 1")
    assert drawable("дом") == ("дом" if major >= 5 else "???")


@given(
    points=st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=3, unique=True
    ),
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
)
@example(points=[(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)], size=(5, 2))
@settings(max_examples=60)
def test_a_zone_covers_every_pixel_that_it_touches(
    points: list[tuple[float, float]], size: tuple[int, int]
) -> None:
    width, height = size
    planes = new_planes(width, height)
    for plane in planes:
        plane.fill(10)

    PrivacyZone([[list(point) for point in points]], "fill").apply(planes, at_frame(0))

    for x, y in _samples(points):
        row, column = int(min(y, 0.999) * height), int(min(x, 0.999) * width)
        assert planes.y[row, column] == 60
        assert planes.u[row // 2, column // 2] == 128


def _samples(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return places within a triangle, its corners and edges too."""
    shares = [(i / 6, j / 6) for i in range(7) for j in range(7 - i)]
    a, b, c = points
    return [
        tuple(p * u + q * v + r * (1 - u - v) for p, q, r in zip(a, b, c, strict=True))  # type: ignore[misc] # x and y
        for u, v in shares
    ]


def test_a_zone_leaves_the_rest_alone(street: Planes) -> None:
    planes = copied(street)
    built("privacy_zone", polygons=[[[0, 0], [0.5, 0], [0.5, 0.5], [0, 0.5]]]).apply(
        planes, at_frame(0)
    )
    height, width = planes.y.shape

    assert np.all(planes.y[: height // 2, : width // 2] == 60)
    assert np.array_equal(planes.y[height // 2 + 3 :], street.y[height // 2 + 3 :])
    assert np.array_equal(planes.y[:, width // 2 + 3 :], street.y[:, width // 2 + 3 :])


@given(
    points=st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=3, unique=True
    ),
    place=st.tuples(*[st.floats(0, 0.9)] * 2),
    edge=st.floats(0, 0.1),
)
@settings(max_examples=60)
def test_of_what_a_zone_covers_nothing_is_told(
    points: list[tuple[float, float]], place: tuple[float, float], edge: float
) -> None:
    planes = new_planes(96, 54)
    for plane in planes:
        plane.fill(10)
    effect = PrivacyZone([[list(point) for point in points]], "fill")
    effect.apply(planes, at_frame(0))

    one = Detection(Label.FACE, 0.9, *place, edge, edge)

    left, top = int(place[0] * 96), int(place[1] * 54)
    right = max(math.ceil((place[0] + edge) * 96), left + 1)
    bottom = max(math.ceil((place[1] + edge) * 54), top + 1)
    is_covered = bool((planes.y[top:bottom, left:right] == 60).any())
    assert effect.tell((one,)) == (() if is_covered else (one,))
    assert effect.tell(None) is None


def test_a_blurred_zone_keeps_no_more_than_a_few_means(street: Planes) -> None:
    square = [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]
    planes = copied(street)
    built("privacy_zone", polygons=[square], cover="blur").apply(planes, at_frame(0))
    height, width = planes.y.shape
    part = (slice(height // 4 + 3, height * 3 // 4 - 3),
            slice(width // 4 + 3, width * 3 // 4 - 3))  # fmt: skip

    assert detail(np.ascontiguousarray(planes.y[part])) < 0.1 * detail(
        np.ascontiguousarray(street.y[part])
    )


def test_zones_that_overlap_cover_both(street: Planes) -> None:
    left = [[0, 0], [0.6, 0], [0.6, 1], [0, 1]]
    right = [[0.4, 0], [1, 0], [1, 1], [0.4, 1]]
    built("privacy_zone", polygons=[left, right]).apply(street, at_frame(0))

    assert np.all(street.y == 60)
    assert np.all(street.u == 128)
