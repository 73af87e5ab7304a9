"""The gate that every request passes on its way in, and every answer going out."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import unquote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from uvicorn.protocols.utils import ClientDisconnected

from ooblexd.control import guard
from ooblexd.control.accepted import accepting_headers
from ooblexd.control.problems import problem
from ooblexd.control.requests import OTHER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from ooblexd.control.configuration import Configuration
    from ooblexd.control.requests import RequestCounts

logger = logging.getLogger(__name__)

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_WEBSOCKET = "WEBSOCKET"
_STARTS = (
    *("http.response.start", "websocket.http.response.start"),
    "websocket.accept",
)

# Nothing is loaded from elsewhere, nobody may frame the page, and no other site may
# show a picture of this box (`Cross-Origin-Resource-Policy`).
_SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' blob: data:; script-src 'self'; "
        "style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Gate:
    """Middleware around the whole application.

    It names each request, refuses foreign hosts and origins, counts answers by route,
    adds the security headers, and turns what nobody caught into a 500 with a log entry.
    No browser keeps a foreign page from opening a WebSocket, not even to look, so for
    these an ``Origin`` must be ours always.

    Args:
        app: What is inside.
        counts: Where answers are counted.
        paths: The route template of each endpoint.
        configuration: Tells the values of ``Host`` that are let in beside the loopback
            names.
    """

    def __init__(
        self,
        app: ASGIApp,
        counts: RequestCounts,
        paths: Mapping[object, str],
        configuration: Configuration,
    ) -> None:
        self._app = app
        self._counts = counts
        self._paths = paths
        self._configuration = configuration

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or refuse it."""
        _make_origin_form(scope)
        headers = Headers(scope=scope)
        request_id = guard.request_id_of(headers.get("x-request-id"))
        started = False

        async def send_out(message: Message) -> None:
            nonlocal started
            if message["type"] in _STARTS:
                started = True
                message.setdefault("headers", [])
                out = MutableHeaders(scope=message)
                out["X-Request-ID"] = request_id
                out.update(_SECURITY_HEADERS)
                status, method = message.get("status", 101), scope.get("method", "GET")
                path = self._paths.get(scope.get("endpoint"), OTHER)
                out.update(accepting_headers(path, method, status))
                self._counts.count(method, path, status)
            await send(message)

        refusal = self._refusal(scope.get("method", _WEBSOCKET), headers)
        if refusal is not None:
            await refusal(scope, receive, send_out)
            return
        try:
            await self._app(scope, receive, send_out)
        except (ClientDisconnect, ClientDisconnected):
            return  # it left in the middle
        except Exception:  # the HTTP server's error middleware: 500
            logger.exception("request %s failed, please report this", request_id)
            if started:
                scope["ooblexd.connection"].transport.abort()
                return
            detail = f"the daemon made a mistake; its log has it as {request_id}"
            await problem(500, detail)(scope, receive, send_out)

    def _refusal(self, method: str, headers: Headers) -> Response | None:
        host = headers.get("host")
        if not guard.is_allowed_host(host, self._configuration.plan.allowed_hosts):
            return problem(
                403,
                "this daemon does not answer to that Host; add it to "
                "http.allowed_hosts in the configuration file",
            )
        origin = headers.get("origin")
        if method in _SAFE_METHODS or origin is None:
            return None
        if not guard.is_same_origin(origin, host or ""):
            what = "WebSockets" if method == _WEBSOCKET else "changes"
            return problem(403, f"{what} are accepted from this daemon's own page only")
        return None


def _make_origin_form(scope: Scope) -> None:
    """Have a request whose target names the host too be as one by path and ``Host``.

    The header is put aside, as RFC 9112, section 3.2.2, has it: what is checked must be
    what was asked.
    """
    split = guard.split_target(scope["raw_path"].decode("latin-1"))
    if split is None:
        return
    host, path = split
    others = [header for header in scope["headers"] if header[0] != b"host"]
    scope["headers"] = [(b"host", host.encode("latin-1")), *others]
    scope["raw_path"] = path.encode("latin-1")
    scope["path"] = unquote(path)
