"""Step 6: a picture on its way to those who watch a stream: MJPEG.

``multipart/x-mixed-replace`` shows a part when the boundary after it arrives, so the
boundary is written right behind each picture, in the same send.

The head of the answer and its end go the server's way. The parts between do not
(`control.viewers`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from starlette.requests import Request

from ooblexd.control.dialects import OURS
from ooblexd.control.pictures import find_feed, ledger_headers
from ooblexd.control.viewers import SocketViewer, Wish, parse_fps, parse_rendition
from ooblexd.counters import Watching
from ooblexd.renditions import AS_IT_IS

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from starlette.types import Receive, Scope, Send

    from ooblexd.control.dialects import Dialect
    from ooblexd.control.encoded import EncodedPicture
    from ooblexd.control.feeds import Feed
    from ooblexd.control.protocol import Protocol
    from ooblexd.control.streams import Streams

_BOUNDARY = b"--ooblexd-frame\r\n"
_STREAM_HEADERS = [
    (b"content-type", b"multipart/x-mixed-replace; boundary=ooblexd-frame"),
    (b"cache-control", b"no-store, no-transform"),
    (b"pragma", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # a proxy must not collect parts
]


class MjpegViewer(SocketViewer):
    """One who watches by MJPEG.

    Args:
        feed: Whose pictures.
        transport: Of the connection, on which the answer has begun.
        wish: What it wants.
        is_chunked: Each part is a chunk of HTTP/1.1 (RFC 9112, 7.1).
    """

    watching = Watching.MJPEG

    def __init__(
        self, feed: Feed, transport: asyncio.Transport, wish: Wish, *, is_chunked: bool
    ) -> None:
        super().__init__(feed, transport, wish)
        self._is_chunked = is_chunked

    def pieces_of(
        self, picture: EncodedPicture, jpeg: bytes, now_ns: int
    ) -> Iterable[bytes]:
        """Return a part, and the boundary that has it shown."""
        head = _head_of(picture, len(jpeg), now_ns)
        end = b"\r\n" + _BOUNDARY
        if not self._is_chunked:
            return head, jpeg, end
        size = len(head) + len(jpeg) + len(end)
        return b"%x\r\n" % size + head, jpeg, end + b"\r\n"


def _head_of(picture: EncodedPicture, jpeg_bytes: int, now_ns: int) -> bytes:
    lines = [
        "Content-Type: image/jpeg",
        f"Content-Length: {jpeg_bytes}",
        *(f"{name}: {text}" for name, text in ledger_headers(picture, now_ns).items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


class MjpegEndpoint:
    """``GET /streams/{name}/stream.mjpg``, as plain ASGI.

    Args:
        streams: Where the feeds are.
        dialect: How it is asked for.
    """

    def __init__(self, streams: Streams, dialect: Dialect = OURS) -> None:
        self._streams = streams
        self._dialect = dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send pictures until the viewer leaves or the stream is gone."""
        request = Request(scope)
        feed = find_feed(self._streams, self._dialect.name_in(request))
        self._dialect.check_query(request, known=("fps", "width", "quality"))
        fps = parse_fps(request)
        rendition = AS_IT_IS if self._dialect.is_lenient else parse_rendition(request)
        with feed.rendered(rendition):
            await self._answer(scope, receive, send, feed, Wish(rendition, fps))

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, feed: Feed, wish: Wish
    ) -> None:
        await send(
            {"type": "http.response.start", "status": 200, "headers": _STREAM_HEADERS}
        )
        if scope["method"] != "HEAD":
            body = {"type": "http.response.body", "body": _BOUNDARY, "more_body": True}
            await send(body)
            connection: Protocol = scope["ooblexd.connection"]
            is_chunked = scope["http_version"] >= "1.1"
            transport = connection.transport
            viewer = MjpegViewer(feed, transport, wish, is_chunked=is_chunked)
            connection.on_room = viewer.look
            try:
                with feed.joined(viewer):
                    viewer.look()
                    await until_the_end(viewer.has_ended, receive)
            finally:
                connection.on_room = None
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def until_the_end(has_ended: anyio.Event, receive: Receive) -> None:
    """Wait until the stream is gone, or the viewer."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_cancel_when_gone, receive, tasks.cancel_scope)
        await has_ended.wait()
        tasks.cancel_scope.cancel()


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
