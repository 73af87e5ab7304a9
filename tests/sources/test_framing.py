"""Pictures are found in any bytes, however they come, with not a byte too many."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.errors import SourceUnavailableError
from ooblexd.sources.framing import (
    Framing,
    JpegFraming,
    RawFraming,
    Y4mFraming,
    framing_of,
    picture_bytes,
)
from ooblexd.sources.options import InputFormat, InputOptions

if TYPE_CHECKING:
    from collections.abc import Sequence


def jpeg(shade: int, *, progressive: bool = False) -> bytes:
    picture = np.full((16, 24, 3), shade, np.uint8)
    picture[::2, ::3] = 255 - shade
    flags = [
        cv2.IMWRITE_JPEG_PROGRESSIVE,
        int(progressive),
        cv2.IMWRITE_JPEG_RST_INTERVAL,
        1,
    ]
    done, encoded = cv2.imencode(".jpg", picture, flags)
    assert done
    return encoded.tobytes()


JPEGS = [jpeg(0), jpeg(90), jpeg(200, progressive=True)]
# A thumbnail in the header is a whole JPEG of its own.
WITH_THUMBNAIL = (
    b"\xff\xd8\xff\xe1"
    + (len(JPEGS[0]) + 2).to_bytes(2, "big")
    + JPEGS[0]
    + JPEGS[1][2:]
)
CUTS = st.lists(st.integers(1, 700), max_size=30)


def chunks(stream: bytes, cuts: Sequence[int]) -> list[bytes]:
    found, at = [], 0
    for cut in cuts:
        found.append(stream[at : at + cut])
        at += cut
    return [*found, stream[at:]]


def found_in(framing: Framing, stream: bytes, cuts: Sequence[int] = ()) -> list[bytes]:
    return [
        picture for chunk in chunks(stream, cuts) for picture in framing.pictures(chunk)
    ]


@given(CUTS)
def test_jpegs_come_out_as_they_went_in(cuts: list[int]) -> None:
    pictures = [*JPEGS, WITH_THUMBNAIL, JPEGS[0]]

    assert found_in(JpegFraming(), b"".join(pictures), cuts) == pictures


@given(CUTS)
def test_what_lies_between_jpegs_is_passed_over(cuts: list[int]) -> None:
    stream = b"hello\n" + JPEGS[0] + b"\r\n--next\xff\r\n" + JPEGS[1] + b"\0\xff"

    assert found_in(JpegFraming(), stream, cuts) == JPEGS[:2]


@given(CUTS, st.integers(3, len(JPEGS[1]) - 3))
def test_jpeg_that_is_cut_off_does_not_cost_what_follows(
    cuts: list[int], kept: int
) -> None:
    # Cut off within its header, it takes along what a length there may reach: 64 KiB.
    stream = JPEGS[0] + JPEGS[1][:kept] + JPEGS[0] * 200 + JPEGS[2] * 2

    found = found_in(JpegFraming(), stream, cuts)

    assert found[0] == JPEGS[0]
    assert found[-1] == JPEGS[2]


def test_jpeg_comes_out_with_its_last_byte() -> None:
    framing = JpegFraming()

    assert list(framing.pictures(JPEGS[0][:-1])) == []
    assert list(framing.pictures(JPEGS[0][-1:])) == [JPEGS[0]]


@given(st.binary(max_size=3000), CUTS)
def test_no_bytes_make_any_framing_fail_otherwise_than_it_should(
    noise: bytes, cuts: list[int]
) -> None:
    for framing, head in (
        (JpegFraming(), b""),
        (JpegFraming(), b"\xff\xd8"),
        (Y4mFraming(), b""),
        (Y4mFraming(), b"YUV4MPEG2 "),
        (Y4mFraming(), b"YUV4MPEG2 W2 H2\n"),
        (RawFraming("i420", 3, 3), b""),
    ):
        with suppress(SourceUnavailableError):
            found_in(framing, head + noise, cuts)


def test_jpeg_without_an_end_does_not_fill_the_memory() -> None:
    framing = JpegFraming()
    assert list(framing.pictures(JPEGS[0][:-2])) == []

    with pytest.raises(SourceUnavailableError, match="32 MiB"):
        found_in(framing, bytes(40 << 20), [1 << 20] * 40)


@given(CUTS)
def test_y4m_pictures_come_out_whole(cuts: list[int]) -> None:
    size = picture_bytes("yuv420p", 5, 3)
    pictures = [bytes([n]) * size for n in (1, 0x0A, 0x46)]
    stream = b"YUV4MPEG2 W5 H3 F30000:1001 Ip A1:1 C420jpeg XYSCSS=420JPEG\n"
    stream += b"".join(b"FRAME Ip\n" + picture for picture in pictures)
    framing = Y4mFraming()

    assert found_in(framing, stream, cuts) == pictures
    assert framing.fps == pytest.approx(29.97, abs=0.01)
    assert (framing.decoder().width, framing.decoder().height) == (5, 3)


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (b"YUV4MPEG2 W5 F25:1\n", "damaged"),
        (b"YUV4MPEG2 W5 Hx F25:1\n", "damaged"),
        (b"YUV4MPEG2 W5 H5 F25:0\n", "damaged"),
        (b"YUV4MPEG2 W5 H5\nFRAM\n", "damaged"),
        (b"YUV4MPEG2 W5 H5\nYUV4MPEG2 W5 H5\n", "damaged"),
        (b"YUV4MPEG2 " + b"x" * 2000, "damaged"),
        (b"YUV4MPEG2 W5 H5 C444alpha\n", "of the kind '444alpha' is not read"),
        (b"YUV4MPEG2 W0 H5\n", "0x5"),
        (b"YUV4MPEG2 W-5 H5\n", "-5x5"),
        (b"YUV4MPEG2 W99999 H99999\n", "at most 17 megapixels"),
    ],
)
def test_y4m_that_is_none_has_its_reason(stream: bytes, reason: str) -> None:
    with pytest.raises(SourceUnavailableError, match=reason):
        found_in(Y4mFraming(), stream)


@pytest.mark.parametrize(
    ("kind", "size", "expected"),
    [
        ("i420", (4, 2), 12),
        ("i420", (5, 3), 15 + 12),
        ("i420", (1, 1), 3),
        ("nv12", (5, 3), 15 + 12),
        ("yuyv", (4, 2), 16),
        ("yuyv", (5, 3), 36),
    ],
)
def test_raw_pictures_are_counted_off(
    kind: str, size: tuple[int, int], expected: int
) -> None:
    framing = RawFraming(kind, *size)

    found = found_in(framing, bytes(3 * expected - 1), [1, 2, 50])

    assert [len(picture) for picture in found] == [expected, expected]


@pytest.mark.parametrize("kind", ["i420", "nv12", "yuyv"])
@pytest.mark.parametrize("size", [(4, 2), (5, 3), (64, 36)])
def test_raw_picture_is_all_that_its_decoder_needs(
    kind: str, size: tuple[int, int]
) -> None:
    import av  # noqa: PLC0415 - the decoder's own packet

    framing = RawFraming(kind, *size)
    [picture] = found_in(framing, bytes(picture_bytes(framing._format, *size)))

    [frame] = framing.decoder().decode(av.Packet(picture))

    assert (frame.width, frame.height) == size


@pytest.mark.parametrize(
    ("wanted", "head", "kind"),
    [
        ("auto", b"", None),
        ("auto", b"\xff", None),
        ("auto", b"YUV", None),
        ("auto", b"\xff\xd8\xff\xe0", JpegFraming),
        ("auto", b"YUV4MPEG2 W", Y4mFraming),
        ("y4m", b"YUV4MPEG2 W", Y4mFraming),
        ("mjpeg", b"some words first", JpegFraming),
        ("i420", b"anything", RawFraming),
    ],
)
def test_what_arrives_is_known_by_its_first_bytes(
    wanted: InputFormat, head: bytes, kind: type[Framing] | None
) -> None:
    framing = framing_of(InputOptions(wanted, 2, 2), head)

    assert (framing is None) if kind is None else isinstance(framing, kind)


@pytest.mark.parametrize(
    ("wanted", "head", "reason"),
    [
        ("auto", b"\0\0\0\1\x67and more", "writes H.264"),
        ("auto", b"--boundary\r\n", "writes a multipart stream"),
        ("auto", b"hello world", "unknown; it must be Y4M, MJPEG, or raw"),
        ("y4m", b"\xff\xd8\xff\xe0 a jpeg", "is no Y4M"),
    ],
)
def test_what_cannot_be_read_is_named(
    wanted: InputFormat, head: bytes, reason: str
) -> None:
    with pytest.raises(SourceUnavailableError, match=reason):
        framing_of(InputOptions(wanted), head)
