"""Sound as those who listen can decode it: passed on as it is, else encoded anew.

A browser wants Opus, RTMP wants AAC, and cameras often have G.711. 20 ms of sound take
0.3 ms to decode and encode.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.audio.fifo import AudioFifo
from av.audio.resampler import AudioResampler

from ooblexd.audio import AudioCodec, AudioPacket
from ooblexd.clock import NS_PER_MS, NS_PER_S
from ooblexd.errors import EncoderError

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLE_RATE = 48_000  # the only one that WebRTC has for Opus
_CHANNELS = 2
_SPEC = {AudioCodec.OPUS: ("libopus", "s16"), AudioCodec.AAC: ("aac", "fltp")}
_OPUS_SAMPLES = 960  # 20 ms
_BIT_RATE = 96_000
_GAP_NS = 100 * NS_PER_MS  # between what was counted and what the source says


class SoundEncoder:
    """Gives the sound of one stream in one codec.

    Args:
        codec: Opus or AAC.
    """

    def __init__(self, codec: AudioCodec) -> None:
        self.codec = codec
        self._kind: tuple[object, ...] = ()
        self._chain: _Chain | None = None

    def take(self, packet: AudioPacket) -> list[AudioPacket]:
        """Return what is there by a packet, as a rule one.

        Raises:
            EncoderError: It cannot be decoded; the next one may.
        """
        is_aac = self.codec is AudioCodec.AAC
        if packet.is_plain_aac if is_aac else packet.codec is self.codec:
            return [packet]
        # What is inside an encoder must not come out as what has passed more than it.
        like = (packet.codec, packet.sample_rate, packet.channels, packet.setup)
        kind = (*like, packet.revision)
        try:
            if self._chain is None or kind != self._kind:
                self._kind, self._chain = kind, _Chain(self.codec, packet)
            return list(self._chain.take(packet))
        except (av.FFmpegError, ValueError) as error:
            self._chain = None
            raise EncoderError(f"{packet.codec.name.lower()}: {error}") from error


class _Chain:
    """Decoder, resampler and encoder for one kind of sound."""

    def __init__(self, codec: AudioCodec, like: AudioPacket) -> None:
        name, sample_format = _SPEC[codec]
        self._codec = codec
        self._decoder = _decoder_of(like)
        self._sample_format = sample_format
        self._resampler = AudioResampler(sample_format, "stereo", SAMPLE_RATE)
        self._shape = ("", 0)  # of what the decoder gives
        encoder = av.CodecContext.create(name, "w")
        assert isinstance(encoder, av.AudioCodecContext)
        encoder.sample_rate, encoder.bit_rate = SAMPLE_RATE, _BIT_RATE
        encoder.format, encoder.layout = av.AudioFormat(sample_format), "stereo"
        encoder.time_base = Fraction(1, SAMPLE_RATE)
        if codec is AudioCodec.OPUS:
            encoder.options = {"application": "lowdelay"}
        encoder.open()
        self._encoder = encoder
        self._samples = encoder.frame_size or _OPUS_SAMPLES
        self._fifo = AudioFifo()
        self._start_ns = 0  # of the first sample
        self._written = 0  # samples, into the fifo
        self._read = 0  # likewise, out of it

    def take(self, packet: AudioPacket) -> Iterator[AudioPacket]:
        expected_ns = self._start_ns + self._written * NS_PER_S // SAMPLE_RATE
        if abs(packet.at_ns - expected_ns) > _GAP_NS:
            self._start_ns += packet.at_ns - expected_ns
        for frame in self._decoder.decode(av.Packet(packet.data)):
            self._write(frame)
        while (piece := self._fifo.read(self._samples)) is not None:
            piece.pts, piece.time_base = self._read, Fraction(1, SAMPLE_RATE)
            self._read += piece.samples
            for encoded in self._encoder.encode(piece):
                # An encoder is behind, and gives sound that is a little older: of AAC
                # 43 ms, which one would hear too late.
                assert encoded.pts is not None, "it has been told the time"
                at_ns = self._start_ns + encoded.pts * NS_PER_S // SAMPLE_RATE
                yield AudioPacket(
                    codec=self._codec,
                    sample_rate=SAMPLE_RATE,
                    channels=_CHANNELS,
                    at_ns=at_ns,
                    duration_ns=self._samples * NS_PER_S // SAMPLE_RATE,
                    setup=bytes(self._encoder.extradata or b""),
                    data=bytes(encoded),
                    revision=packet.revision,
                )

    def _write(self, frame: av.AudioFrame) -> None:
        shape = (frame.layout.name, frame.sample_rate)
        if shape != self._shape:  # some AAC tells by and by how much of it there is
            self._shape = shape
            self._resampler = AudioResampler(self._sample_format, "stereo", SAMPLE_RATE)
        for resampled in self._resampler.resample(frame):
            resampled.pts = None  # of the fifo
            self._written += resampled.samples
            self._fifo.write(resampled)


def _decoder_of(packet: AudioPacket) -> av.AudioCodecContext:
    decoder = av.CodecContext.create(packet.codec.name.lower(), "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.sample_rate = packet.sample_rate
    decoder.layout = "mono" if packet.channels == 1 else "stereo"
    if packet.setup:
        decoder.extradata = packet.setup
    return decoder
