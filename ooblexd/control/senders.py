"""Step 0, by WebSocket: pictures in, each answered, one at a time.

For a stream whose source is ``upload:`` each binary message is one file. Each is
answered by a text message, in their order: JSON with the number of the picture within
its connection, from 1, and the status that ``POST /streams/{name}/frame`` would have
had; a refusal with ``detail``, and with ``retry_after_ms`` where that is known. The
next one is read when the answer is on its way. So a sender knows what was refused and
why, and nothing queues, here or there: who sends faster finds its socket full.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import anyio
from uvicorn.protocols.utils import ClientDisconnected

from ooblexd.clock import NS_PER_MS
from ooblexd.control.intake import MAX_BYTES_A_SECOND, MAX_PICTURE_BYTES
from ooblexd.control.problems import ProblemError
from ooblexd.control.upload import (
    HurryError,
    check_worker,
    find_intake,
    hand_on,
    take_turn,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import Message, Receive, Send

    from ooblexd.commands import NeedSlots
    from ooblexd.control.streams import Streams
    from ooblexd.control.websocket_protocol import WebSocketProtocol

MAX_SENDERS = 8
"""Connections a stream that may send; each may hold a picture in memory."""

_UNSUPPORTED, _LATER = 1003, 1013  # RFC 6455, 7.4.1, and IANA


class End(NamedTuple):
    """Why a connection is closed.

    Attributes:
        code: Of RFC 6455.
        reason: In words; at most 123 bytes.
    """

    code: int
    reason: str


class Senders:
    """Who may send.

    Args:
        streams: Where the intakes are.
        ask: Asks the supervisor for larger slots.
    """

    def __init__(self, streams: Streams, ask: Callable[[NeedSlots], None]) -> None:
        self._streams = streams
        self._ask = ask
        self._admitted: Counter[str] = Counter()

    @contextmanager
    def admitted(self, name: str, connection: WebSocketProtocol) -> Iterator[Sender]:
        """Lend a connection its way in to the stream ``name``; maybe it is closed."""
        refusal = self._refusal(name)
        sender = Sender(self._streams, name, self._ask, refusal)
        if refusal is not None:
            yield sender
            return
        connection.take_messages(MAX_PICTURE_BYTES)
        self._admitted[name] += 1
        try:
            yield sender
        finally:
            self._admitted[name] -= 1

    def _refusal(self, name: str) -> End | None:
        if not self._streams.plan(name).takes_uploads:
            reason = f'{name} takes no pictures: its source is not "upload:"'
            return End(_UNSUPPORTED, reason)
        if self._admitted[name] >= MAX_SENDERS:
            return End(_LATER, f"{MAX_SENDERS} others may send to {name} already")
        return None


class Sender:
    """What comes in by one connection.

    Args:
        streams: Where the intakes are.
        name: Of the stream.
        ask: Asks the supervisor for larger slots.
        refusal: Why it may not send; None where it may.
    """

    def __init__(
        self,
        streams: Streams,
        name: str,
        ask: Callable[[NeedSlots], None],
        refusal: End | None,
    ) -> None:
        self._streams = streams
        self._name = name
        self._ask = ask
        self._refusal = refusal

    async def converse(self, receive: Receive, send: Send) -> End | None:
        """Take and answer pictures.

        Returns:
            Why the connection is to be closed; None where the peer has left.
        """
        number = 0
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return None
            if message["type"] == "websocket.connect":
                continue
            if self._refusal is not None:
                return self._refusal
            number += 1
            picture = message.get("bytes")
            answer = {"picture": number, **await self._outcome(picture)}
            try:
                await send({"type": "websocket.send", "text": json.dumps(answer)})
            except ClientDisconnected:
                return None
            # Refused or not, it was unmasked: no more than so much a second.
            await anyio.sleep(len(picture or b"") / MAX_BYTES_A_SECOND)

    async def _outcome(self, picture: bytes | None) -> Message:
        try:
            await self._take(picture)
        except HurryError as hurry:
            outcome = {"status": hurry.status, "detail": hurry.detail}
            return {**outcome, "retry_after_ms": -(-hurry.wait_ns // NS_PER_MS)}
        except ProblemError as exc:
            return {"status": exc.status, "detail": exc.detail}
        return {"status": 202}

    async def _take(self, picture: bytes | None) -> None:
        if picture is None:
            raise ProblemError(415, "a picture is a binary message")
        intake = find_intake(self._streams, self._name)
        check_worker(self._streams, self._name)
        take_turn(self._streams, self._name, intake)
        plan = self._streams.plan(self._name)
        await hand_on(plan, intake, bytes(picture), self._ask)
