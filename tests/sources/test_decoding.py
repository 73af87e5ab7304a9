"""Packets wait where nobody looks, and whoever comes gets the newest picture."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from ooblexd.clock import NS_PER_MS, NS_PER_S, monotonic_ns
from ooblexd.errors import BadPictureError, SourceUnavailableError
from ooblexd.pixels import new_planes
from ooblexd.sources import SourceOptions, open_source
from ooblexd.sources.decoding import CATCH_UP_NS, Decoder, Taken
from ooblexd.sources.demo import DEMO_CLIP
from tests.support.cameras import encode_clip, require_ffmpeg

if TYPE_CHECKING:
    from pathlib import Path

    from av.container import InputContainer

    from ooblexd.pixels import Planes

    Packet = av.Packet[av.VideoStream]

FRAME_NS = NS_PER_S // 30
GOP = 30  # of the demo


class Clock:
    """Time, which passes as packets come and as they are decoded."""

    def __init__(self) -> None:
        self.now_ns = 10 * NS_PER_S

    def __call__(self) -> int:
        return self.now_ns


class CostlyCodec:
    """A real codec; each packet takes it some of the clock's time."""

    skip_frame = "DEFAULT"

    def __init__(self, codec: av.VideoCodecContext, clock: Clock, cost_ns: int) -> None:
        self.name, self.extradata = codec.name, codec.extradata
        self._codec = codec
        self._clock = clock
        self._cost_ns = cost_ns

    @property
    def has_b_frames(self) -> bool:
        return bool(self._codec.has_b_frames)

    def decode(self, packet: Packet) -> list[av.VideoFrame]:
        self._clock.now_ns += self._cost_ns
        return self._codec.decode(packet)

    def flush_buffers(self) -> None:
        self._codec.flush_buffers()


class Bench:
    """A decoder of a clip's packets, each of which costs it ``cost_ms``."""

    def __init__(self, path: Path, cost_ms: int = 2) -> None:
        self.clock = Clock()
        self.looks = False
        self.container: InputContainer = av.open(str(path))
        stream = self.container.streams.video[0]
        stream.thread_type = "NONE"
        self.packets = list(self.container.demux(stream))
        codec = CostlyCodec(stream.codec_context, self.clock, cost_ms * NS_PER_MS)
        self.decoder = Decoder(
            codec,  # type: ignore[arg-type] # it has all that is used of one
            SourceOptions(now_ns=self.clock, is_unwanted=lambda: not self.looks),
        )

    def take(self, packet: Packet) -> Taken:
        self.clock.now_ns += FRAME_NS
        (taken,) = self.decoder.take(packet, self.clock.now_ns)
        return taken


@pytest.fixture
def bench() -> Bench:
    return Bench(DEMO_CLIP)


def samples_of(taken: Taken) -> Planes:
    """Return what the rest of the daemon would see."""
    picture = taken.as_picture(pts_ns=0, capture_ns=taken.arrival_ns, decoded_ns=0)
    planes = new_planes(picture.width, picture.height)
    picture.copy_to(planes)
    return planes


def is_equal(one: Planes, other: Planes) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_while_nobody_looks_a_picture_a_second_is_decoded(bench: Bench) -> None:
    taken = [bench.take(packet) for packet in bench.packets[: 5 * GOP]]

    decoded = [i for i, one in enumerate(taken) if one.frame is not None]
    # The second one shows what a packet costs.
    assert decoded == [0, 1, GOP, 2 * GOP, 3 * GOP, 4 * GOP]


@pytest.mark.parametrize("at", [5, GOP - 1, GOP, GOP + 7, 3 * GOP + 29])
def test_whoever_comes_gets_what_decoding_all_along_had_given(
    bench: Bench, at: int
) -> None:
    other = Bench(DEMO_CLIP)
    other.looks = True

    late = [bench.take(packet) for packet in bench.packets[: at + 1]][-1]
    steady = [other.take(packet) for packet in other.packets[: at + 1]][-1]
    assert steady.frame is not None
    assert is_equal(samples_of(late), samples_of(steady))

    bench.looks = True
    after, same = bench.take(bench.packets[at + 1]), other.take(other.packets[at + 1])
    assert after.frame is not None
    assert is_equal(samples_of(after), samples_of(same))


def test_packet_may_wait_behind_a_picture_that_nobody_wanted(bench: Bench) -> None:
    first, second, *_ = bench.packets
    assert bench.decoder.take(first, 1, is_wanted=False) == []

    taken = [*bench.decoder.take(second, 2), bench.take(bench.packets[2])]

    assert [one.number for one in taken] == [2, 3]
    assert samples_of(taken[-1]).width == 1280


def test_what_follows_a_gap_is_shown_from_a_keyframe_on(bench: Bench) -> None:
    bench.take(bench.packets[0])
    bench.take(bench.packets[1])

    bench.decoder.leave_out()
    after = [bench.decoder.take(one, 1) for one in bench.packets[10 : GOP + 1]]

    assert [len(taken) for taken in after] == [0] * (GOP - 10) + [1]


def test_what_was_told_of_once_is_not_told_of_again(bench: Bench) -> None:
    numbers = []
    for at, packet in enumerate(bench.packets[:100]):
        bench.looks = at % 7 == 0
        numbers.append(bench.take(packet).number)

    assert numbers == list(range(1, 101))


