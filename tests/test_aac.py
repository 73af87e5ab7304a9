"""Setups and heads of AAC, as FFmpeg writes them."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest

from ooblexd.aac import PACKET_SAMPLES, SILENCE, is_plain, shape_of, without_head

LAYOUTS = {1: "mono", 2: "stereo"}


def adts(rate_hz: int, channels: int) -> tuple[bytes, list[bytes]]:
    """Return the setup that FFmpeg's encoder has, and its packets with their heads."""
    file = io.BytesIO()
    with av.open(file, "w", format="adts") as container:
        stream = container.add_stream("aac", rate=rate_hz, layout=LAYOUTS[channels])
        for number in range(5):
            frame = av.AudioFrame("fltp", LAYOUTS[channels], PACKET_SAMPLES)
            for plane in frame.planes:
                plane.update(
                    np.random.default_rng(1).random(1024, np.float32).tobytes()
                )
            frame.sample_rate, frame.pts = rate_hz, number * PACKET_SAMPLES
            container.mux(stream.encode(frame))
        setup = bytes(stream.codec_context.extradata or b"")
    with av.open(io.BytesIO(file.getvalue()), mode="r", format="aac") as container:
        return setup, [bytes(packet) for packet in container.demux() if packet.size]


@pytest.mark.parametrize("rate_hz", [48_000, 44_100, 16_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_head_is_taken_off_and_says_what_the_encoder_says(
    rate_hz: int, channels: int
) -> None:
    setup, packets = adts(rate_hz, channels)

    found = [without_head(packet) for packet in packets]

    assert {one[0] for one in found if one} == {setup[:2]}
    assert is_plain(setup)
    assert shape_of(setup) == (rate_hz, channels)
    decoder = av.CodecContext.create("aac", "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.extradata = setup[:2]
    raw = [one[1] for one in found if one] + [SILENCE[channels]] * 3
    frames = [frame for data in raw for frame in decoder.decode(av.Packet(data))]
    assert [len(frame.planes) for frame in frames] == [channels] * len(raw)
    loudest = [float(np.abs(frame.to_ndarray()).max()) for frame in frames]
    assert loudest[2] > 0.1
    assert loudest[-1] == 0


@pytest.mark.parametrize(
    "setup", [b"", b"\x12", "2b11", "1214", "1230", "1588"], ids=str
)
def test_what_not_all_players_take_is_not_plain(setup: bytes | str) -> None:
    told = setup if isinstance(setup, bytes) else bytes.fromhex(setup)

    assert not is_plain(told)


@pytest.mark.parametrize("packet", [b"", SILENCE[2], b"\xff\xf1" + bytes(4)])
def test_what_has_no_head_is_left_alone(packet: bytes) -> None:
    assert without_head(packet) is None
