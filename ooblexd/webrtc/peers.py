"""All who watch a stream by WebRTC, and what they want together."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from ooblexd.audio import AudioCodec
from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.encoders.sound import SoundEncoder
from ooblexd.errors import EncoderError, OfferError
from ooblexd.ice import parse_settings
from ooblexd.reminders import Reminders
from ooblexd.signalling import PeerWish, Signal, Signalled, SignalVerb
from ooblexd.webrtc.adapters import Certificate
from ooblexd.webrtc.endings import Endings
from ooblexd.webrtc.estimates import shared_estimate
from ooblexd.webrtc.gathering import Failures
from ooblexd.webrtc.peer import Gate, Peer, Shared
from ooblexd.webrtc.sending import Packing

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.audio import AudioPacket
    from ooblexd.encoders.video import VideoCodec
    from ooblexd.frame import FrameHeader
    from ooblexd.webrtc.exchange import EncodedUnit, Wishes

logger = logging.getLogger(__name__)

MOST_PEERS = 64
SILENT_NS = 15 * NS_PER_S  # viewers report each second or so (RFC 3550, 6.2)
_LOOK_EVERY_S = 1.0
_NAME_BYTES = 16
_MOST_ENDED = 128


class Peers:
    """The viewers of one stream, in one event loop.

    Args:
        wishes: Where it is written what they want together.
        may_show: Says whether a picture may be sent at this very moment.
        may_hear: Says whether sound may.
        on_wish: Called when `wishes` have changed.

    Attributes:
        wishes: As given.
    """

    def __init__(
        self,
        wishes: Wishes,
        may_show: Callable[[FrameHeader], bool],
        may_hear: Callable[[AudioPacket], bool],
        on_wish: Callable[[], None],
    ) -> None:
        self.wishes = wishes
        self._may_show = may_show
        self._may_hear = may_hear
        self._sound = SoundEncoder(AudioCodec.OPUS)
        self._reminders = Reminders()
        self._on_wish = on_wish
        self._shared = Shared(Certificate.generateCertificate(), Packing())
        self._failures = Failures()
        self._endings = Endings()
        self._sent = self._dropped = 0  # of those who have gone
        self._peers: dict[str, Peer] = {}
        self._ended: deque[str] = deque(maxlen=_MOST_ENDED)
        self._ending: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Return how many have a session, whether their connection is there or not."""
        return len(self._peers)

    async def obey(self, signal: Signal) -> Signalled:
        """Do what a viewer asks for, and return what it is to be told."""
        if signal.verb == SignalVerb.ENDINGS:
            return Signalled(signal.request, body=self._endings.as_json())
        try:
            if signal.verb == SignalVerb.OFFER:
                return await self._welcome(signal)
            peer = self._peers.get(signal.peer)
            if peer is None:
                return self._deny(signal)
            if signal.verb == SignalVerb.TELL:
                peer.channel.answer(signal.body)
            elif signal.verb == SignalVerb.CANDIDATES:
                await peer.add_candidates(signal.body)
            else:
                self._end(peer)
            return Signalled(signal.request, peer=peer.name)
        except OfferError as error:
            self._endings.note(f"refused: {error}")
            return Signalled(signal.request, str(error), 400)

    def deliver(self, codec: VideoCodec, unit: EncodedUnit) -> None:
        """Send a picture to all who decode ``codec``."""
        for peer in self._peers.values():
            if peer.codec is codec and peer.is_connected:
                peer.track.put(unit)
                peer.sound.note_shown(unit.header.capture_ns)
        self._update()

    def hear(self, packet: AudioPacket) -> None:
        """Send sound to all who listen, as Opus."""
        try:
            encoded = self._sound.take(packet)
        except EncoderError as error:
            if self._reminders.due(str(error), monotonic_ns()):
                logger.warning("sound is left out: %s", error)
            return
        for peer in self._peers.values():
            if peer.listens:
                for one in encoded:
                    peer.sound.put(one)

    async def close(self) -> None:
        """End all connections."""
        for peer in tuple(self._peers.values()):
            self._end(peer)
        await asyncio.gather(*self._ending)

    async def _welcome(self, signal: Signal) -> Signalled:
        if len(self._peers) >= MOST_PEERS and not self._make_room():
            detail = f"{MOST_PEERS} viewers watch by WebRTC already"
            return Signalled(signal.request, detail, 503)
        name = secrets.token_urlsafe(_NAME_BYTES)
        peer = Peer(
            name,
            self._shared,
            Gate(self._may_show, self._may_hear),
            self._want_keyframe,
            self._end,
        )
        peer.on_ask = partial(self._ask, signal.stream, name)
        self._peers[name] = peer
        self._look_after(peer)
        answer = ""
        try:
            settings = parse_settings(signal.settings)
            answer = await peer.answer(signal.body, settings, self._failures)
        finally:
            if not answer:
                self._end(peer)
        return Signalled(signal.request, peer=name, body=answer)

    def _deny(self, signal: Signal) -> Signalled:
        if signal.verb == SignalVerb.END and signal.peer in self._ended:
            return Signalled(signal.request, peer=signal.peer)  # it hung up first
        return Signalled(signal.request, "there is no such session", 404)

    def _make_room(self) -> bool:
        """End whoever has been there for longest without a connection, if any."""
        silent = (peer for peer in self._peers.values() if not peer.is_connected)
        first = min(silent, key=lambda peer: peer.heard_ns, default=None)
        if first is not None:
            self._end(first)
        return first is not None

    def _look_after(self, peer: Peer) -> None:
        """End the peer once it has said nothing for long; ICE notices half as soon."""
        if peer.name not in self._peers:
            return
        if monotonic_ns() - peer.heard_ns > SILENT_NS:
            self._end(peer)
            return
        loop = asyncio.get_running_loop()
        loop.call_later(_LOOK_EVERY_S, self._look_after, peer)

    def _end(self, peer: Peer) -> None:
        if self._peers.pop(peer.name, None) is None:
            return
        self._ended.append(peer.name)
        self._sent += peer.track.sent
        self._dropped += peer.track.dropped
        self._endings.note(peer.failure(monotonic_ns()))
        ending = asyncio.ensure_future(peer.close())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        self._update()

    def _want_keyframe(self, peer: Peer) -> None:
        if peer.codec is not None:
            self._update()
            self.wishes.want_keyframe(peer.codec)
            self._on_wish()

    def _ask(self, stream: str, peer: str, body: str) -> None:
        self.wishes.asked.append(PeerWish(stream, peer, body))
        self._on_wish()

    def _update(self) -> None:
        wishes = self.wishes
        tracks = [peer.track for peer in self._peers.values()]
        wishes.sent = self._sent + sum(track.sent for track in tracks)
        wishes.dropped = self._dropped + sum(track.dropped for track in tracks)
        # A keyframe that is made before there is a connection is lost.
        peers = [peer for peer in self._peers.values() if peer.is_connected]
        codecs = frozenset(peer.codec for peer in peers if peer.codec is not None)
        now_ns = monotonic_ns()
        wishes.estimate = shared_estimate(
            peer.estimate for peer in peers if not peer.track.thinning.is_thin(now_ns)
        )
        listens = any(peer.listens for peer in peers)
        former = (wishes.viewers, wishes.codecs, wishes.listens)
        is_news = former != (len(peers), codecs, listens)
        wishes.viewers, wishes.codecs, wishes.listens = len(peers), codecs, listens
        if is_news:
            self._on_wish()
