"""What aiortc does otherwise than its peers can bear, put right.

Each adapter names what it changes, why, and how one sees that it is not needed any
more; ``tests/webrtc/test_adapters.py`` fails when it does nothing. All of them replace
what aiortc 1.14 to 1.16 keep in private names; where a name is gone they do nothing and
say so once, since watching works without them for most.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from aiortc import RTCCertificate, RTCPeerConnection
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_RTPFB_NACK,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    unpack_remb_fci,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiortc import RTCRtpSender, RTCRtpTransceiver
    from aiortc.rtcdtlstransport import (
        RTCDtlsFingerprint,
        SRTPProtectionProfile,
    )
    from aiortc.rtp import AnyRtcpPacket
    from OpenSSL import SSL

logger = logging.getLogger(__name__)

_CERTIFICATES = "_RTCPeerConnection__certificates"
_SENT = "_RTCRtpSender__rtp_history"
_WHOLE = 256  # of a share lost
# Forward secrecy and AEAD first; the older two are what DTLS 1.2 peers have always had.
_CIPHERS = b":".join(
    b"ECDHE-%s-%s" % (signature, cipher)
    for cipher in (
        b"AES128-GCM-SHA256",
        b"CHACHA20-POLY1305",
        b"AES128-SHA",
        b"AES256-SHA",
    )
    for signature in (b"ECDSA", b"RSA")
)


class Certificate(RTCCertificate):
    """A certificate that every peer accepts, and that accepts every peer.

    Two things differ from aiortc 1.16. It has one fingerprint, SHA-256: given three,
    libdatachannel, which OBS uses, compares against the wrong one in a third of the
    sessions (aiortc's pull request 1216 added the others). And peers with an RSA
    certificate, as GStreamer's, find a cipher (aiortc's issue 1434).
    """

    def getFingerprints(self) -> list[RTCDtlsFingerprint]:  # noqa: N802 # aiortc's name
        """Return the SHA-256 fingerprint."""
        found = super().getFingerprints()
        return [one for one in found if one.algorithm == "sha-256"] or found

    def _create_ssl_context(
        self, srtp_profiles: list[SRTPProtectionProfile]
    ) -> SSL.Context:
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(_CIPHERS)
        return context


def use_certificate(connection: RTCPeerConnection, certificate: Certificate) -> None:
    """Have a connection that has no transport yet use ``certificate``."""
    if not hasattr(connection, _CERTIFICATES):
        logger.warning(
            "this aiortc keeps its certificate elsewhere; OBS may not connect"
        )
        return
    setattr(connection, _CERTIFICATES, [certificate])


def agreed_codec(transceiver: RTCRtpTransceiver) -> str:
    """Return the name of the codec that the sender will use, such as ``H264``."""
    return str(transceiver._codecs[0].name)  # noqa: SLF001 # nothing public tells it


def agreed_codecs(transceiver: RTCRtpTransceiver) -> dict[int, str]:
    """Return the name of each codec that may come, by its payload type."""
    codecs = transceiver._codecs  # noqa: SLF001 # nothing public tells it
    return {codec.payloadType or 0: str(codec.name) for codec in codecs}


def hear_feedback(
    sender: RTCRtpSender,
    on_report: Callable[[float], None],
    on_keyframe_wanted: Callable[[], None],
    on_estimate: Callable[[int], None],
    may_resend: Callable[[], bool],
) -> None:
    """Have what a viewer reports reach an encoder that is not the sender's own.

    aiortc 1.16 tells both to the encoder that it makes for each viewer. We encode once
    for all of them.

    Args:
        sender: Of the viewer.
        on_report: Called whenever it says anything (RTCP), with the share of our
            packets that it says were lost; 0 where it says nothing of that.
        on_keyframe_wanted: Called when it can decode nothing until a keyframe comes.
        on_estimate: Called with the bits a second that it thinks it can receive (REMB).
        may_resend: Says whether what was sent last might be sent now. If not, a packet
            that was lost stays lost.
    """
    take = sender._handle_rtcp_packet  # noqa: SLF001 # what the adapter is for

    async def note(packet: AnyRtcpPacket) -> None:
        on_report(_share_lost(packet, sender))
        is_nack = isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK
        if is_nack and not may_resend():
            return
        if isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
            try:
                on_estimate(unpack_remb_fci(packet.fci)[0])
            except ValueError:
                return  # another application's
        await take(packet)

    theirs: Any = sender  # names that are nobody's but aiortc's
    theirs._handle_rtcp_packet = note  # noqa: SLF001 # what the adapter is for
    theirs._send_keyframe = on_keyframe_wanted  # noqa: SLF001 # likewise


def _share_lost(packet: AnyRtcpPacket, sender: RTCRtpSender) -> float:
    """Return what a receiver report says (RFC 3550, section 6.4.1), 0 to 1."""
    if not isinstance(packet, (RtcpRrPacket, RtcpSrPacket)):
        return 0.0
    ssrc = sender._ssrc  # noqa: SLF001 # nothing public tells it
    lost = [one.fraction_lost for one in packet.reports if one.ssrc == ssrc]
    return max(lost, default=0) / _WHOLE


def forget_sent(sender: RTCRtpSender) -> None:
    """Have no packet sent again that was sent before (NACK, RFC 4585).

    aiortc 1.16 keeps the last 128, and asks nobody before it repeats one.
    """
    sent = getattr(sender, _SENT, None)
    if sent is not None:
        sent.clear()
