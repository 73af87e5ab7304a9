"""Samples reach the slot as they were decoded, whatever the format."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from ooblexd.frame import Matrix
from ooblexd.pixels import Planes, new_planes
from ooblexd.sources.picture import DecodedPicture, picture_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZES = [(64, 48), (65, 47), (1, 1), (3, 2), (641, 359)]


def wrap(frame: av.VideoFrame) -> DecodedPicture:
    return picture_of(frame, pts_ns=1, capture_ns=2, decoded_ns=3)


def copied(picture: DecodedPicture) -> Planes:
    planes = new_planes(picture.width, picture.height)
    picture.copy_to(planes)
    return planes


def filled(name: str, width: int, height: int, *levels: int) -> av.VideoFrame:
    """Return a frame whose planes hold one level each, their padding another."""
    frame = av.VideoFrame(width, height, name)
    for plane, level in zip(frame.planes, levels, strict=True):
        lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        lines[:] = 255 - level
        wide = np.uint8 if level < 256 else np.uint16
        lines.view(wide)[: plane.height, : plane.width] = level
    return frame


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("name", ["yuv420p", "yuvj420p"])
def test_padding_of_the_decoder_stays_behind(
    name: str, width: int, height: int
) -> None:
    planes = copied(wrap(filled(name, width, height, 16, 100, 200)))

    assert [set(plane.ravel().tolist()) for plane in planes] == [{16}, {100}, {200}]
    assert planes.u.shape == ((height + 1) // 2, (width + 1) // 2)


@pytest.mark.parametrize("name", ["yuvj422p", "yuvj444p", "yuv422p", "yuv444p"])
@pytest.mark.parametrize(
    ("luma", "u", "v"), [(0, 128, 128), (255, 90, 240), (16, 1, 9)]
)
def test_conversion_to_420_keeps_range_and_levels(
    name: str, luma: int, u: int, v: int
) -> None:
    picture = wrap(filled(name, 64, 48, luma, u, v))

    planes = copied(picture)

    assert picture.full_range == name.startswith("yuvj")
    for plane, level in zip(planes, (luma, u, v), strict=True):
        assert abs(plane.astype(int) - level).max() <= 1


@pytest.mark.parametrize("full_range", [True, False])
def test_said_range_is_kept_where_it_is_not_in_the_format(*, full_range: bool) -> None:
    frame = filled("yuv422p", 64, 48, 250, 128, 128)
    frame.color_range = ColorRange.JPEG if full_range else ColorRange.MPEG

    picture = wrap(frame)

    assert picture.full_range == full_range
    assert abs(copied(picture).y.astype(int) - 250).max() <= 1


def test_ten_bits_become_eight_of_the_same_range() -> None:
    frame = av.VideoFrame(64, 48, "yuv420p10le")
    for plane, level in zip(frame.planes, (64, 512, 940), strict=True):
        samples = np.frombuffer(memoryview(plane), np.uint16)
        samples[:] = level

    planes = copied(wrap(frame))

    for plane8, level in zip(planes, (16, 128, 235), strict=True):
        assert abs(plane8.astype(int) - level).max() <= 1


def test_grey_is_full_range_without_colour() -> None:
    picture = wrap(filled("gray", 64, 48, 255))

    planes = copied(picture)

    assert picture.full_range
    assert (planes.y == 255).all()
    assert (planes.u == 128).all()


@pytest.mark.parametrize(
    ("height", "white_y", "red_y"), [(480, 235, 82), (720, 235, 63)]
)
def test_rgb_becomes_limited_range_of_the_usual_matrix(
    height: int, white_y: int, red_y: int
) -> None:
    pixels: NDArray[np.uint8] = np.full((height, 64, 3), 255, np.uint8)
    pixels[:, :32] = (255, 0, 0)

    picture = wrap(av.VideoFrame.from_ndarray(pixels, format="rgb24"))

    planes = copied(picture)
    assert not picture.full_range
    assert abs(int(planes.y[5, 60]) - white_y) <= 2
    assert abs(int(planes.y[5, 5]) - red_y) <= 2


@pytest.mark.parametrize(
    ("name", "height", "said", "matrix"),
    [
        ("yuv420p", 480, 2, Matrix.BT601),
        ("yuv420p", 720, 2, Matrix.BT709),
        ("yuv420p", 480, Colorspace.ITU709, Matrix.BT709),
        ("yuv420p", 1080, Colorspace.ITU601, Matrix.BT601),
        ("yuv420p", 1080, Colorspace.SMPTE170M, Matrix.BT601),
        ("yuvj420p", 1080, 2, Matrix.BT601),
    ],
)
def test_matrix_is_what_players_take(
    name: str, height: int, said: int, matrix: Matrix
) -> None:
    frame = av.VideoFrame(64, height, name)
    frame.colorspace = said

    assert wrap(frame).matrix is matrix
