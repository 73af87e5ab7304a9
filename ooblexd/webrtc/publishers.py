"""Those who publish to a stream by WebRTC: one at a time, and the newest is it."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.encoders.video import VideoCodec
from ooblexd.errors import OfferError
from ooblexd.ice import parse_settings
from ooblexd.signalling import Signal, Signalled, SignalVerb
from ooblexd.webrtc.adapters import Certificate
from ooblexd.webrtc.gathering import Failures
from ooblexd.webrtc.publisher import Ears, Publisher
from ooblexd.webrtc.reception import check_reception

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.webrtc.exchange import (
        EncodedUnit,
        ReceivedSound,
        ReceivedUnit,
        Reception,
        Return,
    )

logger = logging.getLogger(__name__)

MOST_PUBLISHERS = 8  # whose connection is not there yet, and the one
CONNECTS_WITHIN_NS = 15 * NS_PER_S
SILENT_NS = 10 * NS_PER_S  # of one whose sender reports come each second or so
_LOOK_EVERY_S = 1.0
_NAME_BYTES = 16
_MOST_REPLACED = 32
_MOST_ENDED = 32


class Publishers:
    """The publishers of one stream, in one event loop.

    One takes over once its connection is there, so whoever lost the network can come
    back at once, and an offer that leads nowhere ends nobody.

    Args:
        stream: Its name, for the log.
        reception: Where what comes of the one who publishes goes.
        to_publisher: What goes back to it.
        on_wish: Called when its wishes have changed.
    """

    def __init__(
        self,
        stream: str,
        reception: Reception,
        to_publisher: Return,
        on_wish: Callable[[], None],
    ) -> None:
        check_reception()
        self._stream = stream
        self._reception = reception
        self._return = to_publisher
        self._on_wish = on_wish
        self._failures = Failures()
        self._certificate = Certificate.generateCertificate()
        self._publishers: dict[str, Publisher] = {}
        self._current: Publisher | None = None
        self._replaced: deque[str] = deque(maxlen=_MOST_REPLACED)
        self._ended: deque[str] = deque(maxlen=_MOST_ENDED)
        self._ending: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Return how many have a session, whether their connection is there or not."""
        return len(self._publishers)

    async def obey(self, signal: Signal) -> Signalled:
        """Do what a publisher asks for, and return what it is to be told."""
        try:
            if signal.verb == SignalVerb.OFFER:
                return await self._welcome(signal)
            publisher = self._publishers.get(signal.peer)
            if publisher is None:
                return self._deny(signal)
            if signal.verb == SignalVerb.CANDIDATES:
                await publisher.add_candidates(signal.body)
            else:
                self._end(publisher, "has ended it")
            return Signalled(signal.request, peer=publisher.name)
        except OfferError as error:
            return Signalled(signal.request, str(error), 400)

    def want_keyframe(self) -> None:
        """Ask who publishes for a picture that needs no other one."""
        if self._current is not None:
            self._current.want_keyframe()

    def deliver(self, unit: EncodedUnit) -> None:
        """Send a picture back to who publishes, where it wants that."""
        if self._current is not None and self._current.watches:
            self._current.track.put(unit)

    async def close(self) -> None:
        """End all connections."""
        for publisher in tuple(self._publishers.values()):
            self._end(publisher, "is sent away")
        await asyncio.gather(*self._ending)

    async def _welcome(self, signal: Signal) -> Signalled:
        if len(self._publishers) >= MOST_PUBLISHERS:
            self._make_room()
        name = secrets.token_urlsafe(_NAME_BYTES)
        publisher = Publisher(
            name,
            self._certificate,
            Ears(self._take, self._hear, self._note_state),
            self._return.may_show,
            self._want_keyframe_back,
        )
        self._publishers[name] = publisher
        self._look_after(publisher)
        answer = ""
        try:
            answer = await publisher.answer(
                signal.body, parse_settings(signal.settings), self._failures
            )
        finally:
            if not answer:
                self._end(publisher, "is refused")
        return Signalled(signal.request, peer=name, body=answer)

    def _deny(self, signal: Signal) -> Signalled:
        if signal.peer in self._replaced:
            detail = f"another publisher has taken over {self._stream}"
            return Signalled(signal.request, detail, 410)
        if signal.verb == SignalVerb.END and signal.peer in self._ended:
            return Signalled(signal.request, peer=signal.peer)  # OBS hangs up first
        return Signalled(signal.request, "there is no such session", 404)

    def _make_room(self) -> None:
        """End whoever has waited for longest for a connection."""
        others = (one for one in self._publishers.values() if one is not self._current)
        self._end(min(others, key=lambda one: one.heard_ns), "makes room")

    def _take(self, unit: ReceivedUnit) -> None:
        if self._current is not None and unit.publisher == self._current.name:
            self._reception.on_unit(unit)

    def _hear(self, sound: ReceivedSound) -> None:
        if self._current is not None and sound.publisher == self._current.name:
            self._reception.on_sound(sound)

    def _want_keyframe_back(self, publisher: Publisher) -> None:
        if publisher is self._current:
            self._return.wishes.want_keyframe(VideoCodec.H264)
            self._on_wish()

    def _update(self) -> None:
        watches = self._current is not None and self._current.watches
        self._return.wishes.codecs = frozenset({VideoCodec.H264} if watches else ())
        self._on_wish()

    def _note_state(self, publisher: Publisher, state: str) -> None:
        if publisher.name not in self._publishers:
            return
        if state == "connected":
            self._take_over(publisher)
        elif state == "closed":  # it said so, by DTLS
            self._end(publisher, "has ended it")
        elif state == "failed":
            self._end(publisher, "has lost the connection")

    def _take_over(self, publisher: Publisher) -> None:
        former = self._current
        if former is publisher:
            return
        self._current = publisher
        self._reception.on_publisher(publisher.name)
        self._update()
        logger.info(
            "[stream %s] a publisher has come%s",
            self._stream,
            "" if former is None else ", and takes over from the one before",
        )
        if former is not None:
            self._replaced.append(former.name)
            self._end(former, "is replaced")

    def _look_after(self, publisher: Publisher) -> None:
        """End a publisher of whom nothing has come for long; ICE takes 30 s."""
        if publisher.name not in self._publishers:
            return
        silent_ns = monotonic_ns() - publisher.heard_ns
        if silent_ns > (SILENT_NS if publisher.is_connected else CONNECTS_WITHIN_NS):
            self._end(publisher, f"has sent nothing for {silent_ns // NS_PER_S} s")
            return
        loop = asyncio.get_running_loop()
        loop.call_later(_LOOK_EVERY_S, self._look_after, publisher)

    def _end(self, publisher: Publisher, why: str) -> None:
        if self._publishers.pop(publisher.name, None) is None:
            return
        self._ended.append(publisher.name)
        if self._current is publisher:
            self._current = None
            self._reception.on_publisher("")
            self._update()
            logger.info("[stream %s] the publisher %s", self._stream, why)
        ending = asyncio.ensure_future(publisher.close())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
