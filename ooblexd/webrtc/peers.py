"""All who watch a stream by WebRTC, and what they want together."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.commands import Signal, Signalled, SignalVerb
from ooblexd.errors import OfferError
from ooblexd.webrtc.adapters import Certificate
from ooblexd.webrtc.peer import Peer

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.encoders.video import VideoCodec
    from ooblexd.frame import FrameHeader
    from ooblexd.webrtc.exchange import EncodedUnit, Wishes

MOST_PEERS = 64
SILENT_NS = 15 * NS_PER_S  # viewers report each second or so (RFC 3550, 6.2)
_LOOK_EVERY_S = 1.0
_NAME_BYTES = 16


class Peers:
    """The viewers of one stream, in one event loop.

    Args:
        wishes: Where it is written what they want together.
        may_show: Says whether a picture may be sent at this very moment.
        on_wish: Called when `wishes` have changed.

    Attributes:
        wishes: As given.
    """

    def __init__(
        self,
        wishes: Wishes,
        may_show: Callable[[FrameHeader], bool],
        on_wish: Callable[[], None],
    ) -> None:
        self.wishes = wishes
        self._may_show = may_show
        self._on_wish = on_wish
        self._certificate = Certificate.generateCertificate()
        self._peers: dict[str, Peer] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Return how many have a session, whether their connection is there or not."""
        return len(self._peers)

    async def obey(self, signal: Signal) -> Signalled:
        """Do what a viewer asks for, and return what it is to be told."""
        try:
            if signal.verb == SignalVerb.OFFER:
                return await self._welcome(signal)
            peer = self._peers.get(signal.peer)
            if peer is None:
                return Signalled(signal.request, "there is no such session", 404)
            if signal.verb == SignalVerb.CANDIDATES:
                await peer.add_candidates(signal.body)
            else:
                self._end(peer)
            return Signalled(signal.request, peer=peer.name)
        except OfferError as error:
            return Signalled(signal.request, str(error), 400)

    def deliver(self, codec: VideoCodec, unit: EncodedUnit) -> None:
        """Send a picture to all who decode ``codec``."""
        for peer in self._peers.values():
            if peer.codec is codec and peer.is_connected:
                peer.track.put(unit)
        self._update()

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
            name, self._certificate, self._may_show, self._want_keyframe, self._end
        )
        self._peers[name] = peer
        self._look_after(peer)
        answer = ""
        try:
            answer = await peer.answer(signal.body)
        finally:
            if not answer:
                self._end(peer)
        return Signalled(signal.request, peer=name, body=answer)

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
        ending = asyncio.ensure_future(peer.close())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        self._update()

    def _want_keyframe(self, peer: Peer) -> None:
        if peer.codec is not None:
            self._update()
            self.wishes.want_keyframe(peer.codec)
            self._on_wish()

    def _update(self) -> None:
        wishes = self.wishes
        # A keyframe that is made before there is a connection is lost.
        peers = [peer for peer in self._peers.values() if peer.is_connected]
        codecs = frozenset(peer.codec for peer in peers if peer.codec is not None)
        estimates = [peer.estimate for peer in peers if peer.estimate]
        wishes.estimate = min(estimates, default=0)
        is_news = (wishes.viewers, wishes.codecs) != (len(peers), codecs)
        wishes.viewers, wishes.codecs = len(peers), codecs
        if is_news:
            self._on_wish()
