from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from ooblexd.encoders.jpeg import encode_bgr
from ooblexd.stages.standins import Size, make_cover, make_slate

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZES = [Size(1, 1), Size(2, 2), Size(640, 360), Size(641, 361), Size(4096, 2160)]
LONG = (
    "rtsp://192.0.2.20:554/cam/realmonitor?channel=1&subtype=0&unicast=true&proto="
    "Onvif answered 453 Not Enough Bandwidth and then closed the connection, as it "
    "has done each time for the last hour; try another transport, or fewer viewers"
)


def decoded(jpeg: NDArray[np.uint8]) -> NDArray[np.uint8]:
    picture = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture, np.uint8)


def noise(size: Size) -> NDArray[np.uint8]:
    """A picture with as much detail as there can be."""
    shape = (size.height, size.width, 3)
    pixels = np.random.default_rng(3).integers(0, 256, shape, np.uint8)
    return encode_bgr(pixels, 95)


def detail(picture: NDArray[np.uint8], cells: tuple[int, int]) -> float:
    """Return how much of ``picture`` a grid of ``cells`` cannot hold, in levels RMS."""
    size = (picture.shape[1], picture.shape[0])
    grid = cv2.resize(picture, cells, interpolation=cv2.INTER_AREA)
    smooth = cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC)
    rest = picture.astype(float) - smooth.astype(float)
    return float(np.sqrt(np.mean(rest**2)))


@pytest.mark.parametrize("size", SIZES)
def test_a_cover_has_the_size_of_what_it_covers(size: Size) -> None:
    for protected in (None, noise(size)):
        assert decoded(make_cover(protected, size)).shape[:2] == size[::-1]


@pytest.mark.parametrize("size", [Size(640, 360), Size(1280, 720), Size(360, 640)])
def test_a_cover_has_no_more_detail_than_its_cells(size: Size) -> None:
    picture = noise(size)

    cover = decoded(make_cover(picture, size))

    assert detail(decoded(picture), (48, 28)) > 20
    assert detail(cover, (48, 28)) < 1.5


def test_a_cover_tells_the_colours_of_the_scene() -> None:
    size = Size(640, 360)
    scene = np.zeros((360, 640, 3), np.uint8)
    scene[:, 320:] = (40, 160, 220)

    cover = decoded(make_cover(encode_bgr(scene, 90), size)).astype(int)

    assert cover[180, 40].max() < 12
    assert np.abs(cover[180, 600] - (40, 160, 220)).max() < 12


def test_a_cover_of_bytes_that_are_no_picture_is_plain() -> None:
    size = Size(320, 180)
    broken = np.zeros(100, np.uint8)

    plain = decoded(make_cover(None, size))

    np.testing.assert_array_equal(decoded(make_cover(broken, size)), plain)
    assert np.ptp(plain, axis=(0, 1)).max() <= 1


def ink(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where something is drawn on the background of a slate."""
    difference = picture.astype(int) - picture[0, 0].astype(int)
    drawn: NDArray[np.bool_] = np.abs(difference).max(axis=2) > 40
    return drawn


@pytest.mark.parametrize("size", [*SIZES, Size(200, 3000), Size(3000, 200)])
def test_a_slate_keeps_its_words_inside_the_picture(size: Size) -> None:
    slate = decoded(make_slate("d" * 63, "no picture", LONG, size))

    drawn = ink(slate)
    assert slate.shape[0] >= max(size.height, 180)
    assert slate.shape[1] >= max(size.width, 320)
    assert drawn.sum() > 500
    for edge in (drawn[:2], drawn[-2:], drawn[:, :2], drawn[:, -2:]):
        assert not edge.any()


def test_a_long_reason_takes_more_lines_than_a_short_one() -> None:
    size = Size(640, 360)

    short = ink(decoded(make_slate("door", "no picture", "no route", size)))
    long = ink(decoded(make_slate("door", "no picture", LONG, size)))

    assert np.flatnonzero(long.any(axis=1)).max() > (
        np.flatnonzero(short.any(axis=1)).max() + 30
    )


def test_a_slate_survives_words_that_it_cannot_draw() -> None:
    slate = make_slate(
        "door", "kein Bild", "\u00fcber \u6444\u50cf \U0001f4f7\n", Size(640, 360)
    )

    assert ink(decoded(slate)).any()


def test_a_slate_survives_no_reason_at_all() -> None:
    assert ink(decoded(make_slate("door", "no picture", "", Size(640, 360)))).any()
