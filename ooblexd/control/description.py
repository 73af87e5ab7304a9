"""``/openapi.json``: made when somebody asks for the first time, then kept."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple

from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request
    from starlette.routing import BaseRoute

# What every route answers to, and no operation of its own.
_SELF_EVIDENT = {"HEAD", "OPTIONS"}


class _Document(NamedTuple):
    content: bytes
    etag: str


class Description:
    """The OpenAPI document of the application that it is asked through."""

    def __init__(self) -> None:
        self._document: _Document | None = None
        self._lock = asyncio.Lock()

    async def answer(self, request: Request) -> Response:
        """Answer ``/openapi.json``."""
        async with self._lock:
            if self._document is None:
                routes = operations_of(request.app.routes)
                self._document = await asyncio.to_thread(_build, routes)
        document = self._document
        headers = {"Cache-Control": "no-cache", "ETag": document.etag}
        if request.headers.get("if-none-match") == document.etag:
            return Response(status_code=304, headers=headers)
        return Response(document.content, 200, headers, "application/json")


def operations_of(routes: Iterable[BaseRoute]) -> list[tuple[str, str]]:
    """Return method and path of each route, by path as the router has them."""
    return [
        (method, route.path)
        for route in routes
        if isinstance(route, Route)
        for method in sorted((route.methods or set()) - _SELF_EVIDENT)
    ]


def _build(routes: list[tuple[str, str]]) -> _Document:
    # Heavy: needs the models of the configuration, as `drafts` does.
    from ooblexd.control.openapi import build_document  # noqa: PLC0415 # see above

    content = json.dumps(build_document(routes), separators=(",", ":")).encode()
    return _Document(content, f'"{hashlib.sha256(content).hexdigest()[:16]}"')
