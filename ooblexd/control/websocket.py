"""Step 6, and step 0: pictures by WebSocket, out and in.

Out, each picture is one binary message: a header of 32 bytes (`HEADER`), then the
JPEG. It is written as MJPEG's parts are (`control.viewers`), so a slow peer skips
pictures and nothing queues for it.

What comes in is for `control.senders`.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import anyio
from starlette.requests import HTTPConnection

from ooblexd.clock import NS_PER_US, unix_us
from ooblexd.control.dialects import OURS
from ooblexd.control.pictures import find_feed
from ooblexd.control.problems import ProblemError, problem
from ooblexd.control.senders import End, Senders
from ooblexd.control.viewers import SocketViewer, Wish, parse_wish
from ooblexd.control.websocket_protocol import SERVER_ENDS
from ooblexd.counters import Watching
from ooblexd.frame import Verdict
from ooblexd.renditions import AS_IT_IS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from ooblexd.commands import NeedSlots
    from ooblexd.control.encoded import EncodedPicture
    from ooblexd.control.feeds import Feed
    from ooblexd.control.senders import Sender
    from ooblexd.control.streams import Streams
    from ooblexd.control.websocket_protocol import WebSocketProtocol

HEADER = struct.Struct("<BBHIQQII")
"""Version, kind, bytes of the header, flags, sequence, capture (unix us), age (us),
bytes of the JPEG. The kind is a `Verdict`: 1 live, 2 held, 3 covered, 4 slate."""

VERSION = 1
SHOWS_FRAME = 1
"""Flag: a frame of the source is shown, and sequence, capture and age are its own; else
they are 0."""

_MOST_AGE_US = 0xFFFFFFFF
_GOING_AWAY = 1001  # RFC 6455, 7.4.1


class WebSocketViewer(SocketViewer):
    """One who watches by WebSocket.

    Args:
        feed: Whose pictures.
        connection: Accepted.
        wish: What it wants.
    """

    watching = Watching.WEBSOCKET

    def __init__(self, feed: Feed, connection: WebSocketProtocol, wish: Wish) -> None:
        super().__init__(feed, connection.transport, wish)
        self._connection = connection

    @property
    def is_leaving(self) -> bool:
        """Whether the connection is being closed."""
        return self._connection.is_leaving

    def pieces_of(
        self, picture: EncodedPicture, jpeg: bytes, now_ns: int
    ) -> Iterable[bytes]:
        """Return one message."""
        message = pack_header(picture, len(jpeg), now_ns) + jpeg
        return (self._connection.frame_of(message),)


class _Bystander:
    """One who sends only, and is told of the end."""

    watching = None

    def __init__(self, feed: Feed) -> None:
        self.has_ended = anyio.Event()
        self._feed = feed

    def look(self) -> None:
        if self._feed.is_closed:
            self.has_ended.set()

    def end_if_stalled(self, now_ns: int) -> None:
        """Do nothing: a dead peer is noticed by its silence."""


def pack_header(picture: EncodedPicture, jpeg_bytes: int, now_ns: int) -> bytes:
    """Return what stands before a JPEG of ``picture``."""
    header = picture.header
    flags = sequence = capture_us = age_us = 0
    if header.verdict != Verdict.SLATE and header.capture_ns:
        flags, sequence = SHOWS_FRAME, header.sequence
        capture_us = unix_us(header.capture_ns)
        age_us = (now_ns - header.capture_ns) // NS_PER_US
    return HEADER.pack(
        VERSION,
        header.verdict,
        HEADER.size,
        flags,
        sequence,
        capture_us,
        min(max(age_us, 0), _MOST_AGE_US),
        jpeg_bytes,
    )


class WebSocketEndpoint:
    """``WS /streams/{name}/ws``, as plain ASGI.

    Args:
        streams: Where feeds and intakes are.
        ask: Asks the supervisor for larger slots.
    """

    def __init__(self, streams: Streams, ask: Callable[[NeedSlots], None]) -> None:
        self._streams = streams
        self._senders = Senders(streams, ask)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send and take pictures until the peer leaves or the stream is gone."""
        asked = HTTPConnection(scope)
        name: str = asked.path_params["name"]
        feed = find_feed(self._streams, name)
        OURS.check_query(asked, known=("fps", "width", "quality", "watch"))
        wish, watches = parse_wish(asked), _parse_watch(asked)
        with feed.rendered(wish.rendition if watches else AS_IT_IS):
            connection: WebSocketProtocol = scope["ooblexd.connection"]
            await send({"type": "websocket.accept"})
            viewer: WebSocketViewer | _Bystander
            if watches:
                viewer = WebSocketViewer(feed, connection, wish)
                connection.on_room = viewer.look
            else:
                viewer = _Bystander(feed)
            with (
                self._senders.admitted(name, connection) as sender,
                feed.joined(viewer),
            ):
                viewer.look()
                end = await _until_the_end(viewer.has_ended, sender, receive, send)
            connection.on_room = None
        if not connection.is_leaving:
            end = end or self._end_of(name)
            await send({"type": "websocket.close", **end._asdict()})

    def _end_of(self, name: str) -> End:
        if self._streams.is_closed:
            return End(*SERVER_ENDS)
        return End(_GOING_AWAY, f"{name} was removed, switched off or changed")


async def _until_the_end(
    has_ended: anyio.Event, sender: Sender, receive: Receive, send: Send
) -> End | None:
    """Wait until the stream is gone, or the peer, or is to go; then return why."""
    end: End | None = None

    async def converse() -> None:
        nonlocal end
        end = await sender.converse(receive, send)
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(converse)
        await has_ended.wait()
        tasks.cancel_scope.cancel()
    return end


def _parse_watch(asked: HTTPConnection) -> bool:
    """Return ``?watch=``; true where there is none.

    Raises:
        ProblemError: 422 where it is neither true nor false.
    """
    text = asked.query_params.get("watch", "true")
    if text not in ("true", "false"):
        error = {"key": "watch", "detail": f"{text!r}, allowed true, false"}
        raise ProblemError(422, f"watch: {error['detail']}", errors=[error])
    return text == "true"


async def ask_for_upgrade(_request: Request) -> Response:
    """Answer a plain ``GET`` of what is there for WebSockets only."""
    response = problem(426, "this is for WebSocket clients: send Upgrade: websocket")
    response.headers["Upgrade"] = "websocket"
    response.headers["Connection"] = "Upgrade"
    return response
