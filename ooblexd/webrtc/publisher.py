"""One who publishes by WebRTC: offer, answer, candidates, pictures, end."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ooblexd.clock import monotonic_ns
from ooblexd.encoders.video import VideoCodec
from ooblexd.errors import OfferError
from ooblexd.webrtc.adapters import agreed_codecs, forget_sent, hear_feedback
from ooblexd.webrtc.exchange import ReceivedSound, ReceivedUnit
from ooblexd.webrtc.gathering import prepare_gathering
from ooblexd.webrtc.negotiation import Negotiation, codec_of, prefer_usual_codecs
from ooblexd.webrtc.reception import SoundTap, VideoReception, receive_into
from ooblexd.webrtc.track import PacketTrack

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ooblexd.frame import FrameHeader
    from ooblexd.ice import IceSettings
    from ooblexd.webrtc.adapters import Certificate
    from ooblexd.webrtc.gathering import Failures
    from ooblexd.webrtc.reception import Frame

_TIMES = 1 << 32
_CODECS = {"H264": VideoCodec.H264, "VP8": VideoCodec.VP8}


class RtpTime:
    """Goes on counting where RTP's 32 bits begin anew."""

    def __init__(self) -> None:
        self._time = 0

    def unwrapped(self, timestamp: int) -> int:
        """Return the time that is nearest to the last one."""
        passed = (timestamp - self._time) % _TIMES
        self._time += passed - _TIMES * (passed > _TIMES // 2)
        return self._time


class Ears(NamedTuple):
    """Who is told what a publisher does."""

    on_unit: Callable[[ReceivedUnit], None]
    on_sound: Callable[[ReceivedSound], None]
    on_state: Callable[[Publisher, str], None]


class Publisher:
    """Somebody with a camera.

    Args:
        name: Unique, and not to be guessed: who knows it may end it.
        certificate: Ours.
        ears: Who is told what comes.
        may_show: Says whether a picture may be sent back at this very moment.
        want_keyframe_back: Called with the publisher when it can decode nothing else.

    Attributes:
        name: As given.
        heard_ns: Monotonic time at which anything last came, or it began.
        is_connected: Whether its pictures get through.
        watches: Whether it has asked for the stream's pictures on the same connection.
        track: On which they go back.
    """

    def __init__(
        self,
        name: str,
        certificate: Certificate,
        ears: Ears,
        may_show: Callable[[FrameHeader], bool],
        want_keyframe_back: Callable[[Publisher], None],
    ) -> None:
        self.name = name
        self.heard_ns = monotonic_ns()
        self._ears = ears
        self.watches = False
        self.track = PacketTrack(
            may_show, lambda: want_keyframe_back(self), self._forget_sent
        )
        self._codecs: dict[int, VideoCodec] = {}
        self._opus: Collection[int] = ()
        self._time = RtpTime()
        self._sound_time = RtpTime()
        self._negotiation = Negotiation(
            certificate, lambda state: ears.on_state(self, state)
        )
        connection = self._negotiation.connection
        # The order is aiortc's: preferences count only before the offer is known.
        self._video = connection.addTransceiver(self.track, direction="sendrecv")
        prefer_usual_codecs(self._video)
        self._reception = VideoReception(
            self._video.receiver, self._take, self._note_packet
        )

    @property
    def is_connected(self) -> bool:  # noqa: D102 - the class documents it
        return self._negotiation.is_connected

    async def answer(
        self, offer: str, settings: IceSettings, failures: Failures
    ) -> str:
        """Return the answer to an offer, with all our candidates.

        Args:
            offer: SDP of who wants to send video.
            settings: Where our candidates come from.
            failures: Of the servers that are asked for some.

        Raises:
            OfferError: It cannot be read, or sends nothing that we decode.
        """

        def prepare() -> None:
            self._prepare()
            prepare_gathering(self._negotiation.connection, settings, failures)

        answer = await self._negotiation.answer(offer, prepare)
        direction = self._video.currentDirection
        if direction not in ("recvonly", "sendrecv"):
            raise OfferError("it does not want to send video")
        if direction == "sendrecv" and codec_of(self._video) is VideoCodec.H264:
            self.watches = True
            hear_feedback(
                self._video.sender,
                on_report=self._note_report,
                on_keyframe_wanted=self.track.begin_anew,
                on_estimate=self.track.thinning.note_estimate,
                may_resend=self.track.may_resend,
            )
        self._codecs = {
            payload_type: _CODECS[name]
            for payload_type, name in agreed_codecs(self._video).items()
            if name in _CODECS
        }
        self._reception.media_types = self._codecs.keys()
        self._opus = {
            payload_type
            for other in self._negotiation.connection.getTransceivers()
            for payload_type, name in agreed_codecs(other).items()
            if other.kind == "audio" and name.lower() == "opus"
        }
        return answer

    async def add_candidates(self, fragment: str) -> None:
        """Take the publisher's further candidates (RFC 8840).

        Raises:
            OfferError: They cannot be read, or belong to another session.
        """
        await self._negotiation.add_candidates(fragment)

    def want_keyframe(self) -> None:
        """Ask for a picture that needs no other one, if it was not just asked for."""
        self._reception.want_keyframe()

    async def close(self) -> None:
        """End the connection."""
        self.track.stop()
        await self._negotiation.close()

    def _forget_sent(self) -> None:
        forget_sent(self._video.sender)

    def _prepare(self) -> None:
        for other in self._negotiation.connection.getTransceivers():
            if other is self._video:
                continue
            if other.kind == "audio":
                other.direction = "recvonly"
                receive_into(other.receiver, SoundTap(self._hear))
            else:
                other.direction = "inactive"

    def _note_report(self, share_lost: float) -> None:
        self._note_packet()
        self.track.thinning.note_loss(share_lost, self.heard_ns)

    def _note_packet(self) -> None:
        self.heard_ns = monotonic_ns()

    def _take(self, frame: Frame) -> None:
        codec = self._codecs.get(frame.payload_type)
        if codec is None:
            return
        self._ears.on_unit(
            ReceivedUnit(
                publisher=self.name,
                codec=codec,
                data=frame.data,
                rtp_time=self._time.unwrapped(frame.timestamp),
                arrival_ns=monotonic_ns(),
                is_after_gap=frame.is_after_gap,
            )
        )

    def _hear(self, payload_type: int, timestamp: int, data: bytes) -> None:
        self.heard_ns = monotonic_ns()
        if payload_type in self._opus and data:
            rtp_time = self._sound_time.unwrapped(timestamp)
            self._ears.on_sound(ReceivedSound(self.name, data, rtp_time, self.heard_ns))
