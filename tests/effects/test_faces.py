from __future__ import annotations

from collections import deque
from dataclasses import astuple
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ooblexd.detection import Label
from ooblexd.effects import EffectContext, build_effect
from ooblexd.effects.analysis import EveryFrame
from ooblexd.effects.boxes import Box, Found, Opinion
from ooblexd.effects.face_finder import FaceFinder, squares, whole
from ooblexd.effects.faces import WARM_AFTER, Faces
from ooblexd.effects.second_look import Looked
from ooblexd.engines import Engines
from ooblexd.pixels import Planes, new_planes
from ooblexd.sources.demo import DEMO_CLIP
from tests.support.clips import clip, copied, independent_detector, scaled
from tests.support.contracts import EffectContract, at_frame
from tests.support.effects import effect_plan
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ooblexd.effects import Effect
    from ooblexd.effects.tracks import Track


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    """The engines of one worker."""
    shared = Engines()
    yield shared
    shared.close()


def build(
    engines: Engines, name: str = "blur_faces", mode: str = "every_frame"
) -> Effect:
    return build_effect(effect_plan(name, mode=mode), EffectContext(engines))


class TestBlurFaces(EffectContract):
    @pytest.fixture
    def effect(self, engines: Engines) -> Iterator[Effect]:
        built = build(engines)
        yield built
        built.close()


class TestTrackedPixelateFaces(EffectContract):
    @pytest.fixture
    def effect(self, engines: Engines) -> Iterator[Effect]:
        built = build(engines, "pixelate_faces", "tracked")
        yield built
        built.close()


class TestNone(EffectContract):
    @pytest.fixture
    def effect(self, engines: Engines) -> Effect:
        return build(engines, "none")


def shown(effect: Effect, pictures: list[Planes], fps: float) -> list[Planes]:
    """Return what is left of the pictures that may be shown."""
    left = []
    for sequence, picture in enumerate(pictures):
        planes = copied(picture)
        if effect.apply(planes, at_frame(sequence, fps)):
            left.append(planes)
    return left


@pytest.mark.parametrize("name", ["blur_faces", "pixelate_faces"])
@pytest.mark.timeout(60)  # 150 frames, on a machine that may be busy
def test_another_detector_finds_no_face_in_any_frame(
    engines: Engines, name: str
) -> None:
    detector, pictures = independent_detector(), clip("face.mp4")

    left = shown(build(engines, name), pictures, 25)

    assert len(left) == len(pictures) - (WARM_AFTER - 1)
    around = whole(640, 480)
    before = [detector.find(planes, around, 0.5) for planes in pictures[::10]]
    assert all(before)
    leaks = [n for n, planes in enumerate(left) if detector.find(planes, around, 0.5)]
    assert leaks == []


def test_a_picture_without_faces_is_hardly_touched(engines: Engines) -> None:
    pictures = clip("pedestrians.mp4")[:60]

    left = shown(build(engines), pictures, 10)

    skipped = len(pictures) - len(left)
    shares = [
        float((after.y != before.y).mean())
        for after, before in zip(left, pictures[skipped:], strict=True)
    ]
    assert max(shares) <= 0.1


@pytest.mark.parametrize(("name", "step"), [(str(DEMO_CLIP), 3), ("face.mp4", 2)])
@pytest.mark.timeout(60)
def test_around_the_faces_hardly_a_picture_is_altered(
    engines: Engines, name: str, step: int
) -> None:
    detector, pictures, fps = independent_detector(), clip(name)[::step], 10
    effect, errors = build(engines), []
    held: deque[list[Box]] = deque(maxlen=1 + fps)  # a face that left is held for 1 s
    for sequence, before in enumerate(pictures):
        after = copied(before)
        may_be_shown = effect.apply(after, at_frame(sequence, fps))
        size = before.width, before.height
        views = [whole(*size), *squares(*size)]
        held.append([f.box for view in views for f in detector.find(before, view, 0.3)])
        if may_be_shown:
            outside = np.ones(before.y.shape, bool)
            for left, top, right, bottom in chain.from_iterable(held):
                x, y = (right - left) * 0.75, (bottom - top) * 0.75
                outside[
                    max(0, int(top - y)) : max(0, int(bottom + y)),
                    max(0, int(left - x)) : max(0, int(right + x)),
                ] = False
            error = (before.y.astype("f4") - after.y)[outside]
            errors.append(np.mean(error**2) + 1e-3)

    assert decibels(np.mean(errors)) >= 30  # of the clip
    # What is taken for a face is covered until it was looked at three times.
    assert np.mean(decibels(np.array(errors)) >= 30) >= 0.95
    assert decibels(max(errors)) >= 27


def decibels(squared_error: Any) -> Any:
    """Return the peak signal-to-noise ratio of 8 bits."""
    return 10 * np.log10(255**2 / squared_error)


