"""What a file says of itself, and what never reaches a decoder."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.errors import BadPictureError
from ooblexd.sources.upload_file import UploadedFile, read_orientation, read_upload
from tests.support.stills import (
    WAYS,
    coloured,
    exif,
    still,
    with_png_chunk,
    with_segment,
    with_webp_exif,
)

CODECS = {"jpeg": "mjpeg", "progressive": "mjpeg", "lossless": "webp"}


def refusal(data: bytes) -> str:
    with pytest.raises(BadPictureError) as caught:
        read_upload(data)
    return caught.value.reason


@pytest.mark.parametrize("way", WAYS)
def test_a_file_says_its_codec_and_size(way: str) -> None:
    file = read_upload(still(way, coloured(33, 21)))

    assert file.codec == CODECS.get(way, way)
    assert (file.width, file.height) == (33, 21)
    assert file.orientation == 1


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"<html>", b"RIFF\0\0\0\0WAVE"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    assert refusal(data) == "it is no JPEG, PNG or WebP"


def test_a_png_that_claims_to_be_huge_is_refused_by_its_header() -> None:
    png = bytearray(still("png"))
    png[16:24] = struct.pack(">II", 100_000, 100_000)

    assert refusal(bytes(png)) == "100000x100000 is too large, at most 17 megapixels"


def test_a_jpeg_that_claims_to_be_huge_is_refused_by_its_header() -> None:
    jpeg = bytearray(still("jpeg"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", 65_500, 65_500)

    assert refusal(bytes(jpeg)) == "65500x65500 is too large, at most 17 megapixels"


def test_a_webp_that_claims_to_be_huge_is_refused_by_its_header() -> None:
    webp = bytearray(still("webp"))
    at = webp.index(b"VP8 ") + 14
    webp[at : at + 4] = struct.pack("<HH", 16_383, 16_383)

    assert refusal(bytes(webp)) == "16383x16383 is too large, at most 17 megapixels"


def test_a_picture_without_pixels_is_refused() -> None:
    png = bytearray(still("png"))
    png[16:24] = bytes(8)

    assert refusal(bytes(png)) == "it has no pixels (0x0)"


def test_a_jpeg_of_endless_scans_is_refused() -> None:
    jpeg = still("progressive", np.zeros((1000, 1000, 3), np.uint8))
    scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]

    reason = refusal(jpeg[:-2] + scan * 400 + jpeg[-2:])

    assert reason.endswith("scans of 1000x1000 are too many")


def test_text_that_unpacks_to_gigabytes_never_reaches_a_decoder() -> None:
    bomb = b"Comment\0\0" + zlib.compress(bytes(10_000_000))
    png = still("png")

    file = read_upload(with_png_chunk(png, b"zTXt", bomb))

    assert file.data == png


def test_notes_in_a_jpeg_never_reach_a_decoder() -> None:
    jpeg = still("jpeg")
    noted = with_segment(with_segment(jpeg, 0xE1, exif(1)), 0xFE, b"by \xff\xda me")

    file = read_upload(noted)

    assert file.data == jpeg
    assert file.scans == 1


def test_an_animation_is_refused() -> None:
    frame = still("webp")
    body = b"WEBP" + b"ANIM" + struct.pack("<I", 6) + bytes(6) + frame[12:]

    reason = refusal(b"RIFF" + struct.pack("<I", len(body)) + body)

    assert reason == "it is an animation"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_read_in_both_byte_orders(orientation: int, order: str) -> None:
    assert read_orientation(exif(orientation, order)) == orientation


@pytest.mark.parametrize("block", [b"", b"II", exif(0), exif(9), exif(6)[:12]])
def test_a_damaged_orientation_is_none(block: bytes) -> None:
    assert read_orientation(block) == 1


def test_each_kind_of_file_tells_its_orientation() -> None:
    files = [
        with_segment(still("jpeg"), 0xE1, b"Exif\0\0" + exif(6)),
        with_png_chunk(still("png"), b"eXIf", exif(6)),
        with_webp_exif(still("webp"), exif(6), 320, 240),
    ]

    assert [read_upload(file).orientation for file in files] == [6, 6, 6]


@given(st.binary(max_size=64), st.sampled_from(sorted(WAYS)), st.integers(0, 200))
def test_whatever_comes_is_a_picture_or_refused(
    noise: bytes, way: str, at: int
) -> None:
    data = still(way, coloured(16, 16))

    with suppress(BadPictureError):
        found = read_upload(data[:at] + noise + data[at + len(noise) :])
        assert isinstance(found, UploadedFile)
