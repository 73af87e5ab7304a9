"""HTTP on one connection: uvicorn's, and what it leaves to a proxy that we have not.

A connection that does not say what it wants costs a descriptor, of which there are not
many. So the head of a request has ten seconds to come, and when all places are taken, a
new connection gets that of the one that has been silent for longest: whoever opens
sockets and says nothing only takes their own away. Only where every place is in use is
one refused.

What uvicorn answers or logs by itself is worded here as everything else is.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from uvicorn.protocols.http.h11_impl import H11Protocol

from ooblexd.control.guard import request_id_of
from ooblexd.control.problems import problem

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    import h11
    from starlette.types import Receive, Scope, Send

HEAD_WITHIN_S = 10.0
MAX_CONNECTIONS = 512
"""Viewers, their requests and idle ones: half of the 1024 descriptors that a process
usually has, beside three a stream."""


class Protocol(H11Protocol):
    """One connection; shows itself to the application, as ``ooblexd.connection``.

    A viewer that stalls is dropped by aborting its transport: closing one politely
    would wait until the viewer has read what is buffered, which it never does.

    Attributes:
        on_room: Called when the socket has taken all that was written.
    """

    on_room: Callable[[], None] | None = None
    transport: asyncio.Transport
    _head_timer: asyncio.TimerHandle | None = None
    _is_upgraded = False

    def connection_made(  # type: ignore[override] # narrower, as uvicorn has it
        self, transport: asyncio.Transport
    ) -> None:
        """Begin, and wait for a request."""
        super().connection_made(transport)
        inner = self.app

        async def with_itself(scope: Scope, receive: Receive, send: Send) -> None:
            scope["ooblexd.connection"] = self
            await inner(scope, receive, send)

        self.app = with_itself
        self._await_head()
        is_local = self.client is None  # the control socket is never too busy
        if len(self.connections) > MAX_CONNECTIONS and not is_local:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Take what came; patience does not begin anew with each byte."""
        super().data_received(data)
        if self.is_waiting:
            self._await_head()
        else:
            self._unset_head_timer()

    def resume_writing(self) -> None:
        """Go on: what was written is sent."""
        super().resume_writing()
        if self.on_room is not None:
            self.on_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._unset_head_timer()
        super().connection_lost(exc)

    @property
    def is_waiting(self) -> bool:
        """Whether nothing is asked, nor what is left of a question of any use."""
        is_asked = self.cycle is not None and not self.cycle.response_complete
        is_over = self._is_upgraded or self.transport.is_closing()
        return not is_asked and not is_over

    @property
    def waits_until_s(self) -> float:
        """When patience ends, in the loop's time; it has begun for the least first."""
        timer = self._head_timer or self.timeout_keep_alive_task
        return timer.when() if timer else 0.0

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Leave the connection to `websocket_protocol`."""
        self._is_upgraded = True
        super().handle_websocket_upgrade(event)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, and close."""
        refuse(self.transport, 400, msg.rstrip(".").lower())

    def _unsupported_upgrade_warning(self) -> None:
        """Log nothing: a request to speak another protocol may be ignored."""

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_WITHIN_S, self._give_up)

    def _unset_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        if self.is_waiting:
            self.transport.abort()

    def _make_room(self) -> None:
        others = [one for one in self.connections if one is not self]
        there = [one for one in others if not one.transport.is_closing()]
        waiting = [one for one in there if isinstance(one, Protocol) and one.is_waiting]
        if waiting:
            min(waiting, key=lambda one: one.waits_until_s).transport.abort()
        elif len(there) >= MAX_CONNECTIONS:
            detail = f"all {MAX_CONNECTIONS} connections are in use"
            refuse(self.transport, 503, detail)


def refuse(transport: asyncio.Transport, status: int, detail: str) -> None:
    """Answer a request that no application sees, and close the connection."""
    response = problem(status, detail)
    lines = [
        b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode()),
        *(name + b": " + value for name, value in response.raw_headers),
        b"x-request-id: " + request_id_of(None).encode(),
        b"connection: close",
    ]
    transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + bytes(response.body))
    transport.close()