def test_who_wants_has_all_covered_that_might_be_a_face(engines: Engines) -> None:
    pictures = clip("face.mp4")[::2]  # a suit in it is taken for a face
    altered = []
    for doubtful in ("look_again", "cover"):
        plan = effect_plan("blur_faces", doubtful=doubtful)
        left = shown(build_effect(plan, EffectContext(engines)), pictures, 10)
        pairs = zip(left, pictures[-len(left) :], strict=True)
        altered.append(sum(float((a.y != b.y).mean()) for a, b in pairs))

    assert altered[1] > 1.3 * altered[0]


def test_nothing_is_shown_before_five_frames_are_analysed(engines: Engines) -> None:
    effect, pictures = build(engines), clip("face.mp4")

    may_be_shown = [
        effect.apply(copied(pictures[n]), at_frame(n)) for n in range(WARM_AFTER + 2)
    ]

    assert may_be_shown == [False] * (WARM_AFTER - 1) + [True] * 3


def test_another_size_is_another_scene_and_warms_up_anew(engines: Engines) -> None:
    effect, pictures = build(engines), clip("face.mp4")
    shown(effect, pictures[:6], 25)

    smaller = scaled(pictures[6], 320, 240)

    assert effect.apply(smaller, at_frame(6)) is False


@pytest.mark.parametrize(
    ("weak_from", "is_covered"),
    [(10, True), (14, True), (15, False)],  # the cut is at 10
)
def test_for_five_frames_after_a_cut_a_weak_detection_is_covered(
    *, weak_from: int, is_covered: bool
) -> None:
    street, face = clip("pedestrians.mp4")[0], scaled(clip("face.mp4")[0], 768, 576)
    weak = [Found(Box(100, 100, 160, 160), 0.25)]
    numbers = iter(range(100))

    def analyse(_: Planes, __: Sequence[Track], ___: float) -> Looked:
        return Looked(weak if next(numbers) >= weak_from else [])

    effect = Faces(effect_plan("blur_faces"), EveryFrame, analyse)
    for sequence in range(20):
        picture = street if sequence < 10 else face
        planes = copied(picture)
        effect.apply(planes, at_frame(sequence))

        has_changed = not np.array_equal(planes.y, picture.y)
        assert has_changed == (is_covered and sequence >= weak_from)


def test_a_face_stays_covered_while_the_detector_misses_it(engines: Engines) -> None:
    effect, face = build(engines), clip("face.mp4")[0]
    for sequence in range(6):
        effect.apply(copied(face), at_frame(sequence))
    blank = new_planes(640, 480)
    blank.y[...] = np.random.default_rng(2).integers(90, 150, (480, 640), np.uint8)
    blank.u.fill(128)
    blank.v.fill(128)
    after = copied(blank)

    effect.apply(after, at_frame(12))

    middle = np.s_[70:170, 230:330]  # where the face was
    assert after.y[middle].std() < 0.3 * blank.y[middle].std()


@pytest.mark.parametrize("size_px", [60, 100, 200, 400])
@pytest.mark.parametrize("side", ["left", "middle", "right"])
def test_faces_are_found_at_any_place_of_a_wide_picture(
    engines: Engines, size_px: int, side: str
) -> None:
    face = Box(223, 59, 340, 176)  # in the first frame of the clip
    factor = size_px / face.width
    width, height = (round(edge * factor / 2) * 2 for edge in (640, 480))
    portrait = scaled(clip("face.mp4")[0], width, height)
    scene = copied(scaled(clip("pedestrians.mp4")[0], 1280, 720))
    at_x = {"left": 60, "middle": 640, "right": 1220}[side]
    from_left = round((at_x - face.centre[0] * factor) / 2) * 2
    paste(portrait, scene, max(from_left, -width + 2))
    x, y = from_left + face.centre[0] * factor, face.centre[1] * factor

    found = FaceFinder(engines).find(scene, 0.3)

    assert any(
        abs(one.box.centre[0] - x) < size_px / 3
        and abs(one.box.centre[1] - y) < size_px / 3
        for one in found
    )


def paste(picture: Planes, scene: Planes, left: int) -> None:
    """Lay the picture on the scene, from the top, ``left`` even and perhaps below 0."""
    for source, target, part in zip(picture, scene, (1, 2, 2), strict=True):
        start = left // part
        visible = source[: target.shape[0], max(0, -start) :]
        place = target[: visible.shape[0], max(0, start) :][:, : visible.shape[1]]
        place[...] = visible[:, : place.shape[1]]


