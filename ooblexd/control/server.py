"""uvicorn on the supervisor's listener, stopped by control itself."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send

ABORT_AFTER_S = 0.7
_STOP_WITHIN_S = 1  # uvicorn's own bound, which logs an error where it is reached


class _Protocol(H11Protocol):
    """HTTP that shows the application its transport, as ``ooblexd.transport``.

    A viewer that stalls is dropped by aborting its transport: closing one politely
    would wait until the viewer has read what is buffered, which it never does.
    """

    def connection_made(  # type: ignore[override] # narrower, as uvicorn has it
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        inner = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope["ooblexd.transport"] = transport
            await inner(scope, receive, send)

        self.app = with_transport


class Server(uvicorn.Server):
    """A server whose signals are its owner's."""

    def abort_connections(self) -> None:
        """Drop every connection that is still there, and what its buffers hold."""
        for connection in tuple(self.server_state.connections):
            assert isinstance(connection, _Protocol)
            connection.transport.abort()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave all signal handlers as they are."""
        yield


def build_server(app: ASGIApp) -> Server:
    """Return a server for ``app``; it listens where ``serve(sockets=…)`` says."""
    config = uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_STOP_WITHIN_S,
    )
    return Server(config)
