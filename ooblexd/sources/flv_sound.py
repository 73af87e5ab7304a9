"""The sound of who publishes by RTMP, past FFmpeg: AAC, Opus or G.711.

FFmpeg would wait for sound that a publisher announces, before the first picture.

What encoders send is AAC, and newer ones may send Opus, as enhanced RTMP has it. AAC is
passed on with its configuration, of whatever profile it is. Some hardware leaves the
head of ADTS on each packet, which is taken off. Of several tracks the first is heard.

Source: Video File Format Specification, version 10.1 (E.4.2); Veovera's Enhanced RTMP
v2, "Enhanced Audio".
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ooblexd.aac import PACKET_SAMPLES, has_head, read_setup, without_heads
from ooblexd.audio import SLOT_BYTES, AudioCodec, AudioPacket
from ooblexd.clock import NS_PER_MS, NS_PER_S
from ooblexd.sources.left_out import MOST_AAC_CHANNELS, left_out
from ooblexd.sources.media_clock import MediaClock

if TYPE_CHECKING:
    from ooblexd.sources.options import SourceOptions

_ENHANCED, _AAC = 9, 10
_G711 = {7: AudioCodec.PCM_ALAW, 8: AudioCodec.PCM_MULAW}
_G711_HZ = 8000
_OTHERS = {
    0: "PCM",
    1: "ADPCM",
    2: "mp3",
    3: "PCM",
    4: "Nellymoser",
    5: "Nellymoser",
    6: "Nellymoser",
    11: "speex",
    14: "mp3",
}
_OTHERS_BY_NAME = {b"ac-3": "ac3", b"ec-3": "eac3", b".mp3": "mp3", b"fLaC": "flac"}
_SETUP, _PACKET = 0, 1  # the only kinds of message that matter, enhanced or not
_HEAD_BYTES, _ENHANCED_HEAD_BYTES = 2, 5
_OPUS_HZ = 48_000
_OPUS_CHANNELS_AT, _OPUS_MAPPING_AT = 9, 18  # in its head (RFC 7845, 5.1)
_MANY = 100  # packets, some seconds
_MOST_SAID = 3  # of one publisher, which may lie


class FlvSound:
    """Takes the messages of sound of one publisher.

    Args:
        options: Their ``on_audio`` is told of each packet, ``on_left_out`` why there
            are none.
    """

    def __init__(self, options: SourceOptions) -> None:
        self._on_audio = options.on_audio
        self._on_left_out = options.on_left_out
        self._clock = MediaClock()
        self._setup: AudioPacket | None = None  # what all packets are like
        self._unexplained = 0
        self._said: set[str] = set()

    def note_picture(self, time_ms: int, arrival_ns: int) -> None:
        """Learn from a picture how the publisher's clock stands to ours."""
        self._clock.note(time_ms * NS_PER_MS, arrival_ns)

    def take(self, time_ms: int, body: bytes, arrival_ns: int) -> None:
        """Tell of what a message holds, or why it is left out."""
        if self._on_audio is None or not _HEAD_BYTES < len(body) <= SLOT_BYTES:
            return
        at_ns = self._clock.at(time_ms * NS_PER_MS, arrival_ns)
        form = body[0] >> 4
        if form == _AAC:
            self._take_aac(body[1], body[_HEAD_BYTES:], at_ns)
        elif form in _G711:
            channels = 1 + (body[0] & 1)
            like = _like(_G711[form], _G711_HZ, channels)
            self._tell(like, body[1:], at_ns, len(body[1:]) // channels)
        elif form == _ENHANCED:
            kind, name = body[0] & 15, body[1:_ENHANCED_HEAD_BYTES]
            self._take_enhanced(kind, name, body[_ENHANCED_HEAD_BYTES:], at_ns)
        else:
            self._leave_out(_OTHERS.get(form, ""))

    def _take_enhanced(self, kind: int, name: bytes, data: bytes, at_ns: int) -> None:
        if kind not in (_SETUP, _PACKET):
            return  # of further tracks, or about where the loudspeakers stand
        if name == b"mp4a":
            self._take_aac(kind, data, at_ns)
        elif name == b"Opus":
            self._take_opus(kind, data, at_ns)
        else:
            self._leave_out(_OTHERS_BY_NAME.get(name, ""))

    def _take_aac(self, kind: int, data: bytes, at_ns: int) -> None:
        if kind == _SETUP:
            self._set_up_aac(data)
        elif kind == _PACKET and has_head(data):
            pieces = without_heads(data)
            for number, (setup, piece) in enumerate(pieces):
                self._set_up_aac(setup)
                if (like := self._setup) is not None:
                    samples = number * PACKET_SAMPLES
                    later_ns = samples * NS_PER_S // like.sample_rate
                    self._tell(like, piece, at_ns + later_ns)
            if not pieces:
                self._leave_out("AAC behind heads of ADTS that are not whole")
        elif kind == _PACKET:
            self._tell_aac(data, at_ns)

    def _tell_aac(self, data: bytes, at_ns: int) -> None:
        if self._setup is not None:
            self._tell(self._setup, data, at_ns)
            return
        self._unexplained += 1
        if self._unexplained == _MANY:
            self._leave_out("AAC without its configuration")

    def _set_up_aac(self, setup: bytes) -> None:
        said = read_setup(setup)
        self._setup = None
        if said is None:
            self._leave_out("AAC of an unknown profile")
        elif not said.is_decoded:
            self._leave_out(said.name)
        elif not 1 <= said.channels <= MOST_AAC_CHANNELS:
            self._leave_out(f"{said.name} of more than {MOST_AAC_CHANNELS} channels")
        else:
            self._setup = _like(AudioCodec.AAC, said.rate_hz, said.channels, setup)

    def _take_opus(self, kind: int, data: bytes, at_ns: int) -> None:
        if kind == _SETUP and len(data) > _OPUS_MAPPING_AT:
            channels = data[_OPUS_CHANNELS_AT]
            self._setup = None
            if data[_OPUS_MAPPING_AT]:
                self._leave_out(f"Opus of {channels} channels")
                return
            self._setup = _like(AudioCodec.OPUS, _OPUS_HZ, channels, data)
        elif kind == _PACKET and self._setup is not None:
            self._tell(self._setup, data, at_ns)

    def _tell(
        self, like: AudioPacket, data: bytes, at_ns: int, samples: int = 0
    ) -> None:
        if self._on_audio is not None:
            duration_ns = samples * NS_PER_S // like.sample_rate
            self._on_audio(
                replace(like, at_ns=at_ns, duration_ns=duration_ns, data=data)
            )

    def _leave_out(self, codec: str) -> None:
        """Say, once, that this is left out."""
        words = left_out(codec)
        if words not in self._said and len(self._said) < _MOST_SAID:
            self._said.add(words)
            self._on_left_out(words)


def _like(
    codec: AudioCodec, rate_hz: int, channels: int, setup: bytes = b""
) -> AudioPacket:
    return AudioPacket(codec, rate_hz, channels, 0, 0, setup, b"")
