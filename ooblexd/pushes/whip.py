"""A push by WebRTC: we offer, a WHIP server (RFC 9725) answers.

The packets are those that viewers by WebRTC get, by the same track, which decides about
each when its turn has come and hears when the server needs a keyframe or has less room.
No STUN server is asked: who can be published to can be reached.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

import uvloop
from aiortc import (
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.exceptions import InvalidStateError, OperationError

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.encoders.video import VideoCodec
from ooblexd.errors import PushError, PushRefusedError
from ooblexd.pushes.whip_session import WhipSession
from ooblexd.webrtc.adapters import (
    Certificate,
    forget_sent,
    hear_feedback,
    use_certificate,
)
from ooblexd.webrtc.sound_track import SoundTrack
from ooblexd.webrtc.track import PacketTrack

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ooblexd.audio_line import AudioShape
    from ooblexd.plan import PushPlan
    from ooblexd.pushes import Surroundings
    from ooblexd.webrtc.exchange import EncodedUnit

_Result = TypeVar("_Result")
_WITHIN_S = 10.0  # each step of connecting
_SILENT_NS = 15 * NS_PER_S  # servers report each second or so (RFC 3550, 6.2)
_GOODBYE_S = 1.0
_LOOK_S = 0.1
_WANTED = ("video/H264", "video/rtx")
# Its parser is not strict: what it cannot read raises anything of these.
_UNREADABLE = (
    *(ValueError, AssertionError, LookupError, AttributeError, TypeError),
    *(RuntimeError, OperationError, InvalidStateError),
)


class WhipDestination:
    """A `ooblexd.pushes.Destination` that is connected by WebRTC.

    Sound is offered where the source is heard when it connects.

    Args:
        plan: Where to.
        first: Not used; the server gets the next keyframe.
        around: The push.

    Raises:
        PushError: It cannot be reached; the reason says why.

    Attributes:
        follows_size: Each keyframe says what it needs.
    """

    follows_size = True

    def __init__(
        self, plan: PushPlan, first: EncodedUnit, around: Surroundings
    ) -> None:
        del first
        self._around = around
        self._heard_ns = monotonic_ns()
        self._is_closed = False
        self._track = PacketTrack(
            around.may_show, self._want_keyframe, self._forget_sent
        )
        self._has_sound = around.sound.shape is not None
        self._sound = SoundTrack(around.sound.may_hear)
        self._sender: RTCRtpSender | None = None
        self._session = WhipSession(plan.url)
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="whip", daemon=True
        )
        self._thread.start()
        self._connection: RTCPeerConnection | None = None
        try:
            self._connect()
        except PushError:
            self.close()
            raise

    def write(self, unit: EncodedUnit) -> None:
        """Have a picture sent.

        Raises:
            PushError: The server has gone.
        """
        if self._state() in ("failed", "closed"):
            raise PushError("the connection was lost")
        if monotonic_ns() - self._heard_ns > _SILENT_NS:
            raise PushError(f"nothing is heard for {_SILENT_NS // NS_PER_S} s")
        self._loop.call_soon_threadsafe(self._track.put, unit)
        for packet in self._around.sound.take():
            self._loop.call_soon_threadsafe(self._sound.put, packet)
        shown_ns = unit.header.capture_ns
        self._loop.call_soon_threadsafe(self._sound.note_shown, shown_ns)

    def lacks(self, sound: AudioShape) -> bool:
        """Say whether it was connected before there was any."""
        del sound  # Opus is as all Opus is
        return not self._has_sound

    def close(self) -> None:
        """Tell the server that it is over, and end the connection."""
        if self._is_closed:
            return
        self._is_closed = True
        self._around.wishes.estimate = 0
        self._session.delete()
        self._track.stop()
        self._sound.stop()
        if self._connection is not None:
            ending = asyncio.run_coroutine_threadsafe(
                self._connection.close(), self._loop
            )
            with contextlib.suppress(concurrent.futures.TimeoutError):
                ending.result(_GOODBYE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_GOODBYE_S)
        if not self._thread.is_alive():
            self._loop.close()

    def _connect(self) -> None:
        offer = self._await(self._offer())
        answer = self._session.post(offer)
        try:
            self._await(self._accept(answer))
        except _UNREADABLE as error:
            raise PushError("the server's answer cannot be used") from error
        deadline_ns = monotonic_ns() + int(_WITHIN_S * NS_PER_S)
        pause = threading.Event()
        while self._state() != "connected":
            if self._state() in ("failed", "closed"):
                raise PushError("the server answers, but no connection comes about")
            if self._around.is_ending or monotonic_ns() > deadline_ns:
                raise PushError(f"no connection came about within {_WITHIN_S:g} s")
            pause.wait(_LOOK_S)
        self._heard_ns = monotonic_ns()
        self._loop.call_soon_threadsafe(self._track.begin_anew)

    async def _offer(self) -> str:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._connection = connection
        use_certificate(connection, Certificate.generateCertificate())
        transceiver = connection.addTransceiver(self._track, direction="sendonly")
        known = RTCRtpSender.getCapabilities("video").codecs
        wanted = [codec for codec in known if codec.mimeType in _WANTED]
        transceiver.setCodecPreferences(wanted)
        hear_feedback(
            transceiver.sender,
            on_report=self._note_report,
            on_keyframe_wanted=self._track.begin_anew,
            on_estimate=self._note_estimate,
            may_resend=self._track.may_resend,
        )
        self._sender = transceiver.sender
        if self._has_sound:
            audible = connection.addTransceiver(self._sound, direction="sendonly")
            known = RTCRtpSender.getCapabilities("audio").codecs
            opus = [one for one in known if one.mimeType.lower() == "audio/opus"]
            audible.setCodecPreferences(opus)
        await connection.setLocalDescription(await connection.createOffer())
        return str(connection.localDescription.sdp)

    async def _accept(self, answer: str) -> None:
        assert self._connection is not None, "made by `_offer`"
        description = RTCSessionDescription(sdp=answer, type="answer")
        await self._connection.setRemoteDescription(description)
        transceiver, *_ = self._connection.getTransceivers()
        if transceiver.currentDirection != "sendonly":
            raise PushRefusedError("the server wants no H.264")

    def _await(self, coroutine: Coroutine[None, None, _Result]) -> _Result:
        """Have something done in the loop's thread."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(_WITHIN_S)
        except concurrent.futures.TimeoutError as error:
            future.cancel()
            raise PushError(f"it takes longer than {_WITHIN_S:g} s") from error

    def _state(self) -> str:
        return self._connection.connectionState if self._connection else "new"

    def _want_keyframe(self) -> None:
        self._around.wishes.want_keyframe(VideoCodec.H264)

    def _forget_sent(self) -> None:
        if self._sender is not None:
            forget_sent(self._sender)

    def _note_report(self, _share_lost: float) -> None:
        self._heard_ns = monotonic_ns()

    def _note_estimate(self, bit_rate: int) -> None:
        self._around.wishes.estimate = bit_rate
