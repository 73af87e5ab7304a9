"""Sound in messages of RTMP, as FFmpeg and others write them."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import pytest

from ooblexd.aac import setup_of
from ooblexd.audio import AudioCodec, AudioPacket
from ooblexd.clock import NS_PER_MS
from ooblexd.encoders.sound import SoundEncoder
from ooblexd.sources import SourceOptions
from ooblexd.sources.flv_sound import FlvSound
from tests.test_aac import adts

if TYPE_CHECKING:
    from collections.abc import Callable

_AAC_SETUP, _AAC_PACKET = b"\xaf\x00", b"\xaf\x01"
_AUDIO, _FILE_HEAD_BYTES, _TAG_HEAD_BYTES, _TAG_END_BYTES = 8, 13, 11, 4
HE_AAC = bytes.fromhex("2b118800")  # 24 kHz within, 48 kHz as it is heard, stereo
XHE_AAC = bytes.fromhex("f94c2000")
SURROUND = setup_of(48_000, 7)  # which is the number of 7.1


class Publisher:
    """One whose messages are heard."""

    def __init__(self) -> None:
        self.heard: list[AudioPacket] = []
        self.said: list[str] = []
        options = replace(
            SourceOptions(), on_audio=self.heard.append, on_left_out=self.said.append
        )
        self._sound = FlvSound(options)

    def send(self, *messages: bytes) -> None:
        """Send messages of one moment."""
        for message in messages:
            self._sound.take(0, message, 0)


def messages(
    encoder: str, rate_hz: int = 48_000, layout: str = "stereo"
) -> list[bytes]:
    """Return what FFmpeg's FLV has of a second of silence."""
    file = io.BytesIO()
    with av.open(file, "w", format="flv") as container:
        stream = container.add_stream(encoder, rate=rate_hz, layout=layout)
        assert isinstance(stream, av.AudioStream)
        size = stream.codec_context.frame_size or rate_hz // 50
        for number in range(rate_hz // size):
            frame = av.AudioFrame(stream.codec_context.format.name, layout, size)
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.sample_rate, frame.pts = rate_hz, number * size
            frame.time_base = Fraction(1, rate_hz)
            container.mux(stream.encode(frame))
    return list(sounds(file.getvalue()))


def sounds(flv: bytes) -> list[bytes]:
    """Return the bodies of the tags of sound."""
    found, at = [], _FILE_HEAD_BYTES
    while at < len(flv):
        length = int.from_bytes(flv[at + 1 : at + 4], "big")
        body = flv[at + _TAG_HEAD_BYTES : at + _TAG_HEAD_BYTES + length]
        if flv[at] == _AUDIO:
            found.append(body)
        at += _TAG_HEAD_BYTES + length + _TAG_END_BYTES
    return found


def decoded_samples(packets: list[AudioPacket]) -> int:
    """Return how much AAC there is of them for those who listen."""
    encoder = SoundEncoder(AudioCodec.AAC)
    given = [one for packet in packets for one in encoder.take(packet)]
    assert all(packet.is_plain_aac for packet in given)
    return sum(1024 * 48_000 // packet.sample_rate for packet in given)


@pytest.mark.parametrize(
    ("encoder", "layout", "codec", "rate_hz", "channels"),
    [
        ("aac", "mono", AudioCodec.AAC, 48_000, 1),
        ("aac", "5.1", AudioCodec.AAC, 48_000, 6),
        ("libopus", "stereo", AudioCodec.OPUS, 48_000, 2),
        ("pcm_alaw", "mono", AudioCodec.PCM_ALAW, 8_000, 1),
        ("pcm_mulaw", "mono", AudioCodec.PCM_MULAW, 8_000, 1),
    ],
)
def test_what_can_be_decoded_is_passed_on(
    encoder: str, layout: str, codec: AudioCodec, rate_hz: int, channels: int
) -> None:
    publisher = Publisher()

    publisher.send(*messages(encoder, rate_hz, layout))

    [shape] = {(one.codec, one.sample_rate, one.channels) for one in publisher.heard}
    assert shape == (codec, rate_hz, channels)
    assert not publisher.said
    assert decoded_samples(publisher.heard) > 40_000  # of 48 000


def test_he_aac_is_passed_on_as_what_it_is() -> None:
    publisher = Publisher()
    low = [body[2:] for body in messages("aac", 24_000) if body[1]]

    publisher.send(_AAC_SETUP + HE_AAC, *(_AAC_PACKET + data for data in low))

    [shape] = {(one.setup, one.sample_rate) for one in publisher.heard}
    assert shape == (HE_AAC, 48_000)
    assert decoded_samples(publisher.heard) > 40_000


def test_heads_of_adts_are_taken_off_however_many_come_at_once() -> None:
    publisher = Publisher()
    _, packets = adts(48_000, 2)

    publisher.send(_AAC_PACKET + packets[0], _AAC_PACKET + packets[1] + packets[2])

    assert {one.setup for one in publisher.heard} == {setup_of(48_000, 2)}
    assert [one.data for one in publisher.heard] == [one[7:] for one in packets[:3]]
    assert [one.at_ns // NS_PER_MS for one in publisher.heard] == [0, 0, 21]
    assert decoded_samples(publisher.heard)


@pytest.mark.parametrize(
    ("bodies", "name"),
    [
        (lambda: messages("libmp3lame", 44_100), "MP3"),
        (lambda: messages("ac3"), "AC-3"),
        (lambda: [_AAC_SETUP + XHE_AAC, _AAC_PACKET + bytes(9)], "xHE-AAC"),
        (lambda: [_AAC_SETUP + SURROUND], "AAC-LC of more than 6 channels"),
        (lambda: [_AAC_PACKET + bytes(9)] * 200, "AAC without its configuration"),
        (
            lambda: [_AAC_PACKET + adts(48_000, 2)[1][0][:-1]],
            "AAC behind heads of ADTS",
        ),
        (lambda: [b"\x91what" + bytes(9)], "of an unknown codec"),
    ],
)
def test_what_cannot_is_named_once_with_what_to_do(
    bodies: Callable[[], list[bytes]], name: str
) -> None:
    publisher = Publisher()

    publisher.send(*bodies(), *bodies())

    assert not publisher.heard
    [words] = publisher.said
    assert words.startswith(f"its sound is {name}")
    assert words.endswith("set the encoder to AAC-LC, at most 2 channels")


@pytest.mark.parametrize("body", [b"", b"\xaf", b"\xaf\x00", b"\x9f", b"\x90Opus"])
def test_a_message_that_is_too_short_says_nothing(body: bytes) -> None:
    publisher = Publisher()

    publisher.send(body)

    assert not publisher.heard
    assert not publisher.said
