"""The sound of what FFmpeg reads, passed on packet by packet and never decoded.

Not every packet says when it is heard: MPEG-TS has several behind one time, and FFmpeg
tells the others only where it knows their rate, which it does not if it was to begin
with the first picture. So time is counted on by samples from what was said last.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from av.stream import Disposition

from ooblexd.aac import PACKET_SAMPLES, is_plain, shape_of, without_head
from ooblexd.audio import AudioCodec, AudioPacket
from ooblexd.clock import NS_PER_S
from ooblexd.sources.left_out import MOST_AAC_CHANNELS, left_out
from ooblexd.sources.media_clock import MediaClock

if TYPE_CHECKING:
    from fractions import Fraction

    import av
    from av.container import InputContainer
    from av.stream import Stream

    from ooblexd.sources.options import SourceOptions


_MOST_CHANNELS = {
    AudioCodec.OPUS: 2,  # more are several streams in one, which WebRTC has not
    AudioCodec.AAC: MOST_AAC_CHANNELS,
}


class Sound:
    """The track of sound in a container, where there is one that we know.

    Of several it is the one that is meant to be heard where nobody chooses, else the
    first.

    Args:
        container: Opened.
        options: Their ``on_audio`` is told of each packet; no track is read where
            nobody wants it.

    Attributes:
        stream: The track; None where there is none to pass on.
    """

    def __init__(self, container: InputContainer, options: SourceOptions) -> None:
        self.stream: av.AudioStream | None = None
        self._on_audio = options.on_audio
        self._clock = MediaClock()
        self._next_ns: int | None = None
        if options.on_audio is not None:
            self.stream = _track_of(container)

    def note_picture(self, packet: av.Packet[av.VideoStream], arrival_ns: int) -> None:
        """Learn from a picture how the source's clock stands to ours."""
        if self.stream is not None and packet.dts is not None:
            self._clock.note(_time_ns(packet.time_base, packet.dts), arrival_ns)

    def pass_on(self, packet: av.Packet[av.AudioStream], arrival_ns: int) -> None:
        """Tell of a packet that has come."""
        audio = self.read(packet)
        if audio is not None:
            self.tell(audio, self._clock.at(audio.at_ns, arrival_ns))

    def read(self, packet: av.Packet[av.AudioStream]) -> AudioPacket | None:
        """Return a packet as it travels here, with the time that the source gives it.

        Returns:
            Its ``at_ns`` is in the source's own time. None before the source has said
            any.
        """
        at_ns = self._next_ns
        if packet.pts is not None:
            at_ns = _time_ns(packet.time_base, packet.pts)
        if at_ns is None or not packet.size:
            return None
        audio = _as_it_travels(packet, at_ns)
        self._next_ns = at_ns + audio.duration_ns if audio.duration_ns else None
        return audio

    def tell(self, audio: AudioPacket, at_ns: int) -> None:
        """Tell of a packet that is heard at a monotonic time."""
        if self._on_audio is not None:
            self._on_audio(replace(audio, at_ns=at_ns))


def why_silent(container: InputContainer) -> str:
    """Say why nothing is passed on of a container that has sound.

    Returns:
        Words for its owner; empty where there is no sound, or where it is passed on.
    """
    tracks = container.streams.audio
    if not tracks or _track_of(container) is not None:
        return ""
    context = getattr(tracks[0], "codec_context", None)
    if context is None:
        return left_out("")
    codec = AudioCodec.named(cast("str", context.codec.name))
    if codec is not None:
        return left_out(f"{codec.name} of {context.channels} channels")
    return left_out(context.codec.canonical_name)


def tell_left_out(container: InputContainer, options: SourceOptions) -> None:
    """Say to ``options.on_left_out`` why sound that is wanted is not passed on."""
    if options.on_audio is not None and (why := why_silent(container)):
        options.on_left_out(why)


def _track_of(container: InputContainer) -> av.AudioStream | None:
    known = [track for track in container.streams.audio if _codec_of(track) is not None]
    meant = [track for track in known if track.disposition & Disposition.default]
    return next(iter(meant + known), None)


def _as_it_travels(packet: av.Packet[av.AudioStream], at_ns: int) -> AudioPacket:
    context, codec = packet.stream.codec_context, _codec_of(packet.stream)
    assert codec is not None, "else it is not the track"
    setup, data = bytes(context.extradata or b""), bytes(packet)
    rate_hz, channels = context.sample_rate, context.channels
    duration_ns = _time_ns(packet.time_base, packet.duration or 0)
    if codec is AudioCodec.AAC and not setup:
        setup, data = without_head(data) or (b"", data)
    if codec is AudioCodec.AAC and is_plain(setup):
        plain_hz, plain_channels = shape_of(setup)
        rate_hz, channels = rate_hz or plain_hz, channels or plain_channels
        duration_ns = duration_ns or PACKET_SAMPLES * NS_PER_S // plain_hz
    return AudioPacket(
        codec=codec,
        sample_rate=rate_hz,
        channels=channels,
        at_ns=at_ns,
        duration_ns=duration_ns,
        setup=setup,
        data=data,
    )


def _codec_of(stream: Stream) -> AudioCodec | None:
    context = getattr(stream, "codec_context", None)  # None where FFmpeg knows no codec
    if context is None:
        return None
    codec = AudioCodec.named(cast("str", context.codec.name))
    most = _MOST_CHANNELS.get(codec) if codec is not None else None
    return codec if most is None or context.channels <= most else None


def _time_ns(time_base: Fraction, units: int) -> int:
    return int(units * time_base * NS_PER_S)
