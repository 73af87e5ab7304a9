"""Turned, mirrored and cut as people see it, whatever the size, colour in its place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.pixels import Plane, Planes, new_planes
from ooblexd.plan import CropPlan, Flip, StreamPlan
from ooblexd.stages.geometry import geometry_of

ROTATIONS = [0, 90, 180, 270]
FLIPS: list[Flip] = ["none", "horizontal", "vertical", "both"]
SHARES = st.floats(0, 1)


def plan(rotate: int = 0, flip: Flip = "none", *crop: float) -> StreamPlan:
    return StreamPlan(
        "door",
        "demo:",
        rotate=rotate,
        flip=flip,
        crop=CropPlan(*(crop or (0, 0, 1, 1))),
    )


def numbered(width: int, height: int) -> Planes:
    """Return a picture whose samples say where they come from."""
    planes = new_planes(width, height)
    for number, plane in enumerate(planes):
        rows, columns = np.indices(plane.shape)
        plane[:] = (rows * 7 + columns * 3 + number * 50) % 251
    return planes


def placed(picture: Planes, of: StreamPlan) -> Planes:
    geometry = geometry_of(of)
    target = new_planes(*geometry.size_of(picture.width, picture.height))
    geometry.place(picture, target)
    return target


def turned_by_numpy(plane: Plane, rotate: int, flip: Flip) -> Plane:
    plane = np.rot90(plane, -rotate // 90)
    if flip in ("horizontal", "both"):
        plane = plane[:, ::-1]
    return plane[::-1] if flip in ("vertical", "both") else plane


@pytest.mark.parametrize("rotate", ROTATIONS)
@pytest.mark.parametrize("flip", FLIPS)
@pytest.mark.parametrize(("width", "height"), [(64, 36), (2, 2), (16, 2)])
def test_picture_is_turned_clockwise_and_then_mirrored(
    rotate: int, flip: Flip, width: int, height: int
) -> None:
    picture = numbered(width, height)

    found = placed(picture, plan(rotate, flip))

    for source, target in zip(picture, found, strict=True):
        assert np.array_equal(target, turned_by_numpy(source, rotate, flip))


@pytest.mark.parametrize("rotate", ROTATIONS)
@pytest.mark.parametrize("flip", FLIPS)
@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 5), (641, 359), (1, 8)])
def test_odd_size_keeps_every_pixel(
    rotate: int, flip: Flip, width: int, height: int
) -> None:
    picture = numbered(width, height)

    found = placed(picture, plan(rotate, flip))

    assert np.array_equal(found.y, turned_by_numpy(picture.y, rotate, flip))
    is_upright = rotate in (0, 180)
    assert (found.width, found.height) == (
        (width, height) if is_upright else (height, width)
    )


@pytest.mark.parametrize("rotate", ROTATIONS)
@pytest.mark.parametrize("flip", FLIPS)
def test_colour_of_an_odd_size_stays_with_its_pixels(rotate: int, flip: Flip) -> None:
    # Both are the same ramp, so that they show by how much they come apart.
    picture = new_planes(101, 75)
    rows, columns = np.indices((75, 101))
    picture.y[:] = rows + columns
    rows, columns = np.indices((38, 51))
    picture.u[:] = picture.v[:] = np.minimum(2 * rows + 2 * columns + 1, 174)

    found = placed(picture, plan(rotate, flip))

    inner = found.y[2:-2, 2:-2].astype(int)
    colour = found.u.repeat(2, 0).repeat(2, 1)[: found.height, : found.width]
    apart = colour[2:-2, 2:-2].astype(int) - inner
    assert np.abs(apart).max() <= 2
    assert abs(apart.mean()) < 0.2
    assert np.array_equal(found.u, found.v)


@pytest.mark.parametrize("rotate", ROTATIONS)
@pytest.mark.parametrize("flip", FLIPS)
def test_crop_means_the_picture_as_people_see_it(rotate: int, flip: Flip) -> None:
    picture = numbered(160, 120)
    upright = turned_by_numpy(picture.y, rotate, flip)
    height, width = upright.shape

    found = placed(picture, plan(rotate, flip, 0.25, 0.5, 0.5, 0.25))

    left, top = width // 4, height // 2
    expected = upright[top : top + height // 4, left : left + width // 2]
    assert (found.width, found.height) == expected.shape[::-1]
    assert np.array_equal(found.y, expected)
    colour = turned_by_numpy(picture.v, rotate, flip)
    left, top = left // 2, top // 2
    assert np.array_equal(
        found.v, colour[top : top + height // 8, left : left + width // 4]
    )


@given(
    st.sampled_from(ROTATIONS),
    st.sampled_from(FLIPS),
    st.tuples(SHARES, SHARES, SHARES, SHARES),
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
)
def test_nothing_beyond_the_crop_is_ever_kept(
    rotate: int,
    flip: Flip,
    shares: tuple[float, float, float, float],
    size: tuple[int, int],
) -> None:
    left, top = shares[0] * 0.99, shares[1] * 0.99
    crop = (
        left,
        top,
        0.01 + shares[2] * (0.99 - left),
        0.01 + shares[3] * (0.99 - top),
    )
    picture = new_planes(*size)
    for plane in picture:
        plane.fill(128)
    columns, rows = np.arange(size[0]), np.arange(size[1])
    picture.y[:] = 1
    upright = turned_by_numpy(picture.y, rotate, flip)
    height, width = upright.shape
    columns, rows = np.arange(width), np.arange(height)
    inside = np.outer(
        (rows >= crop[1] * height - 0.01)
        & (rows + 1 <= (crop[1] + crop[3]) * height + 0.01),
        (columns >= crop[0] * width - 0.01)
        & (columns + 1 <= (crop[0] + crop[2]) * width + 0.01),
    )
    upright[:] = np.where(inside, 200, 1)  # a view of the picture's own memory

    found = placed(picture, plan(rotate, flip, *crop))

    assert 1 <= found.width <= width
    assert 1 <= found.height <= height
    if found.width > 2 and found.height > 2:  # smaller is no picture, yet must be one
        assert found.y.min() == 200


def test_picture_that_nothing_is_done_to_is_known() -> None:
    assert geometry_of(plan()).changes_nothing
    assert geometry_of(plan(180, "both")).changes_nothing
    assert not geometry_of(plan(180, "horizontal")).changes_nothing
    assert not geometry_of(plan(0, "none", 0, 0, 1, 0.5)).changes_nothing


def test_it_is_read_where_the_decoder_padded_its_lines() -> None:
    wide = numbered(96, 40)
    padded = Planes(wide.y[:, :64], wide.u[:, :32], wide.v[:, :32])

    found = placed(padded, plan(90))

    assert np.array_equal(found.y, np.rot90(padded.y, -1))
