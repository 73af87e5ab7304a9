"""Step 6: H.264, and sound, for players by RTSP: ``DESCRIBE``, ``SETUP``, ``PLAY``.

The packets come over the same connection. UDP is answered with 461, upon which players
take TCP by themselves. Who plays has begun at the door of those who publish
(`ooblexd.control.reception`), which hands the connection over at ``DESCRIBE``.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING

from ooblexd.control.feeds import STALLED_S
from ooblexd.control.rtsp_conversation import Conversation, PlayerProtocol

if TYPE_CHECKING:
    from ooblexd.control.streams import Streams
    from ooblexd.plan import Place
    from ooblexd.publishing.rtsp import Request, RtspReader

MOST_PLAYERS = 64
_CHUNK_BYTES = 4096


class Players:
    """Who plays by RTSP.

    Args:
        streams: What may be played.
        place: Where they come; None where they may not.

    Attributes:
        place: As given.
    """

    def __init__(self, streams: Streams, place: Place | None) -> None:
        self.place = place
        self._streams = streams
        self._count = 0
        self._silent: deque[asyncio.Transport] = deque()  # who do not play yet

    async def serve(
        self, first: Request, reader: RtspReader, connection: socket.socket
    ) -> None:
        """Talk to a player until it leaves or its stream is gone.

        Args:
            first: Its ``DESCRIBE``.
            reader: Holds what it has said since.
            connection: Is closed at the end.

        Raises:
            PublisherError: It says what cannot be understood.
            OSError: It has gone.
        """
        self._count += 1
        try:
            await self._talk(first, reader, connection)
        finally:
            self._count -= 1

    async def _talk(
        self, first: Request, reader: RtspReader, connection: socket.socket
    ) -> None:
        stalled_ms = int(STALLED_S * 1000)
        protocol = PlayerProtocol(asyncio.StreamReader(_CHUNK_BYTES))
        with ExitStack() as unless_taken:
            unless_taken.callback(connection.close)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, stalled_ms
            )
            loop = asyncio.get_running_loop()
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, connection
            )
            unless_taken.pop_all()  # the transport closes it
        with closing(transport), ExitStack() as stack:
            talk = Conversation(self._streams, protocol, transport, stack)
            if self._count > MOST_PLAYERS and not self._send_one_away():
                await talk.refuse(first, 503, f"{MOST_PLAYERS} others play already")
                return
            self._silent.append(transport)
            stack.callback(self._forget, transport)
            await talk.hold(first, reader, partial(self._forget, transport))

    def _send_one_away(self) -> bool:
        """Make room: of those who asked and do not play, the first asked leaves."""
        if not self._silent:
            return False
        self._silent.popleft().abort()
        return True

    def _forget(self, transport: asyncio.Transport) -> None:
        """Keep one that plays, or has left, from being sent away."""
        if transport in self._silent:
            self._silent.remove(transport)
