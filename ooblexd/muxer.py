"""Step 6: H.264 and AAC, piece by piece, into a container that players read.

FFmpeg's muxers, by PyAV, into memory: a picture costs 0.015 ms (720p, `tools/bench
hls`), so whoever has one may call it in an event loop. Importing this module loads
PyAV, 20 MB and a tenth of a second, so that is done late and in a thread.
"""

from __future__ import annotations

import enum
from fractions import Fraction
from typing import TYPE_CHECKING

import av

from ooblexd.aac import PACKET_SAMPLES
from ooblexd.clock import NS_PER_S
from ooblexd.errors import MuxerError

if TYPE_CHECKING:
    from av.container import OutputContainer

RATE_HZ = 90_000  # of timestamps
_TICK = Fraction(1, RATE_HZ)


class Container(enum.Enum):
    """What pictures are put into, by FFmpeg's name of it."""

    MP4 = "mp4"  # fragmented, CMAF: a fragment a picture
    MPEG_TS = "mpegts"


_EACH_FRAGMENT = "cmaf+frag_every_frame+skip_trailer"
# With `frag_discont` a fragment says its own time; else the first is at 0 in any case.
_OPTIONS = {
    # The parameter sets are taken out of the first picture, so `moov` comes with it.
    Container.MP4: {"movflags": f"{_EACH_FRAGMENT}+frag_discont+delay_moov"},
    # With its tables at each picture one can begin to read anywhere.
    Container.MPEG_TS: {"mpegts_flags": "pat_pmt_at_frames"},
}

# A packet of TS for each of AAC; and numbers of our own for tracks of MP4.
_AUDIO_OPTIONS = {
    Container.MP4: {
        "flush_packets": "1",
        "use_stream_ids_as_track_ids": "1",
        "movflags": f"{_EACH_FRAGMENT}+frag_discont+empty_moov",
    },
    Container.MPEG_TS: {"flush_packets": "1", "pes_payload_size": "0"},
}
AUDIO_TRACK = {Container.MP4: 2, Container.MPEG_TS: 0x101}
"""Track or PID of sound; pictures have the one before."""


class Muxer:
    """Puts one stream of pictures into a container.

    Args:
        container: Which.
        width: Of the pictures, in pixels.
        height: Of the pictures, in pixels.
        origin_ns: When time is 0, on the clock of the pictures; at the first of them
            where nothing is said.
    """

    def __init__(
        self,
        container: Container,
        width: int,
        height: int,
        origin_ns: int | None = None,
    ) -> None:
        self._memory = _Memory()
        options = {**_OPTIONS[container], "flush_packets": "1"}
        self._container = av.open(
            self._memory, "w", format=container.value, options=options
        )
        self._stream = self._container.add_mux_stream(
            "h264", width=width, height=height, time_base=_TICK
        )
        self._origin_ns = origin_ns
        self._last_ticks = 0

    def mux(self, unit: bytes, pts_ns: int, *, is_keyframe: bool) -> bytes:
        """Return what the container has more by a picture.

        Args:
            unit: An access unit, Annex B; the first with its parameter sets.
            pts_ns: When it is shown, on any clock; it always grows.
            is_keyframe: Whether it can be decoded by itself.

        Returns:
            Of MPEG-TS the picture itself. Of MP4 the picture *before*, which now has
            its duration; nothing of the first, and `moov` before that of the second.

        Raises:
            MuxerError: FFmpeg cannot; the muxer is of no use any more.
        """
        if self._origin_ns is None:
            self._origin_ns = pts_ns
        # Times that differ by a tick lie in nanoseconds, rounded: that is undone here.
        passed = (pts_ns - self._origin_ns) * RATE_HZ
        ticks = (passed + NS_PER_S // 2) // NS_PER_S
        packet = av.Packet(unit)
        packet.stream = self._stream
        packet.time_base = _TICK
        packet.pts = packet.dts = ticks
        packet.is_keyframe = is_keyframe
        # Counts for the last picture alone: it lasts as long as the one before.
        packet.duration = ticks - self._last_ticks
        self._last_ticks = ticks
        try:
            self._container.mux_one(packet)
        except av.FFmpegError as error:
            raise MuxerError(f"{self._container.format.name}: {error}") from error
        return self._memory.take()

    def close(self) -> bytes:
        """End, and return what was held back."""
        return _close(self._container, self._memory)


class AudioMuxer:
    """Puts a track of AAC into a container of its own.

    With pictures in the same one FFmpeg would hold each of them back until the sound
    of its moment is there. What comes out has the track `AUDIO_TRACK`, so that it can
    stand beside pictures that came out of a `Muxer`.

    Args:
        container: Which.
        rate_hz: Samples a second.
        channels: 1 or 2.
    """

    def __init__(self, container: Container, rate_hz: int, channels: int) -> None:
        self._memory = _Memory()
        options = {**_OPTIONS[container], **_AUDIO_OPTIONS[container]}
        self._container = av.open(
            self._memory, "w", format=container.value, options=options
        )
        # Of its encoder nothing is wanted but what it says of itself, which MP4 needs.
        stream = self._container.add_stream(
            "aac", rate=rate_hz, layout="mono" if channels == 1 else "stereo"
        )
        stream.id = AUDIO_TRACK[container]
        self._stream, self._tick = stream, Fraction(1, rate_hz)

    def head(self) -> bytes:
        """Return what comes before the first packet: the init segment of MP4."""
        self._container.start_encoding()
        return self._memory.take()

    def mux(self, data: bytes, samples: int) -> bytes:
        """Return what the container has more by a packet: the one before.

        Args:
            data: Raw AAC.
            samples: When it begins, from 0 on; it always grows.

        Raises:
            MuxerError: FFmpeg cannot; what comes next it may.
        """
        packet = av.Packet(data)
        packet.stream = self._stream
        packet.time_base = self._tick
        packet.pts = packet.dts = samples
        packet.duration = PACKET_SAMPLES
        packet.is_keyframe = True
        try:
            self._container.mux_one(packet)
        except av.FFmpegError as error:
            raise MuxerError(f"{self._container.format.name}: {error}") from error
        return self._memory.take()

    def close(self) -> bytes:
        """End, and return what was held back."""
        return _close(self._container, self._memory)


def _close(container: OutputContainer, memory: _Memory) -> bytes:
    try:
        container.close()
    except av.FFmpegError as error:
        raise MuxerError(f"{container.format.name}: {error}") from error
    return memory.take()


class _Memory:
    """What FFmpeg writes, as a file that is read from the other side."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        data = b"".join(self._written)
        self._written.clear()
        return data
