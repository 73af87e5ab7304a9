"""Receives as browsers do: a picture is handed over with its last packet.

aiortc's jitter buffer hands one over when the next begins, a whole period later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiortc import RTCRtpReceiver
from aiortc.jitterbuffer import JitterBuffer, JitterFrame

if TYPE_CHECKING:
    from aiortc import RTCRtpTransceiver
    from aiortc.rtp import RtpPacket

BUFFER = "_RTCRtpReceiver__jitter_buffer"


class MarkerJitterBuffer(JitterBuffer):
    """A buffer of packets that looks at the marker bit (RFC 6184, RFC 7741)."""

    def _remove_frame(self, sequence_number: int) -> JitterFrame | None:
        packets: list[RtpPacket] = []
        assert self._origin is not None, "a packet has come"
        for count in range(self.capacity):
            packet = self._packets[(self._origin + count) % self.capacity]
            if packet is None:
                break
            if packets and packet.timestamp != packets[0].timestamp:
                break
            packets.append(packet)
            if packet.marker:
                data = b"".join(one._data for one in packets)  # type: ignore[attr-defined] # the receiver adds it, once it has taken the payload out
                self.remove(count + 1)
                return JitterFrame(data, packet.timestamp)
        return super()._remove_frame(sequence_number)


def prefer(transceiver: RTCRtpTransceiver, name: str) -> None:
    """Offer the codec ``name`` and no other."""
    known = RTCRtpReceiver.getCapabilities("video")
    assert known is not None
    transceiver.setCodecPreferences([one for one in known.codecs if one.name == name])


def deliver_by_marker(receiver: RTCRtpReceiver) -> None:
    """Have ``receiver``, which has not begun, deliver by marker bit."""
    assert hasattr(receiver, BUFFER), "this aiortc keeps it elsewhere"
    setattr(receiver, BUFFER, MarkerJitterBuffer(capacity=512, is_video=True))
