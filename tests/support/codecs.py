"""Which codecs a client of a test offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiortc import RTCRtpReceiver

if TYPE_CHECKING:
    from aiortc import RTCRtpTransceiver


def prefer(transceiver: RTCRtpTransceiver, name: str) -> None:
    """Offer the codec ``name`` and no other."""
    known = RTCRtpReceiver.getCapabilities("video")
    assert known is not None
    transceiver.setCodecPreferences([one for one in known.codecs if one.name == name])
