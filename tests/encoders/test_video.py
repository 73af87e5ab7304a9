from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange

from ooblexd.clock import NS_PER_S
from ooblexd.encoders.video import VideoCodec, VideoEncoder, usual_bit_rate
from ooblexd.frame import Matrix
from ooblexd.pixels import new_planes

if TYPE_CHECKING:
    from ooblexd.pixels import Planes

PERIOD_NS = NS_PER_S // 30


def scene(width: int, height: int, shift: int = 0) -> Planes:
    """Return a smooth picture that moves with ``shift``."""
    planes = new_planes(width, height)
    for plane, middle, swing in zip(planes, (126, 128, 128), (90, 40, 40), strict=True):
        down, across = np.mgrid[0 : plane.shape[0], 0 : plane.shape[1]]
        plane[:] = np.round(middle + swing * np.sin((across + down + shift) / 40))
    return planes


def encoded(
    encoder: VideoEncoder, count: int, *, keyframe_at: int = -1, size: int = 320
) -> list[av.Packet[av.VideoStream]]:
    """Encode a moving scene; one packet a picture."""
    packets = []
    for n in range(count):
        (packet,) = encoder.encode(
            scene(size, size // 2, n),
            n * PERIOD_NS,
            full_range=False,
            matrix=Matrix.BT601,
            is_keyframe=n == keyframe_at,
        )
        packets.append(packet)
    return packets


def decoded(codec: VideoCodec, packet: av.Packet[av.VideoStream]) -> av.VideoFrame:
    """Decode a keyframe by itself."""
    context = av.CodecContext.create(codec.value, "r")
    assert isinstance(context, av.VideoCodecContext)
    frames = [*context.decode(av.Packet(bytes(packet))), *context.decode(None)]
    assert len(frames) == 1
    return frames[0]


@pytest.mark.parametrize("codec", VideoCodec)
def test_each_picture_comes_out_before_the_next(codec: VideoCodec) -> None:
    packets = encoded(VideoEncoder(codec, 1_000_000), 10)

    assert [packet.is_keyframe for packet in packets] == [True] + [False] * 9
    assert [packet.pts for packet in packets] == [n * 3000 for n in range(10)]


@pytest.mark.parametrize("codec", VideoCodec)
def test_a_keyframe_is_made_when_asked_for_and_stands_alone(codec: VideoCodec) -> None:
    packets = encoded(VideoEncoder(codec, 1_000_000), 10, keyframe_at=6)

    assert [n for n in range(10) if packets[n].is_keyframe] == [0, 6]
    shown = decoded(codec, packets[6]).to_ndarray()[:160]  # luma comes first
    error = shown.astype(float) - scene(320, 160, 6).y
    assert 10 * np.log10(255**2 / np.mean(error**2)) > 35


@pytest.mark.parametrize("codec", VideoCodec)
@pytest.mark.parametrize("size", [(321, 181), (2, 2), (3, 16)])
def test_odd_sizes_lose_a_column_or_row(
    codec: VideoCodec, size: tuple[int, int]
) -> None:
    (packet,) = VideoEncoder(codec, 1_000_000).encode(
        scene(*size), 0, full_range=False, matrix=Matrix.BT601
    )

    frame = decoded(codec, packet)
    assert (frame.width, frame.height) == (size[0] & ~1, size[1] & ~1)


def test_range_is_said_in_the_stream() -> None:
    encoder = VideoEncoder(VideoCodec.H264, 1_000_000)
    for full_range, said in ((True, ColorRange.JPEG), (False, ColorRange.MPEG)):
        (packet,) = encoder.encode(
            scene(320, 180), 0, full_range=full_range, matrix=Matrix.BT709
        )
        assert packet.is_keyframe  # another range is another stream
        assert decoded(VideoCodec.H264, packet).color_range == said


@pytest.mark.parametrize("codec", VideoCodec)
def test_times_grow_whatever_the_source_says(codec: VideoCodec) -> None:
    encoder = VideoEncoder(codec, 1_000_000)
    pts = []
    for at_ns in (NS_PER_S, NS_PER_S, 0, 2 * NS_PER_S):
        (packet,) = encoder.encode(
            scene(320, 180), at_ns, full_range=False, matrix=Matrix.BT601
        )
        pts.append(packet.pts)

    assert pts == [90_000, 90_090, 90_180, 180_000]  # a millisecond apart


@pytest.mark.parametrize("codec", VideoCodec)
def test_the_bit_rate_can_be_changed_under_way(codec: VideoCodec) -> None:
    random = np.random.default_rng(0)
    encoder = VideoEncoder(codec, 2_000_000)
    rates = []
    for bit_rate in (2_000_000, 400_000):
        encoder.bit_rate = bit_rate
        sizes = []
        for n in range(90):
            planes = new_planes(320, 180)
            for plane in planes:
                plane[:] = random.integers(100, 156, plane.shape)
            packets = encoder.encode(
                planes, n * PERIOD_NS, full_range=False, matrix=Matrix.BT601
            )
            sizes += [packet.size for packet in packets]
        rates.append(8 * sum(sizes[30:]) / 2)

    assert rates[1] < rates[0] / 2


def test_a_rate_that_climbs_to_the_usual_one_costs_no_keyframe() -> None:
    encoder = VideoEncoder(VideoCodec.H264, 2_000_000)
    are_keyframes = []
    for bit_rate in (300_000, 600_000, 1_200_000, 2_000_000):
        encoder.bit_rate = bit_rate
        are_keyframes += [one.is_keyframe for one in encoded(encoder, 3)]

    assert are_keyframes == [True] + [False] * 11


def test_h264_is_what_every_browser_decodes() -> None:
    (packet,) = encoded(VideoEncoder(VideoCodec.H264, 1_000_000), 1)

    data = bytes(packet)
    assert data[:5] == b"\0\0\0\1\x67"  # parameter sets first
    assert data[5] == 66  # profile: baseline (ITU-T H.264, A.2.1)


def test_large_pictures_get_more_bits_within_bounds() -> None:
    assert usual_bit_rate(64, 36, 30) == 150_000
    assert usual_bit_rate(1280, 720, 30) == pytest.approx(2_500_000, rel=0.01)
    assert usual_bit_rate(4096, 2160, 60) == 8_000_000


@pytest.mark.parametrize("fps", [10, 60])
@pytest.mark.parametrize("codec", VideoCodec)
def test_the_bit_rate_is_kept_whatever_the_rate_of_pictures(
    codec: VideoCodec, fps: int
) -> None:
    random = np.random.default_rng(0)
    encoder = VideoEncoder(codec, 1_000_000)
    encoder.fps = fps
    sizes = []
    for n in range(4 * fps):
        planes = new_planes(320, 180)
        for plane in planes:
            plane[:] = random.integers(100, 156, plane.shape)
        packets = encoder.encode(
            planes, n * NS_PER_S // fps, full_range=False, matrix=Matrix.BT601
        )
        sizes += [packet.size for packet in packets]

    assert 8 * sum(sizes[fps:]) / 3 == pytest.approx(1_000_000, rel=0.3)
