from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from ooblexd.effects.boxes import Box, Found, Opinion
from ooblexd.effects.second_look import SecondLook
from ooblexd.effects.tracks import Track
from ooblexd.engines import Engines
from ooblexd.sources.demo import DEMO_CLIP
from tests.support.clips import clip, copied, scaled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ooblexd.pixels import Planes

VAN = Box(1126, 88, 1170, 131)  # in frame 70 of the demo
SUIT = Box(-97, 327, 82, 506)  # in frame 50 of the portrait
FACE = Box(223, 59, 340, 176)  # in its first frame


@pytest.fixture(scope="module")
def second() -> Iterator[SecondLook]:
    engines = Engines()
    yield SecondLook(engines)
    engines.close()


@pytest.fixture(scope="module")
def street() -> Planes:
    return clip(str(DEMO_CLIP))[70]


def test_a_van_and_a_suit_are_no_faces(second: SecondLook, street: Planes) -> None:
    assert second.opinion(street, VAN) is Opinion.NO_FACE
    assert second.opinion(clip("face.mp4")[50], SUIT) is Opinion.NO_FACE


@pytest.mark.parametrize("size_px", [30, 45, 117, 300])
@pytest.mark.parametrize("spoilt", ["", "dark", "turned", "half hidden"])
def test_a_face_is_one_at_any_size(
    second: SecondLook, size_px: int, spoilt: str
) -> None:
    factor = size_px / FACE.width
    width, height = (round(edge * factor / 2) * 2 for edge in (640, 480))
    picture = copied(scaled(clip("face.mp4")[0], width, height))
    box = Box(*(edge * factor for edge in FACE))
    if spoilt == "dark":
        picture.y[...] = picture.y // 5
    if spoilt == "turned":
        for plane, part in zip(picture, (1, 2, 2), strict=True):
            middle = box.centre[0] / part, box.centre[1] / part
            turn = cv2.getRotationMatrix2D(middle, 30, 1)
            turned = cv2.warpAffine(plane, turn, plane.shape[::-1])
            plane[...] = np.asarray(turned, np.uint8)
    if spoilt == "half hidden":
        below = int(box.centre[1] + box.height * 0.15)
        picture.y[below : int(box.bottom)] = 90

    assert second.opinion(picture, box) is not Opinion.NO_FACE


def test_only_what_is_doubtful_and_matters_is_looked_at(
    second: SecondLook, street: Planes
) -> None:
    sure, known, tiny, weak = (
        Found(VAN, 0.6),
        Found(VAN.moved(-300, 0), 0.4),
        Found(Box(600, 300, 620, 320), 0.4),
        Found(VAN.moved(-600, 0), 0.25),
    )
    face = Track(known.box, known.box, (0, 0), 0, is_sure=True)

    looked = second.look(street, [sure, known, tiny, weak], [face], 0.3)

    assert [one.opinion for one in looked.found] == [Opinion.UNSURE] * 4
    assert looked.again == {}


def test_what_is_too_much_for_one_picture_stays_covered(
    second: SecondLook, street: Planes
) -> None:
    looked = second.look(street, [Found(VAN, 0.4)] * 5, [], 0.3)

    opinions = [one.opinion for one in looked.found]
    assert opinions == [Opinion.NO_FACE] * 2 + [Opinion.UNSURE] * 3


def test_where_a_doubtful_track_is_missed_is_looked_again(
    second: SecondLook, street: Planes
) -> None:
    doubtful = Track(VAN, VAN, (0, 0), 0)
    sure = Track(VAN.moved(-300, 0), VAN, (0, 0), 0, is_sure=True)

    looked = second.look(street, [], [doubtful, sure], 0.3)

    assert looked.again == {VAN: Opinion.NO_FACE}
