"""WebSocket on one connection: uvicorn's and the library's, and what those leave open.

The library is websockets: unmasking a megabyte that comes in takes it 0.3 ms, where
wsproto takes 6.7, and a picture of 40 kB that goes out 7 us, not 17. Nothing is
compressed, since pictures are already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState

from ooblexd.control.protocol import refuse

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from typing import Any

    from starlette.types import Message, Receive, Scope, Send
    from websockets.http11 import Request

SERVER_ENDS = (1012, "the web server ends; come again")
MAX_SMALL_BYTES = 4096  # a message where nobody asks for pictures
PING_EVERY_S = 15.0
PONG_WITHIN_S = 15.0
_LINGER_S = 2.0
_MOST_PONG_BYTES = 1 << 16


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """One connection; shows itself to the application, as ``ooblexd.connection``.

    Attributes:
        on_room: Called when the socket has taken all that was written.
    """

    on_room: Callable[[], None] | None = None
    transport: asyncio.Transport

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        super().connection_made(transport)
        inner = self.app

        async def with_itself(scope: Scope, receive: Receive, send: Send) -> None:
            scope["ooblexd.connection"] = self
            await inner(scope, receive, send)

        self.app = with_itself

    @property
    def is_leaving(self) -> bool:
        """Whether nothing but the end can be said any more."""
        return self.close_sent or self.disconnected or self.transport.is_closing()

    def take_messages(self, most_bytes: int) -> None:
        """Take messages of so many bytes from now on."""
        self.conn.max_message_size = most_bytes

    def frame_of(self, message: bytes) -> bytes:
        """Return a binary message as it goes over the wire; empty at the end."""
        try:
            self.conn.send_binary(message)
        except InvalidState:
            return b""
        return b"".join(self.conn.data_to_send())

    def resume_writing(self) -> None:
        """Go on: what was written is sent."""
        super().resume_writing()
        if self.on_room is not None:
            self.on_room()

    def send_receive_event_to_app(self) -> None:
        """Hand a message on; what is no text ends the connection and is no news."""
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.send_close(1007)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def data_received(self, data: bytes) -> None:
        """Take what came; after a fault of the peer's, throw it away."""
        if self.conn.parser_exc is None:
            super().data_received(data)

    def handle_connect(self, event: Request) -> None:
        """Answer a handshake that is none as everything else is answered."""
        response = self.conn.accept(event)
        if response.status_code == 101:  # noqa: PLR2004 # of RFC 6455
            super().handle_connect(event)
            return
        said = bytes(response.body or b"").decode().strip()
        self.handshake_complete = self.close_sent = True
        refuse(self.transport, 400, said or "this is no WebSocket handshake")

    def handle_ping(self) -> None:
        """Answer, unless the peer asks and asks and never reads."""
        output = b"".join(self.conn.data_to_send())
        if self.transport.get_write_buffer_size() < _MOST_PONG_BYTES:
            self.transport.write(output)

    def handle_parser_exception(self) -> None:
        """Tell the peer what was wrong, and give it time to hear.

        Closed at once, with bytes unread, the connection would be reset, and the reason
        lost on the way.
        """
        if not self.handshake_initiated:
            self.handshake_complete = self.close_sent = True
            refuse(self.transport, 400, "this is no WebSocket handshake")
            return
        close = self.conn.close_sent
        code, reason = (close.code, close.reason) if close else (1002, "")
        message = {"type": "websocket.disconnect", "code": code, "reason": reason}
        self.queue.put_nowait(message)  # type: ignore[arg-type] # ASGI, as a dictionary
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(_LINGER_S, self.transport.abort)

    def keepalive_timeout(self) -> None:
        """End a connection whose peer is dead; what it was sent waits no longer."""
        super().keepalive_timeout()
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def shutdown(self) -> None:
        """End, since the web server does."""
        if self.handshake_complete and not self.is_leaving:
            self.conn.send_close(*SERVER_ENDS)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        if not self.transport.is_closing():
            super().shutdown()

    async def send(  # type: ignore[override] # Starlette's name for the same
        self, message: Message
    ) -> None:
        """Send what the application says.

        Raises:
            ClientDisconnected: The connection ended meanwhile.
        """
        await self.writable.wait()
        if self.close_sent:
            raise ClientDisconnected
        await super().send(message)  # type: ignore[arg-type] # likewise
