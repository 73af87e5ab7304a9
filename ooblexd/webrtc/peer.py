"""One who watches by WebRTC: offer, answer, candidates, end."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from aiortc import (
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.exceptions import InvalidStateError, OperationError
from aiortc.sdp import candidate_from_sdp

from ooblexd.clock import monotonic_ns
from ooblexd.encoders.video import VideoCodec
from ooblexd.errors import OfferError
from ooblexd.webrtc.adapters import (
    agreed_codec,
    forget_sent,
    hear_feedback,
    use_certificate,
)
from ooblexd.webrtc.track import PacketTrack

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiortc import RTCIceCandidate

    from ooblexd.frame import FrameHeader
    from ooblexd.webrtc.adapters import Certificate

logger = logging.getLogger(__name__)

_MOST_CANDIDATES = 48  # of a session; each is tried with each of ours
_MOST = {"m=": 8, "a=extmap:": 128, "a=candidate:": _MOST_CANDIDATES}  # of an offer
_UNREADABLE = (
    *(ValueError, AssertionError, LookupError, AttributeError, TypeError),
    *(RuntimeError, OverflowError),
)
_MDNS = re.compile(r"a=candidate:\S+ \d+ \w+ \d+ \S+\.local ")
_CODECS = {"H264": VideoCodec.H264, "VP8": VideoCodec.VP8}
_ORDER = {name: place for place, name in enumerate(_CODECS)}


class Peer:
    """A viewer.

    Args:
        name: Unique, and not to be guessed: who knows it may end it.
        certificate: Ours.
        may_show: Says whether a picture may be sent at this very moment.
        want_keyframe: Called with the viewer when it can decode nothing else.
        on_end: Called once with the viewer when it has gone.

    Attributes:
        name: As given.
        codec: What was agreed upon; None before `answer` has returned.
        estimate: Bits a second that it thinks it can receive; 0 before it has said so.
        heard_ns: Monotonic time at which it last said how it receives, or began.
        track: Its pictures.
    """

    def __init__(
        self,
        name: str,
        certificate: Certificate,
        may_show: Callable[[FrameHeader], bool],
        want_keyframe: Callable[[Peer], None],
        on_end: Callable[[Peer], None],
    ) -> None:
        self.name = name
        self.codec: VideoCodec | None = None
        self.estimate = 0
        self.heard_ns = monotonic_ns()
        self.track = PacketTrack(
            may_show, lambda: want_keyframe(self), self._forget_sent
        )
        self._candidates = 0
        self._on_end = on_end
        self._sender: RTCRtpSender | None = None
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        use_certificate(self._connection, certificate)
        self._connection.on("connectionstatechange", self._note_state)

    @property
    def is_connected(self) -> bool:
        """Whether pictures reach it."""
        return self._connection.connectionState == "connected"

    async def answer(self, offer: str) -> str:
        """Return the answer to an offer, with all our candidates.

        Args:
            offer: SDP of who wants to receive video.

        Raises:
            OfferError: It cannot be read, or wants nothing that we have.
        """
        _check_size(offer)
        self._candidates = offer.count("a=candidate:")
        connection = self._connection
        # The order is aiortc's: preferences count only before the offer is known.
        transceiver = connection.addTransceiver(self.track, direction="sendonly")
        known = RTCRtpSender.getCapabilities("video").codecs
        wanted = sorted(known, key=lambda codec: _ORDER.get(codec.name, len(_ORDER)))
        transceiver.setCodecPreferences(wanted)
        try:
            sdp = _without_mdns(offer)
            description = RTCSessionDescription(sdp=sdp, type="offer")
            await connection.setRemoteDescription(description)
            for other in connection.getTransceivers():
                if other is not transceiver:  # we send one track, and receive none
                    other.direction = "inactive"
            await connection.setLocalDescription(await connection.createAnswer())
        except OperationError as error:
            raise OfferError("no codec in common: we have H264 and VP8") from error
        except _UNREADABLE as error:
            # Its parser is not strict: what it cannot read raises anything of these.
            raise OfferError("it is no SDP that can be answered") from error
        if transceiver.currentDirection != "sendonly":
            raise OfferError("it does not want to receive video")
        self.codec = _CODECS[agreed_codec(transceiver)]
        hear_feedback(
            transceiver.sender,
            on_report=self._note_report,
            on_keyframe_wanted=self.track.begin_anew,
            on_estimate=self._note_estimate,
            may_resend=self.track.may_resend,
        )
        self._sender = transceiver.sender
        return str(connection.localDescription.sdp)

    async def add_candidates(self, fragment: str) -> None:
        """Take the viewer's further candidates (RFC 8840).

        Raises:
            OfferError: They cannot be read, or belong to another session.
        """
        found = _candidates_in(fragment)
        self._candidates += len(found)
        if self._candidates > _MOST_CANDIDATES:
            raise OfferError(f"more candidates than {_MOST_CANDIDATES}")
        for candidate in found:
            try:
                await self._connection.addIceCandidate(candidate)
            except (ValueError, InvalidStateError) as error:
                raise OfferError(str(error)) from error

    async def close(self) -> None:
        """End the connection."""
        self.track.stop()
        await self._connection.close()

    def _forget_sent(self) -> None:
        if self._sender is not None:
            forget_sent(self._sender)

    def _note_report(self) -> None:
        self.heard_ns = monotonic_ns()

    def _note_estimate(self, bit_rate: int) -> None:
        self.estimate = bit_rate

    def _note_state(self) -> None:
        state = self._connection.connectionState
        logger.debug("viewer %s is %s", self.name[:6], state)
        if state == "connected":
            self.heard_ns = monotonic_ns()
            self.track.begin_anew()
        elif state in ("failed", "closed"):
            self._on_end(self)


def _check_size(offer: str) -> None:
    """Refuse what would keep the loop busy that all viewers share.

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