def test_whoever_comes_never_waits_longer_than_a_tenth_of_a_second() -> None:
    bench = Bench(DEMO_CLIP, cost_ms=20)
    delays_ms = set()

    for packet in bench.packets[: 3 * GOP]:
        bench.take(packet)
        waiting = len(bench.decoder._waiting)  # asking would decode it
        delays_ms.add(20 * waiting)

    assert max(delays_ms) == CATCH_UP_NS // NS_PER_MS


def test_picture_of_a_reordered_stream_never_waits(tmp_path: Path) -> None:
    require_ffmpeg()
    encode_clip(tmp_path / "b.mp4", "-bf", "2", seconds=1)
    bench = Bench(tmp_path / "b.mp4")

    taken = [
        one
        for packet in bench.packets
        for one in bench.decoder.take(packet, monotonic_ns())
    ]

    assert len(taken) == 25
    assert all(one.frame is not None for one in taken)


def test_of_jpegs_only_the_newest_waits(tmp_path: Path) -> None:
    require_ffmpeg()
    encode_clip(tmp_path / "m.avi", "-c:v", "mjpeg", seconds=1)
    bench = Bench(tmp_path / "m.avi")

    taken = [bench.take(packet) for packet in bench.packets[:20]]

    assert [i for i, one in enumerate(taken) if one.frame is not None] == [0]
    assert len(bench.decoder._waiting) == 1
    assert samples_of(taken[-1])


@pytest.mark.parametrize("name", ["columns.264", "columns.mp4"])
def test_where_a_decoder_may_only_begin_is_no_keyframe(
    tmp_path: Path, name: str
) -> None:
    require_ffmpeg()
    refreshed = ("-c:v", "libx264", "-x264-params", "intra-refresh=1:keyint=10")
    encode_clip(tmp_path / name, "-bf", "0", *refreshed, seconds=2)
    bench, steady = Bench(tmp_path / name, cost_ms=1), Bench(tmp_path / name)
    steady.looks = True

    taken = [bench.take(packet) for packet in bench.packets[:45]]
    whole = [steady.take(packet) for packet in steady.packets[:45]]

    # Thrown away, what came before would leave holes until all columns are refreshed.
    assert sum(packet.is_keyframe for packet in bench.packets) > 3
    assert is_equal(samples_of(taken[-1]), samples_of(whole[-1]))


def test_packets_that_wait_take_no_more_than_some_memory(bench: Bench) -> None:
    filler = b"\0\0\1\x0c" + b"\xff" * (1 << 20) + b"\x80"  # FFmpeg skips it
    most = 0
    for packet in bench.packets[: 2 * GOP]:
        large = padded(packet, filler)
        bench.take(large)
        most = max(most, sum(one.packet.size for one in bench.decoder._waiting))

    assert (1 << 20) < most < (10 << 20)


def test_damaged_packet_that_waits_is_a_bad_picture(bench: Bench) -> None:
    bench.take(bench.packets[0])
    bench.take(bench.packets[1])
    taken = bench.take(damaged(bench.packets[2]))

    with pytest.raises(BadPictureError):
        samples_of(taken)


def test_damage_ends_the_source_though_nobody_looks(bench: Bench) -> None:
    bench.take(bench.packets[0])

    def feed() -> None:
        for packet in bench.packets[1:]:
            bench.clock.now_ns += FRAME_NS
            bench.decoder.take(damaged(packet), bench.clock.now_ns)

    with pytest.raises(SourceUnavailableError, match="cannot be decoded"):
        feed()


def test_pictures_of_another_size_are_not_taken_for_those_before(
    tmp_path: Path,
) -> None:
    require_ffmpeg()
    for name, size in (("large.264", "320:180"), ("small.264", "160:90")):
        encode_clip(tmp_path / name, "-vf", f"scale={size}", "-bf", "0", seconds=0.4)
    bench, small = Bench(tmp_path / "large.264"), Bench(tmp_path / "small.264")
    bench.take(bench.packets[0])

    first = bench.take(small.packets[0])

    with pytest.raises(BadPictureError, match="changed"):
        samples_of(first)
    assert samples_of(bench.take(small.packets[1])).width == 160


def test_clip_that_nobody_watches_goes_on_over_its_end(tmp_path: Path) -> None:
    require_ffmpeg()
    encode_clip(tmp_path / "c.mp4", "-vf", "scale=322:180", "-bf", "0", seconds=0.4)
    url = f"file:{tmp_path / 'c.mp4'}"
    source = open_source(url, SourceOptions(is_unwanted=lambda: True))

    pictures = [source.read() for _ in range(25)]
    for picture in pictures[-3:]:
        picture.copy_to(new_planes(322, 180))
    source.close()

    steps_ns = [b.pts_ns - a.pts_ns for a, b in itertools.pairwise(pictures)]
    assert {round(step_ns / NS_PER_MS) for step_ns in steps_ns} == {40}


def padded(packet: Packet, filler: bytes) -> Packet:
    """Return a packet with a unit behind it that a decoder passes over."""
    unit = (len(filler) - 3).to_bytes(4, "big") + filler[3:]  # as MP4 has them
    large: Packet = av.Packet(bytes(packet) + unit)  # type: ignore[assignment] # by its stream
    large.pts, large.dts, large.time_base = packet.pts, packet.dts, packet.time_base
    large.is_keyframe = packet.is_keyframe
    return large


def damaged(packet: Packet) -> Packet:
    """Return a packet of the same place whose bytes are noise."""
    noise: Packet = av.Packet(b"\0\0\0\x64" + bytes(range(1, 101)))  # type: ignore[assignment] # by its stream
    noise.pts, noise.dts, noise.time_base = packet.pts, packet.dts, packet.time_base
    noise.is_keyframe = packet.is_keyframe
    return noise
