"""One who watches by WebRTC: offer, answer, candidates, end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.errors import OfferError
from ooblexd.webrtc.adapters import agreed_codec, forget_sent, hear_feedback
from ooblexd.webrtc.channel import PictureChannel
from ooblexd.webrtc.endings import why_unconnected
from ooblexd.webrtc.gathering import prepare_gathering
from ooblexd.webrtc.negotiation import Negotiation, codec_of, prefer_usual_codecs
from ooblexd.webrtc.sending import send_packed
from ooblexd.webrtc.sound_track import SoundTrack
from ooblexd.webrtc.track import PacketTrack

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiortc import RTCRtpSender

    from ooblexd.audio import AudioPacket
    from ooblexd.encoders.video import VideoCodec
    from ooblexd.frame import FrameHeader
    from ooblexd.ice import IceSettings
    from ooblexd.webrtc.adapters import Certificate
    from ooblexd.webrtc.gathering import Failures
    from ooblexd.webrtc.sending import Packing

logger = logging.getLogger(__name__)

_PATIENCE_NS = 2 * NS_PER_S  # who leaves before has not waited for a connection


class Gate(NamedTuple):
    """What may be sent at this very moment."""

    may_show: Callable[[FrameHeader], bool]
    may_hear: Callable[[AudioPacket], bool]


class Shared(NamedTuple):
    """What all viewers of a stream have in common.

    Attributes:
        certificate: Ours.
        packing: Cuts what they get into packets.
    """

    certificate: Certificate
    packing: Packing


class Peer:
    """A viewer.

    Args:
        name: Unique, and not to be guessed: who knows it may end it.
        shared: With the other viewers.
        gate: Says what may be sent.
        want_keyframe: Called with the viewer when it can decode nothing else.
        on_end: Called once with the viewer when it has gone.

    Attributes:
        name: As given.
        codec: What was agreed upon; None before `answer` has returned.
        estimate: Bits a second that it thinks it can receive; 0 before it has said so.
        heard_ns: Monotonic time at which it last said how it receives, or began.
        track: Its pictures.
        channel: What is said of them.
        on_ask: Called with what it asks of control.
        sound: Its sound, as Opus.
    """

    def __init__(
        self,
        name: str,
        shared: Shared,
        gate: Gate,
        want_keyframe: Callable[[Peer], None],
        on_end: Callable[[Peer], None],
    ) -> None:
        self.name = name
        self.codec: VideoCodec | None = None
        self.estimate = 0
        self.heard_ns = monotonic_ns()
        self.channel = PictureChannel(self._ask)
        self.on_ask: Callable[[str], None] = lambda _: None
        self.track = PacketTrack(
            gate.may_show,
            lambda: want_keyframe(self),
            self._forget_sent,
            self.channel.tell,
        )
        self._began_ns = monotonic_ns()
        self._has_connected = False
        self.sound = SoundTrack(gate.may_hear)
        self._has_sound = False
        self._on_end = on_end
        self._packing = shared.packing
        self._sender: RTCRtpSender | None = None
        self._negotiation = Negotiation(shared.certificate, self._note_state)
        self._negotiation.connection.on("datachannel", self.channel.take)

    @property
    def is_connected(self) -> bool:
        """Whether pictures reach it."""
        return self._negotiation.is_connected

    @property
    def listens(self) -> bool:
        """Whether it can hear anything."""
        return self.is_connected and self._has_sound

    def failure(self, now_ns: int) -> str:
        """Say why it cannot watch; empty where it can, could, or has just begun.

        Who closes a page looks like who has lost the network: that is none.

        Args:
            now_ns: Monotonic time.
        """
        if self._has_connected or now_ns - self._began_ns < _PATIENCE_NS:
            return ""
        return why_unconnected(self._negotiation.connection)

    async def answer(
        self, offer: str, settings: IceSettings, failures: Failures
    ) -> str:
        """Return the answer to an offer, with all our candidates.

        Args:
            offer: SDP of who wants to receive video.
            settings: Where our candidates come from.
            failures: Of the servers that are asked for some.

        Raises:
            OfferError: It cannot be read, or wants nothing that we have.
        """
        connection = self._negotiation.connection
        # The order is aiortc's: preferences count only before the offer is known.
        transceiver = connection.addTransceiver(self.track, direction="sendonly")
        prefer_usual_codecs(transceiver)
        ours = [transceiver]
        if "\nm=audio " in offer:  # else aiortc fails
            ours.append(connection.addTransceiver(self.sound, direction="sendonly"))
        for one in ours:
            send_packed(one.sender, self._packing)

        def send_one_track_each() -> None:
            for other in connection.getTransceivers():
                if other not in ours:
                    other.direction = "inactive"
            prepare_gathering(connection, settings, failures)

        answer = await self._negotiation.answer(offer, send_one_track_each)
        if transceiver.currentDirection != "sendonly":
            raise OfferError("it does not want to receive video")
        self.codec = codec_of(transceiver)
        self._has_sound = any(
            one.currentDirection == "sendonly" and agreed_codec(one).lower() == "opus"
            for one in ours[1:]
        )
        hear_feedback(
            transceiver.sender,
            on_report=self._note_report,
            on_keyframe_wanted=self.track.begin_anew,
            on_estimate=self._note_estimate,
            may_resend=self.track.may_resend,
        )
        self._sender = transceiver.sender
        return answer

    async def add_candidates(self, fragment: str) -> None:
        """Take the viewer's further candidates (RFC 8840).

        Raises:
            OfferError: They cannot be read, or belong to another session.
        """
        await self._negotiation.add_candidates(fragment)

    async def close(self) -> None:
        """End the connection."""
        self.track.stop()
        self.sound.stop()
        await self._negotiation.close()

    def _ask(self, said: str) -> None:
        self.on_ask(said)

    def _forget_sent(self) -> None:
        if self._sender is not None:
            forget_sent(self._sender)

    def _note_report(self, share_lost: float) -> None:
        self.heard_ns = monotonic_ns()
        self.track.thinning.note_loss(share_lost, self.heard_ns)

    def _note_estimate(self, bit_rate: int) -> None:
        self.estimate = bit_rate
        self.track.thinning.note_estimate(bit_rate)

    def _note_state(self, state: str) -> None:
        logger.debug("viewer %s is %s", self.name[:6], state)
        if state == "connected":
            self.heard_ns = monotonic_ns()
            self._has_connected = True
            self.track.begin_anew()
        elif state in ("failed", "closed"):
            self._on_end(self)
