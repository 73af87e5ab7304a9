from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from ooblexd.audio import AudioCodec, AudioPacket
from ooblexd.clock import NS_PER_MS, NS_PER_S
from ooblexd.encoders.sound import SAMPLE_RATE, SoundEncoder
from ooblexd.errors import EncoderError
from tests.test_aac import adts

TONE_HZ = 1000
ENCODERS = {
    AudioCodec.OPUS: ("libopus", "s16", 48_000, 960),
    AudioCodec.AAC: ("aac", "fltp", 44_100, 1024),
    AudioCodec.PCM_MULAW: ("pcm_mulaw", "s16", 8_000, 160),
    AudioCodec.PCM_ALAW: ("pcm_alaw", "s16", 8_000, 160),
}


def tone(codec: AudioCodec, seconds: float, start_ns: int) -> list[AudioPacket]:
    """Return a tone as a camera would send it."""
    name, sample_format, rate, size = ENCODERS[codec]
    encoder = av.CodecContext.create(name, "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout = rate, "mono"
    encoder.format = av.AudioFormat(sample_format)
    encoder.time_base = Fraction(1, rate)
    encoder.open()
    packets: list[AudioPacket] = []
    for index in range(int(seconds * rate / size)):
        at = np.arange(index * size, (index + 1) * size) / rate
        wave = 0.5 * np.sin(2 * np.pi * TONE_HZ * at)
        samples = wave.astype(np.float32) if "flt" in sample_format else None
        if samples is None:
            samples = (wave * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], sample_format, "mono")
        frame.sample_rate, frame.pts = rate, index * size
        for packet in encoder.encode(frame):
            at_ns = start_ns + len(packets) * size * NS_PER_S // rate
            setup = bytes(encoder.extradata or b"")
            packets.append(
                AudioPacket(codec, rate, 1, at_ns, 0, setup, bytes(packet), 3)
            )
    return packets


def decoded(packets: list[AudioPacket]) -> list[tuple[int, np.ndarray]]:
    """Return when each piece of the left channel begins, and its samples up to 1."""
    decoder = av.CodecContext.create(packets[0].codec.name.lower(), "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.sample_rate, decoder.layout = packets[0].sample_rate, "stereo"
    if packets[0].codec is AudioCodec.AAC:
        decoder.extradata = packets[0].setup
    planar = av.AudioResampler("fltp", "stereo", SAMPLE_RATE)
    return [
        (packet.at_ns, even.to_ndarray()[0])
        for packet in packets
        for frame in decoder.decode(av.Packet(packet.data))
        for even in planar.resample(frame)
    ]


def pitch_hz(packets: list[AudioPacket]) -> float:
    """Return the loudest frequency."""
    wave = np.concatenate([samples for _, samples in decoded(packets)])
    spectrum = np.abs(np.fft.rfft(wave))
    return float(np.argmax(spectrum) * SAMPLE_RATE / len(wave))


@pytest.mark.parametrize("wanted", [AudioCodec.OPUS, AudioCodec.AAC])
@pytest.mark.parametrize("given", list(ENCODERS))
def test_a_tone_stays_a_tone_at_its_time(given: AudioCodec, wanted: AudioCodec) -> None:
    encoder, start_ns = SoundEncoder(wanted), 7 * NS_PER_S
    packets = tone(given, 1.0, start_ns)

    encoded = [one for packet in packets for one in encoder.take(packet)]

    assert {one.codec for one in encoded} == {wanted}
    assert {one.revision for one in encoded} == {3}
    times = [one.at_ns for one in encoded]
    assert times == sorted(set(times))
    assert abs(times[0] - start_ns) < 60 * NS_PER_MS
    assert abs(times[-1] - start_ns - NS_PER_S) < 120 * NS_PER_MS
    if given is not wanted:
        assert pitch_hz(encoded) == pytest.approx(TONE_HZ, abs=15)


def test_after_a_gap_the_time_is_the_sources_again() -> None:
    encoder = SoundEncoder(AudioCodec.OPUS)
    before = tone(AudioCodec.PCM_ALAW, 0.5, NS_PER_S)
    after = tone(AudioCodec.PCM_ALAW, 0.5, 9 * NS_PER_S)
    for packet in before:
        encoder.take(packet)

    times = [one.at_ns for packet in after for one in encoder.take(packet)]

    assert abs(times[0] - 9 * NS_PER_S) < 60 * NS_PER_MS


def test_what_is_no_sound_is_told_and_the_next_is_heard() -> None:
    encoder = SoundEncoder(AudioCodec.OPUS)
    packets = tone(AudioCodec.AAC, 0.5, 0)
    broken = AudioPacket(AudioCodec.AAC, 44_100, 1, 0, 0, b"", b"\xff\xf1nonsense")

    with pytest.raises(EncoderError, match="aac"):
        encoder.take(broken)

    assert [one for packet in packets for one in encoder.take(packet)]


def first_loud_ns(packets: list[AudioPacket]) -> int:
    """Return when something is heard first, by the times of the packets."""
    for at_ns, samples in decoded(packets):
        found = np.flatnonzero(np.abs(samples) > 0.1)
        if found.size:
            return at_ns + int(found[0]) * NS_PER_S // SAMPLE_RATE
    raise AssertionError("all is silent")


@pytest.mark.parametrize("wanted", [AudioCodec.OPUS, AudioCodec.AAC])
def test_what_an_encoder_holds_back_is_not_heard_later(wanted: AudioCodec) -> None:
    encoder, start_ns = SoundEncoder(wanted), 7 * NS_PER_S
    loud = tone(AudioCodec.PCM_MULAW, 1.0, start_ns)
    quiet = [replace(one, data=b"\xff" * len(one.data)) for one in loud]
    packets = [*quiet[:25], *loud[25:]]  # of 20 ms

    encoded = [one for packet in packets for one in encoder.take(packet)]

    late_ns = first_loud_ns(encoded) - start_ns - NS_PER_S // 2
    assert abs(late_ns) < 10 * NS_PER_MS


@pytest.mark.parametrize("wanted", [AudioCodec.OPUS, AudioCodec.AAC])
def test_what_an_encoder_holds_does_not_pass_for_what_comes_later(
    wanted: AudioCodec,
) -> None:
    encoder = SoundEncoder(wanted)
    heard = tone(AudioCodec.PCM_MULAW, 0.25, 0)
    silence = [
        replace(one, data=b"\xff" * len(one.data), at_ns=one.at_ns + 250_000_000)
        for one in heard
    ]
    later = [replace(one, revision=4) for one in silence]

    made = [one for packet in [*heard, *later] for one in encoder.take(packet)]

    of_later = [one for one in made if one.revision == 4]
    assert of_later
    assert loudness(of_later) < 0.01 < loudness([m for m in made if m.revision == 3])


def loudness(packets: list[AudioPacket]) -> float:
    """Return the largest sample; 1 at most."""
    return max(float(np.abs(samples).max()) for _, samples in decoded(packets))


def test_a_source_that_goes_from_mono_to_stereo_loses_nothing() -> None:
    encoder = SoundEncoder(AudioCodec.OPUS)
    mono, stereo = adts(48_000, 1)[1], adts(48_000, 2)[1]
    packets = [
        AudioPacket(AudioCodec.AAC, 48_000, 1, at * 21_333_333, 0, b"", data)
        for at, data in enumerate(mono + stereo + mono)
    ]

    given = [one for packet in packets for one in encoder.take(packet)]

    assert len(given) >= len(packets) * 1024 // 960 - 1
