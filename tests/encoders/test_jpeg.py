from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from ooblexd.encoders.jpeg import JpegEncoder, encode_bgr
from ooblexd.frame import Matrix
from ooblexd.pixels import Planes, new_planes

if TYPE_CHECKING:
    from numpy.typing import NDArray

# kr and kb of the standards (ITU-R BT.601-7 2.5.1, BT.709-6 3.2).
WEIGHTS = {Matrix.BT601: (0.299, 0.114), Matrix.BT709: (0.2126, 0.0722)}


def bgr_by_the_standard(
    planes: Planes, *, full_range: bool, matrix: Matrix
) -> NDArray[np.float64]:
    """Convert by the formulas of the standard, chroma repeated."""
    height, width = planes.y.shape
    y = planes.y.astype(float)
    blue, red = (
        plane.astype(float).repeat(2, 0).repeat(2, 1)[:height, :width] - 128
        for plane in (planes.u, planes.v)
    )
    if not full_range:
        y, blue, red = (y - 16) * 255 / 219, blue * 255 / 224, red * 255 / 224
    kr, kb = WEIGHTS[matrix]
    r, b = y + 2 * (1 - kr) * red, y + 2 * (1 - kb) * blue
    g = (y - kr * r - kb * b) / (1 - kr - kb)
    bgr: NDArray[np.float64] = np.clip(np.stack([b, g, r], -1), 0, 255)
    return bgr


def one_colour(width: int, height: int, colour: tuple[int, int, int]) -> Planes:
    planes = new_planes(width, height)
    for plane, value in zip(planes, colour, strict=True):
        plane[:] = value
    return planes


def scene(width: int, height: int, *, full_range: bool) -> Planes:
    """A smooth picture that uses the whole of its range."""
    planes = new_planes(width, height)
    low, high = (0, 255) if full_range else (16, 235)
    down, across = np.mgrid[0 : planes.height, 0 : planes.width]
    wave = (np.sin(across / 37) + np.cos(down / 29) + 2) / 4
    planes.y[:] = np.round(low + (high - low) * wave)
    for plane, phase in ((planes.u, 0.3), (planes.v, 1.7)):
        down, across = np.mgrid[0 : plane.shape[0], 0 : plane.shape[1]]
        plane[:] = np.round(128 + 40 * np.sin((across + down) / 90 + phase))
    return planes


def decoded(jpeg: NDArray[np.uint8]) -> NDArray[np.uint8]:
    picture = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture, np.uint8)


def psnr_db(found: NDArray[np.uint8], wanted: NDArray[np.float64]) -> float:
    error = float(np.mean((found.astype(float) - wanted) ** 2))
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


@pytest.mark.parametrize("matrix", list(Matrix))
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("size", [(64, 48), (65, 49), (3, 1), (2, 2), (1, 5), (1, 1)])
def test_colours_are_those_of_the_standard(
    size: tuple[int, int], *, full_range: bool, matrix: Matrix
) -> None:
    encoder = JpegEncoder(95)
    rng = np.random.default_rng(7)
    for _ in range(20):
        y, u, v = rng.integers((16, 80, 80), (236, 176, 176))
        planes = one_colour(*size, (y, u, v))

        bgr = encoder.to_bgr(planes, full_range=full_range, matrix=matrix)

        wanted = bgr_by_the_standard(planes, full_range=full_range, matrix=matrix)
        assert bgr.shape == wanted.shape
        assert np.abs(bgr - wanted).max() < 3


@pytest.mark.parametrize("matrix", list(Matrix))
@pytest.mark.parametrize("full_range", [False, True])
def test_a_picture_survives_its_way_through_jpeg(
    *, full_range: bool, matrix: Matrix
) -> None:
    planes = scene(640, 361, full_range=full_range)

    jpeg = JpegEncoder(90).encode(planes, full_range=full_range, matrix=matrix)

    wanted = bgr_by_the_standard(planes, full_range=full_range, matrix=matrix)
    assert psnr_db(decoded(jpeg), wanted) > 38


def test_black_and_white_of_limited_range_become_black_and_white() -> None:
    for luma, wanted in ((16, 0), (235, 255)):
        planes = one_colour(32, 32, (luma, 128, 128))

        jpeg = JpegEncoder(90).encode(planes, full_range=False, matrix=Matrix.BT601)

        assert np.abs(decoded(jpeg).astype(int) - wanted).max() <= 1


def test_the_size_may_change_from_picture_to_picture() -> None:
    encoder = JpegEncoder(80)
    for width, height in ((640, 360), (2, 2), (641, 359), (640, 360), (1, 1)):
        planes = scene(width, height, full_range=False)

        jpeg = encoder.encode(planes, full_range=False, matrix=Matrix.BT709)

        assert decoded(jpeg).shape == (height, width, 3)


def test_a_picture_keeps_nothing_of_the_one_before() -> None:
    encoder = JpegEncoder(90)
    bright, dark = (
        one_colour(33, 33, (235, 90, 240)),
        one_colour(33, 33, (16, 128, 128)),
    )

    encoder.encode(bright, full_range=False, matrix=Matrix.BT601)
    jpeg = encoder.encode(dark, full_range=False, matrix=Matrix.BT601)

    assert decoded(jpeg).max() <= 1


def test_the_picture_itself_is_not_touched() -> None:
    planes = scene(65, 33, full_range=False)
    before = [plane.copy() for plane in planes]

    JpegEncoder(80).encode(planes, full_range=False, matrix=Matrix.BT601)

    for plane, copy in zip(planes, before, strict=True):
        np.testing.assert_array_equal(plane, copy)


def test_quality_may_change_from_picture_to_picture() -> None:
    encoder, planes = JpegEncoder(95), scene(320, 180, full_range=False)

    fine = encoder.encode(planes, full_range=False, matrix=Matrix.BT601)
    encoder.quality = 20
    coarse = encoder.encode(planes, full_range=False, matrix=Matrix.BT601)

    assert coarse.nbytes < fine.nbytes / 2


def test_a_jpeg_is_full_range_four_two_zero() -> None:
    jpeg = encode_bgr(np.zeros((16, 16, 3), np.uint8), 80).tobytes()

    assert jpeg[:2] == b"\xff\xd8"
    assert jpeg[6:10] == b"JFIF"
    start_of_frame = jpeg.index(b"\xff\xc0")
    luma_sampling = jpeg[start_of_frame + 11]
    assert luma_sampling == 0x22