def test_tracked_mode_covers_the_face_between_analyses(engines: Engines) -> None:
    effect, face = build(engines, mode="tracked"), clip("face.mp4")[0]
    sequence = iter(range(100_000))

    def is_warm() -> bool:
        return effect.apply(copied(face), at_frame(next(sequence), fps=500))

    eventually(is_warm)
    after = copied(face)
    effect.apply(after, at_frame(next(sequence), fps=500))
    assert isinstance(effect, Faces)
    told = effect.tell(None)
    effect.close()

    assert abs(told[0].x + told[0].width / 2 - 281 / 640) < 0.03
    assert abs(told[0].y + told[0].height / 2 - 117 / 480) < 0.03

    inside = np.s_[70:170, 230:330]
    sharp, soft = (
        np.diff(face.y[inside].astype(int)),
        np.diff(after.y[inside].astype(int)),
    )
    assert np.abs(soft).mean() < 0.4 * np.abs(sharp).mean()


def test_a_face_is_told_of_where_it_is_and_not_where_it_was(engines: Engines) -> None:
    effect, portrait = build(engines), scaled(clip("face.mp4")[0], 320, 240)
    blank = copied(scaled(clip("pedestrians.mp4")[0], 640, 480))
    assert isinstance(effect, Faces)
    told = []
    for sequence, left in enumerate([40, 60, 80, None]):
        scene = copied(blank)
        if left is not None:
            paste(portrait, scene, left)
        effect.apply(scene, at_frame(sequence))
        told.append([one for one in effect.tell(None) if one.height > 0.1])

    for left, found in zip([40, 60, 80], told[:3], strict=True):
        (one,) = found  # it is at 111 to 170, 29 to 88 of the portrait
        assert one.label is Label.FACE
        assert one.score > 0.3
        assert one.x * 640 == pytest.approx(left + 111, abs=15)
        assert one.y * 480 == pytest.approx(29, abs=15)
        assert one.width * 640 == pytest.approx(59, abs=20)
        assert one.height * 480 == pytest.approx(59, abs=20)
    assert told[3] == [], "it is covered for a while, but was not seen"


@pytest.mark.parametrize(
    ("doubtful", "opinions", "is_told"),
    [
        ("look_again", [Opinion.FACE], True),
        ("look_again", [Opinion.UNSURE], False),
        ("look_again", [Opinion.NO_FACE], False),
        ("look_again", [Opinion.UNSURE, Opinion.FACE, Opinion.UNSURE], True),
        ("cover", [Opinion.UNSURE], True),
    ],
)
def test_what_might_be_a_face_is_covered_and_not_told(
    *, doubtful: str, opinions: list[Opinion], is_told: bool
) -> None:
    face, said = Box(100, 100, 160, 160), iter(opinions)

    def analyse(_: Planes, __: Sequence[Track], ___: float) -> Looked:
        return Looked([Found(face, 0.4, next(said))])

    plan = effect_plan("blur_faces", doubtful=doubtful)
    effect, picture = Faces(plan, EveryFrame, analyse), clip("face.mp4")[0]
    for sequence in range(len(opinions)):
        after = copied(picture)
        effect.apply(after, at_frame(sequence))

    assert not np.array_equal(after.y, picture.y)
    assert len(effect.tell(None)) == is_told


@pytest.mark.parametrize(
    ("box", "told"),
    [
        (Box(64, 48, 128, 96), (0.1, 0.1, 0.1, 0.1)),
        (Box(-64, -48, 64, 48), (0, 0, 0.1, 0.1)),
        (Box(576, 432, 800, 600), (0.9, 0.9, 0.1, 0.1)),
        (Box(-64, 0, -2, 48), None),
    ],
)
def test_faces_are_told_of_as_shares_of_the_picture(
    box: Box, told: tuple[float, ...] | None
) -> None:
    def analyse(_: Planes, __: Sequence[Track], ___: float) -> Looked:
        return Looked([Found(box, 0.9)])

    effect = Faces(effect_plan("blur_faces"), EveryFrame, analyse)
    effect.apply(copied(clip("face.mp4")[0]), at_frame(0))
    found = effect.tell(None)

    if told is None:
        assert found == ()
        return
    ((label, score, *place),) = [astuple(one) for one in found]
    assert (label, score) == (Label.FACE, 0.9)
    assert place == pytest.approx(told)


def test_squares_see_all_of_a_picture_whatever_its_shape() -> None:
    for width, height in [(1280, 720), (720, 1280), (1, 1), (641, 359), (4096, 2160)]:
        seen = np.zeros((height, width), bool)
        for left, top, side in squares(width, height):
            seen[max(0, top) : top + side, max(0, left) : left + side] = True
        assert seen.all()


def test_a_wide_picture_costs_two_squares_and_no_picture_more_than_five() -> None:
    assert len(squares(1280, 720)) == 2
    assert len(squares(4096, 2160)) == 2
    assert len(squares(4096, 2)) <= 5
