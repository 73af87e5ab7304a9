"""What every session by WebRTC begins with: an offer, our answer, candidates."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiortc import (
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.exceptions import InvalidStateError, OperationError
from aiortc.sdp import candidate_from_sdp

from ooblexd.encoders.video import VideoCodec
from ooblexd.errors import OfferError
from ooblexd.webrtc.adapters import agreed_codec, use_certificate

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiortc import RTCIceCandidate, RTCRtpTransceiver

    from ooblexd.webrtc.adapters import Certificate

_MOST_CANDIDATES = 48  # of a session; each is tried with each of ours
_MOST = {"m=": 8, "a=extmap:": 128, "a=candidate:": _MOST_CANDIDATES}  # of an offer
_UNREADABLE = (
    *(ValueError, AssertionError, LookupError, AttributeError, TypeError),
    *(RuntimeError, OverflowError),
)
_MDNS = re.compile(r"a=candidate:\S+ \d+ \w+ \d+ \S+\.local ")
_CODECS = {"H264": VideoCodec.H264, "VP8": VideoCodec.VP8}
_ORDER = {name: place for place, name in enumerate(_CODECS)}


class Negotiation:
    """The connection of one session and what is said about it.

    Args:
        certificate: Ours.
        on_state: Called whenever the state of the connection has changed.

    Attributes:
        connection: aiortc's; it asks no STUN server, since one that cannot be reached
            costs five seconds.
    """

    def __init__(
        self, certificate: Certificate, on_state: Callable[[str], None]
    ) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        use_certificate(self.connection, certificate)
        self._candidates = 0
        self._on_state = on_state
        self.connection.on("connectionstatechange", self._tell_state)

    @property
    def is_connected(self) -> bool:
        """Whether media gets through."""
        return bool(self.connection.connectionState == "connected")

    async def answer(self, offer: str, prepare: Callable[[], None]) -> str:
        """Return the answer to an offer, with all our candidates.

        Args:
            offer: SDP.
            prepare: Called when it is known what the offer has, to say what we want.

        Raises:
            OfferError: It cannot be read, or wants nothing that we have.
        """
        _check_size(offer)
        self._candidates = offer.count("a=candidate:")
        connection = self.connection
        try:
            sdp = _without_mdns(offer)
            description = RTCSessionDescription(sdp=sdp, type="offer")
            await connection.setRemoteDescription(description)
            prepare()
            await connection.setLocalDescription(await connection.createAnswer())
        except OperationError as error:
            raise OfferError("no codec in common: we have H264 and VP8") from error
        except _UNREADABLE as error:
            # Its parser is not strict: what it cannot read raises anything of these.
            raise OfferError("it is no SDP that can be answered") from error
        return str(connection.localDescription.sdp)

    async def add_candidates(self, fragment: str) -> None:
        """Take the peer's further candidates (RFC 8840).

        Raises:
            OfferError: They cannot be read, or belong to another session.
        """
        found = _candidates_in(fragment)
        self._candidates += len(found)
        if self._candidates > _MOST_CANDIDATES:
            raise OfferError(f"more candidates than {_MOST_CANDIDATES}")
        for candidate in found:
            try:
                await self.connection.addIceCandidate(candidate)
            except (ValueError, InvalidStateError) as error:
                raise OfferError(str(error)) from error

    async def close(self) -> None:
        """End the connection."""
        await self.connection.close()

    def _tell_state(self) -> None:
        self._on_state(self.connection.connectionState)


def prefer_usual_codecs(transceiver: RTCRtpTransceiver) -> None:
    """Prefer H.264, for which most have hardware, then VP8."""
    known = RTCRtpReceiver.getCapabilities("video")
    assert known is not None, "there is video"
    wanted = sorted(known.codecs, key=lambda codec: _ORDER.get(codec.name, len(_ORDER)))
    transceiver.setCodecPreferences(wanted)


def codec_of(transceiver: RTCRtpTransceiver) -> VideoCodec:
    """Return what was agreed upon."""
    return _CODECS[agreed_codec(transceiver)]


def _check_size(offer: str) -> None:
    """Refuse what would keep the loop busy that all sessions share.

    Raises:
        OfferError: It has more of something than any browser has.
    """
    if "a=fingerprint:" not in offer:
        raise OfferError("it is no SDP of WebRTC: there is no fingerprint in it")
    for begin, most in _MOST.items():
        count = sum(line.startswith(begin) for line in offer.splitlines())
        if count > most:
            raise OfferError(f"{count} lines {begin}, allowed {most}")


def _without_mdns(offer: str) -> str:
    """Leave out candidates that only multicast DNS could tell us.

    Browsers hide their addresses so. To ask takes a second each and often fails, while
    what the browser sends to our candidates tells the address (peer reflexive, RFC
    8445, 7.3.1.3). Nor is the list said to be complete: we would not wait for that.
    """
    kept = [
        line
        for line in offer.splitlines()
        if not _MDNS.match(line) and line != "a=end-of-candidates"
    ]
    return "\r\n".join(kept) + "\r\n"


def _candidates_in(fragment: str) -> list[RTCIceCandidate]:
    found: list[RTCIceCandidate] = []
    mid = "0"
    for line in fragment.splitlines():
        if line.startswith("a=mid:"):
            mid = line.removeprefix("a=mid:").strip()
        elif line.startswith("a=candidate:"):
            try:
                candidate = candidate_from_sdp(line.removeprefix("a=candidate:"))
            except (ValueError, AssertionError) as error:
                raise OfferError(f"no candidate: {line}") from error
            candidate.sdpMid = mid
            # aioice knows no other protocol.
            if candidate.protocol.lower() == "udp" and not _MDNS.match(line):
                found.append(candidate)
    return found
