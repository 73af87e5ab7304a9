"""Sound beside the pictures that one player gets by RTSP: a track of AAC.

It begins with the first picture and has that one's time, so that players, which are
told of both at ``PLAY``, need not wait for reports to have them in sync.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ooblexd.aac import shape_of
from ooblexd.audio_line import AudioLine, AudioShape
from ooblexd.clock import NS_PER_S, unix_us
from ooblexd.control.outlet import Sounding
from ooblexd.rtp import AudioPacketiser

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ooblexd.audio import AudioPacket
    from ooblexd.audio_line import AudioPiece

_REPORT_EVERY_NS = 5 * NS_PER_S


class PlayedSound:
    """The track of sound of one player.

    Args:
        shape: What it is like.

    Attributes:
        channel: Where its packets go; -1 where the player has not asked for it.
        packetiser: Makes the packets.
    """

    def __init__(self, shape: AudioShape) -> None:
        self.channel = -1
        self.packetiser = AudioPacketiser(*shape)
        self._shape = shape
        self._line: AudioLine | None = None
        self._origin_ns = 0
        self._report_from_ns = 0

    def is_like(self, packet: AudioPacket) -> bool:
        """Say whether a packet of AAC fits into the track."""
        return AudioShape(*shape_of(packet.setup)) == self._shape

    def put(self, packet: AudioPacket) -> list[Sounding]:
        """Return what is to be sent by a packet."""
        if self._line is None or packet.at_ns < self._origin_ns:
            return []
        return self._soundings(self._line.put(packet))

    def reach(self, picture_ns: int) -> list[Sounding]:
        """Return what is to be sent by a picture; the first is where all begins."""
        if self.channel < 0:
            return []
        if self._line is None:
            self._line = AudioLine(self._shape, picture_ns)
            self._origin_ns = picture_ns
            self.packetiser.begin(picture_ns)
        return self._soundings(self._line.reach(picture_ns))

    def dress(self, sounding: Sounding) -> list[tuple[int, bytes]]:
        """Return packets, each with its channel, of what is about to be sent."""
        at_ns = self._time_of(sounding.samples)
        packets = self.packetiser.packets(sounding.data, at_ns)
        dressed = [(self.channel, packet) for packet in packets]
        if at_ns >= self._report_from_ns:
            self._report_from_ns = at_ns + _REPORT_EVERY_NS
            report = self.packetiser.report(at_ns, unix_us(at_ns))
            dressed.append((self.channel + 1, report))
        return dressed

    def _time_of(self, samples: int) -> int:
        return self._origin_ns + samples * NS_PER_S // self._shape.rate_hz

    def _soundings(self, pieces: Iterable[AudioPiece]) -> list[Sounding]:
        return [Sounding(one.revision, one.data, one.samples) for one in pieces]
