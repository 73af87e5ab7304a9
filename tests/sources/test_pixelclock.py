"""The clock must survive whatever lies between the source and a viewer."""

from __future__ import annotations

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.pixels import Plane, new_planes
from ooblexd.sources.pixelclock import Stamp, read_stamp, stamp

NOISE = np.random.default_rng(7).integers(16, 235, (720, 1280), np.uint8)
SOFT_NOISE = cv2.GaussianBlur(NOISE, (0, 0), 3)


def stamped_luma(number: int, width: int = 1280, height: int = 720) -> Plane:
    planes = new_planes(width, height)
    planes.y[:] = cv2.resize(SOFT_NOISE, (width, height))
    stamp(planes, moment_us(number), number)
    return planes.y


def moment_us(number: int) -> int:
    return 1_795_232_908_893_817 + number * 33_333


@given(
    unix_us=st.integers(0, 2**64 - 1),
    sequence=st.integers(0, 2**32 - 1),
    width=st.integers(128, 500),
    height=st.integers(120, 500),
)
def test_clock_reads_back_at_any_size(
    unix_us: int, sequence: int, width: int, height: int
) -> None:
    planes = new_planes(width, height)

    stamp(planes, unix_us, sequence)

    assert read_stamp(planes.y) == Stamp(unix_us, sequence)


@pytest.mark.parametrize("quality", [30, 50, 80])
@pytest.mark.parametrize("size", [(1280, 720), (640, 360), (960, 540), (1920, 1080)])
def test_clock_survives_jpeg_and_scaling(quality: int, size: tuple[int, int]) -> None:
    for number in range(4):
        scaled = resized(stamped_luma(number), size)
        _, jpeg = cv2.imencode(".jpg", scaled, [cv2.IMWRITE_JPEG_QUALITY, quality])
        seen = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE), np.uint8)

        assert read_stamp(seen) == Stamp(moment_us(number), number)


@pytest.mark.parametrize("size", [(1280, 720), (640, 360)])
def test_clock_survives_h264_at_one_megabit(size: tuple[int, int]) -> None:
    seen = [
        read_stamp(luma)
        for luma in through_h264(
            [resized(stamped_luma(number), size) for number in range(12)]
        )
    ]

    assert seen == [Stamp(moment_us(number), number) for number in range(12)]


def test_clock_survives_the_change_from_limited_to_full_range() -> None:
    luma = stamped_luma(3).astype(np.float32)

    full = np.clip((luma - 16) * 255 / 219, 0, 255).astype(np.uint8)

    assert read_stamp(full) == Stamp(moment_us(3), 3)


def test_picture_without_a_clock_has_none() -> None:
    assert read_stamp(np.asarray(SOFT_NOISE, np.uint8)) is None
    assert read_stamp(np.full((720, 1280), 90, np.uint8)) is None
    assert read_stamp(np.zeros((2, 2), np.uint8)) is None


def test_damaged_clock_is_not_believed() -> None:
    luma = stamped_luma(5)

    luma[-24:, 300:340] = 255 - luma[-24:, 300:340]

    assert read_stamp(luma) is None


def test_picture_too_small_for_a_clock_stays_as_it_is() -> None:
    planes = new_planes(2, 2)
    planes.y[:] = 7

    stamp(planes, 1, 1)

    assert (planes.y == 7).all()


def test_strip_has_no_colour_and_the_picture_above_is_untouched() -> None:
    planes = new_planes(1280, 720)
    for plane in planes:
        plane[:] = 7

    stamp(planes, 1, 1)

    assert (planes.y[:696] == 7).all()
    assert (planes.u[:348] == 7).all()
    assert (planes.u[348:] == 128).all()
    assert (planes.v[348:] == 128).all()


def resized(luma: Plane, size: tuple[int, int]) -> Plane:
    return np.asarray(cv2.resize(luma, size), np.uint8)


def through_h264(pictures: list[Plane]) -> list[Plane]:
    height, width = pictures[0].shape
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base = Fraction(1, 30)
    encoder.bit_rate = 1_000_000
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency"}
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    packets = [
        packet
        for luma in pictures
        for packet in encoder.encode(av.VideoFrame.from_ndarray(luma, format="gray"))
    ]
    packets += encoder.encode(None)
    frames = [frame for packet in packets for frame in decoder.decode(packet)]
    frames += decoder.decode(None)
    return [np.asarray(frame.to_ndarray(), np.uint8)[:height] for frame in frames]
