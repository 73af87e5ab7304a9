"""H.264, and sound, as packets of RTP between what is said to a player by RTSP.

Source: RFC 2326, 10.12.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import anyio

from ooblexd.clock import NS_PER_S, monotonic_ns, unix_us
from ooblexd.control.outlet import Counts, Outlet, Sounding, Waiting
from ooblexd.counters import DemandWord
from ooblexd.frame import Verdict
from ooblexd.rtp import Packetiser, find_parameter_sets

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from ooblexd.audio import AudioPacket
    from ooblexd.control.rtsp_sound import PlayedSound
    from ooblexd.control.video_feed import VideoFeed, VideoUnit
    from ooblexd.rtp import ParameterSets

_REPORT_EVERY_NS = 5 * NS_PER_S
_COUNTS = Counts(DemandWord.RTSP_FRAMES, DemandWord.RTSP_DROPPED)
_FRAME = struct.Struct("!cBH")


class RtspViewer:
    """Sends every picture to a player, while that keeps up; a taker.

    Args:
        feed: Whose pictures.
        transport: Of the connection.

    Attributes:
        sound: What goes beside them; None where there is none.
        is_described: Set once a keyframe has said what a decoder must know.
        parameters: That; None before.
        packetiser: Makes the packets.
    """

    def __init__(self, feed: VideoFeed, transport: asyncio.Transport) -> None:
        self.sound: PlayedSound | None = None
        self.is_described = anyio.Event()
        self.parameters: ParameterSets | None = None
        self.packetiser = Packetiser()
        self._feed = feed
        self._transport = transport
        self._plays = False
        self._channel = -1
        self._is_fresh = True
        self._reported_ns = 0
        self._outlet = Outlet(feed, _COUNTS, transport, self._dress)

    def play(self, channel: int) -> None:
        """Send pictures on ``channel``, and reports on the next, from now on.

        Who wants sound alone gives -1; it begins where a picture would.
        """
        self._plays = True
        self._channel = channel
        self._feed.ask_keyframe()

    def hear(self, packet: AudioPacket) -> None:
        """Take sound, and send it beside the pictures."""
        sound = self.sound
        if sound is None or sound.channel < 0:
            return  # nothing of it is asked for
        if self._is_fresh or self._transport.is_closing():
            return
        if not sound.is_like(packet):
            self.end()  # the description does not hold any more
            return
        self._send(sound.put(packet))

    def take(self, unit: VideoUnit) -> None:
        """Take a picture, and send what there is room for."""
        if self._transport.is_closing():
            return
        if self.parameters is None and unit.header.is_keyframe:
            self.parameters = find_parameter_sets(unit.data)
            if self.parameters is not None:
                self.is_described.set()
        if not self._plays or (self._is_fresh and not unit.header.is_keyframe):
            return  # it is not too slow for these
        self._is_fresh = False
        if self._channel >= 0 and self._outlet.admits(unit.header):
            self._outlet.put(Waiting(unit.header, unit.data))
            self._outlet.look()
        if self.sound is not None:
            self._send(self.sound.reach(unit.header.pts_ns))

    def look(self) -> None:
        """Send what waits, as far as there is room and it may be shown."""
        self._outlet.look()

    def end(self) -> None:
        """End."""
        self._outlet.end()
        self._transport.close()

    def _send(self, sounding: Iterable[Sounding]) -> None:
        for one in sounding:
            self._outlet.put(one)
        self._outlet.look()

    def _dress(self, piece: Waiting | Sounding) -> bytes:
        if isinstance(piece, Waiting):
            return self._dress_picture(piece)
        assert self.sound is not None, "it has made the piece"
        return b"".join(_interleave(*packet) for packet in self.sound.dress(piece))

    def _dress_picture(self, picture: Waiting) -> bytes:
        header, channel = picture.header, self._channel
        packets = self.packetiser.packets(picture.data, header.pts_ns)
        dressed = [_interleave(channel, packet) for packet in packets]
        now_ns = monotonic_ns()
        is_due = now_ns - self._reported_ns >= _REPORT_EVERY_NS
        if is_due and header.verdict == Verdict.LIVE:  # others are of no moment
            self._reported_ns = now_ns
            taken_us = unix_us(header.capture_ns)
            report = self.packetiser.report(header.pts_ns, taken_us)
            dressed.append(_interleave(channel + 1, report))
        return b"".join(dressed)


def _interleave(channel: int, packet: bytes) -> bytes:
    return _FRAME.pack(b"$", channel, len(packet)) + packet
