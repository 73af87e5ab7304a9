"""uvicorn on the supervisor's listeners, stopped by control itself."""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import uvicorn

from ooblexd.control.protocol import Protocol
from ooblexd.control.websocket_protocol import (
    MAX_SMALL_BYTES,
    PING_EVERY_S,
    PONG_WITHIN_S,
    WebSocketProtocol,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from starlette.types import ASGIApp

ABORT_AFTER_S = 0.7
_STOP_WITHIN_S = 1  # uvicorn's own bound, which logs an error where it is reached
# The path of the control socket is the supervisor's, and stays while control restarts.
_KEEP_PATH: dict[str, Any] = (
    {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
)


class Local(NamedTuple):
    """The control socket: where it listens, and what it serves."""

    listener: socket.socket
    app: ASGIApp


class Server(uvicorn.Server):
    """A server whose signals are its owner's.

    Args:
        app: Served on the sockets that `serve` is given.
        local: The control socket beside them, if there is one.
    """

    def __init__(self, app: ASGIApp, local: Local | None = None) -> None:
        super().__init__(_config(app, WebSocketProtocol))
        self._local = local

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept, on the control socket as well."""
        await super().startup(sockets)
        if self._local is None:
            return
        config = _config(self._local.app)
        config.load()

        def protocol() -> Protocol:
            return Protocol(config, self.server_state, {})

        loop = asyncio.get_running_loop()
        listener = self._local.listener
        local = await loop.create_unix_server(protocol, sock=listener, **_KEEP_PATH)
        self.servers.append(local)

    def abort_connections(self) -> None:
        """Drop every connection that is still there, and what its buffers hold."""
        for connection in tuple(self.server_state.connections):
            assert isinstance(connection, (Protocol, WebSocketProtocol))
            connection.transport.abort()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave all signal handlers as they are."""
        yield


def _config(
    app: ASGIApp, websockets: type[WebSocketProtocol] | None = None
) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=Protocol,
        ws=websockets or "none",
        ws_max_size=MAX_SMALL_BYTES,
        ws_per_message_deflate=False,
        ws_ping_interval=PING_EVERY_S,
        ws_ping_timeout=PONG_WITHIN_S,
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_STOP_WITHIN_S,
    )
