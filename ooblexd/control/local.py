"""What is served on the control socket: the status, to this machine's own people.

It is another application than the one on the port, and a small one: whoever comes by
TCP gains nothing by it, and whoever comes by the socket can read and change nothing
else. No browser reaches a Unix socket, so there is no ``Host`` to look at; who asks is
told by the kernel.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route

from ooblexd.control.problems import answer_http_error, problem
from ooblexd.status import format_status

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from ooblexd.control.protocol import Protocol
    from ooblexd.status import Status

_SO_PEERGROUPS = 59  # socket(7) does not name it; Linux 4.13
_CREDENTIALS = struct.Struct("iII")
_MOST_GROUPS = 1024


class Peer(NamedTuple):
    """Who is at the other end of a Unix socket, as the kernel tells it."""

    pid: int
    uid: int
    groups: tuple[int, ...]


def may_ask(peer: Peer, uid: int, gid: int) -> bool:
    """Say whether ``peer`` is root, the daemon's own user, or of the socket's group.

    Args:
        peer: Who asks.
        uid: The daemon's.
        gid: The socket file's.
    """
    return peer.uid in (0, uid) or gid in peer.groups


def peer_of(connection: socket.socket) -> Peer:
    """Return who connected; it cannot be forged."""
    option = connection.getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size
    )
    pid, uid, gid = _CREDENTIALS.unpack(option)
    try:
        further = connection.getsockopt(
            socket.SOL_SOCKET, _SO_PEERGROUPS, 4 * _MOST_GROUPS
        )
    except OSError:  # an older kernel, or too many
        further = b""
    groups = struct.unpack(f"{len(further) // 4}I", further)
    return Peer(pid, uid, (gid, *groups))


class _LocalGate:
    """Middleware that answers those alone who may ask."""

    def __init__(self, app: ASGIApp, path: Path) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asker: Protocol = scope["ooblexd.connection"]
        with asker.transport.get_extra_info("socket").dup() as connection:
            peer = peer_of(connection)
        if may_ask(peer, os.geteuid(), self._gid()):
            await self._app(scope, receive, send)
            return
        detail = "only root, the daemon's own user and the socket's group may ask"
        await problem(403, detail)(scope, receive, send)

    def _gid(self) -> int:
        try:
            return self._path.stat().st_gid
        except OSError:  # the path was taken away under the living socket
            return os.getegid()


def build_local_app(path: Path, read_status: Callable[[], Status]) -> Starlette:
    """Return the application of the control socket.

    Args:
        path: The socket's.
        read_status: Returns how the daemon is now.
    """

    async def status(_request: Request) -> Response:
        headers = {"Cache-Control": "no-store"}
        content = format_status(read_status())
        return Response(content, 200, headers, "application/json")

    return Starlette(
        routes=[Route("/status", status)],
        middleware=[Middleware(_LocalGate, path=path)],
        exception_handlers={HTTPException: answer_http_error},
    )
