"""Uploaded pictures as a viewer would see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from ooblexd.clock import monotonic_ns
from ooblexd.encoders.jpeg import JpegEncoder
from ooblexd.errors import BadPictureError
from ooblexd.pixels import new_planes
from ooblexd.sources.upload_file import read_upload
from ooblexd.sources.upload_picture import UploadedPicture, decode_upload
from tests.support.stills import (
    WAYS,
    coloured,
    exif,
    still,
    with_png_chunk,
    with_segment,
    with_webp_exif,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZES = [(64, 48), (65, 47), (641, 359), (1280, 720)]
CLOSE = 6.0  # of 255 on average: what 4:2:0 and coding may cost on a soft picture


def decoded(data: bytes) -> UploadedPicture:
    file = read_upload(data)
    return decode_upload(file, pts_ns=1, capture_ns=2, now_ns=monotonic_ns)


def shown(data: bytes) -> NDArray[np.uint8]:
    """Return what a viewer sees, BGR."""
    picture = decoded(data)
    planes = new_planes(picture.width, picture.height)
    picture.copy_to(planes)
    return JpegEncoder(80).to_bgr(
        planes, full_range=picture.full_range, matrix=picture.matrix
    )


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    assert one.shape == other.shape
    return float(np.abs(one.astype(np.int16) - other).mean())


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("way", WAYS)
def test_every_kind_of_file_keeps_its_colours(
    way: str, width: int, height: int
) -> None:
    picture = coloured(width, height)

    assert difference(shown(still(way, picture)), picture) < CLOSE


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 2), (2, 3)])
@pytest.mark.parametrize("way", WAYS)
def test_the_smallest_pictures_keep_their_colour(
    way: str, width: int, height: int
) -> None:
    picture = np.full((height, width, 3), (60, 120, 200), np.uint8)

    assert difference(shown(still(way, picture)), picture) < CLOSE


@pytest.mark.parametrize("way", ["jpeg", "png"])
def test_a_grey_picture_stays_grey(way: str) -> None:
    grey = coloured(65, 47)[..., 0]

    assert (
        difference(shown(still(way, grey)), np.asarray(cv2.merge([grey] * 3), np.uint8))
        < 2
    )


def test_a_picture_of_16_bits_is_shown() -> None:
    picture = coloured(64, 48)
    _, encoded = cv2.imencode(".png", picture.astype(np.uint16) * 257)

    assert difference(shown(encoded.tobytes()), picture) < CLOSE


def test_a_picture_of_one_bit_is_shown() -> None:
    black = np.zeros((48, 64), np.uint8)
    black[:, 32:] = 255
    _, encoded = cv2.imencode(".png", black, [cv2.IMWRITE_PNG_BILEVEL, 1])

    picture = shown(encoded.tobytes())

    assert picture[:, :30].max() < 5
    assert picture[:, 34:].min() > 250


@pytest.mark.parametrize("way", ["png", "webp", "lossless"])
def test_what_can_be_seen_through_is_black(way: str) -> None:
    opaque = coloured(64, 48)
    alpha = np.full((48, 64), 255, np.uint8)
    alpha[:, 32:] = 0
    alpha[24:, :32] = 128
    picture = np.asarray(cv2.merge([*cv2.split(opaque), alpha]), np.uint8)

    seen = shown(still(way, picture))

    expected = (opaque * (alpha[..., None] / 255)).round().astype(np.uint8)
    assert difference(seen, expected) < CLOSE
    assert seen[:, 36:].max() < 12


@pytest.mark.parametrize(("width", "height"), [(64, 48), (65, 47)])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_rotated_photo_is_shown_upright(
    orientation: int, width: int, height: int
) -> None:
    jpeg = still("jpeg", coloured(width, height))
    photo = with_segment(jpeg, 0xE1, b"Exif\0\0" + exif(orientation))
    upright = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)

    assert difference(shown(photo), np.asarray(upright, np.uint8)) < CLOSE


def test_a_rotated_png_and_webp_are_shown_upright() -> None:
    upright = coloured(48, 64)
    stored = np.ascontiguousarray(np.rot90(upright))

    png = with_png_chunk(still("png", stored), b"eXIf", exif(6))
    webp = with_webp_exif(still("webp", stored), exif(6), 64, 48)

    assert difference(shown(png), upright) < CLOSE
    assert difference(shown(webp), upright) < CLOSE


def test_jpeg_keeps_its_own_samples() -> None:
    picture = decoded(still("jpeg"))

    assert picture.full_range
    assert picture.pts_ns == 1
    assert picture.capture_ns == 2
    assert picture.decoded_ns > 2


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("way", WAYS)
def test_a_picture_that_is_cut_off_is_refused(way: str, share: float) -> None:
    data = still(way)

    with pytest.raises(BadPictureError, match="it is damaged"):
        decoded(data[: int(len(data) * share)])


def test_a_size_that_only_the_decoder_meets_is_refused_too() -> None:
    """The second header of a frame is larger than the first."""
    jpeg = still("jpeg")
    large = still("jpeg", np.zeros((5000, 5000, 3), np.uint8))
    at = jpeg.index(b"\xff\xda")

    with pytest.raises(BadPictureError, match="it is damaged"):
        decoded(jpeg[:at] + jpeg[at:-2] + large[2:])
