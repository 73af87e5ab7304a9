from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from ooblexd.effects.boxes import Box
from ooblexd.effects.obscure import blur, head_of, pixelate
from ooblexd.pixels import Planes, planes_of
from tests.support.clips import copied

if TYPE_CHECKING:
    from collections.abc import Callable

    Obscure = Callable[[Planes, Box, float], None]


BOTH = pytest.mark.parametrize("obscure", [blur, pixelate])
CELLS = 5.0


def noise(width: int, height: int) -> Planes:
    memory = np.random.default_rng(1).integers(0, 256, width * height * 3, np.uint8)
    return copied(planes_of(memory, width, height))


@BOTH
def test_outside_the_cover_not_one_bit_changes(obscure: Obscure) -> None:
    before = noise(321, 241)
    after, head = copied(before), Box(100.3, 60.7, 180.2, 170.9)

    obscure(after, head, CELLS)

    cell = 0 if obscure is blur else 24
    for plane, old, part in zip(after, before, (1, 2, 2), strict=True):
        changed = np.argwhere(plane != old)
        top, left = changed.min(0) * part
        bottom, right = changed.max(0) * part
        assert top >= head.top - cell - 2
        assert left >= head.left - cell - 2
        assert bottom <= head.bottom + cell
        assert right <= head.right + cell


@BOTH
def test_no_detail_of_the_face_survives_up_to_its_corners(obscure: Obscure) -> None:
    before = noise(320, 240)
    after, face = copied(before), Box(120, 80, 200, 160)

    obscure(after, head_of(face, 0.3), CELLS)

    inside = np.s_[80:160, 120:200]
    was, left = before.y[inside].astype(float), after.y[inside].astype(float)
    assert abs(np.corrcoef(was.ravel(), left.ravel())[0, 1]) < 0.15
    assert left.std() < 0.15 * was.std()


@BOTH
def test_what_is_shown_depends_on_nothing_but_the_mean_values(
    obscure: Obscure,
) -> None:
    first = noise(64, 64)
    second = copied(first)
    second.y[...] = second.y.reshape(8, 8, 8, 8)[:, ::-1, :, ::-1].reshape(64, 64)
    head = Box(0, 0, 64, 64)

    obscure(first, head, 8)
    obscure(second, head, 8)

    assert np.array_equal(first.y[16:48, 16:48], second.y[16:48, 16:48])


@BOTH
@pytest.mark.parametrize(
    "head",
    [
        Box(-50, -50, 20, 20),
        Box(90, 70, 400, 300),
        Box(-500, -500, 900, 900),
        Box(10, 10, 10.5, 10.5),
        Box(300, 300, 400, 400),
        Box(-90, -90, -10, -10),
    ],
)
def test_a_face_may_be_partly_or_wholly_outside(obscure: Obscure, head: Box) -> None:
    planes = noise(101, 79)

    obscure(planes, head, CELLS)

    assert planes.y.shape == (79, 101)


@BOTH
@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 2), (3, 5), (1, 40)])
def test_a_picture_may_be_tiny(obscure: Obscure, width: int, height: int) -> None:
    obscure(noise(width, height), Box(-1, -1, width + 1, height + 1), CELLS)


def test_the_mosaic_stands_still_over_a_face_that_hardly_moves() -> None:
    picture = noise(320, 240)
    first, second = copied(picture), copied(picture)

    pixelate(first, Box(100, 80, 190, 170), CELLS)
    pixelate(second, Box(102, 81, 192, 171), CELLS)

    assert np.array_equal(first.y[110:140, 130:160], second.y[110:140, 130:160])
