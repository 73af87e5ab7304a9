"""The pages (``/``, ``/watch``, ``/docs`` …): files, read once, kept in memory."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from starlette.exceptions import HTTPException
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from starlette.requests import Request

_MEDIA_TYPES = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}


class _File(NamedTuple):
    content: bytes
    media_type: str
    etag: str


class Page:
    """The files of the page; a browser asks whether they changed, each time.

    Args:
        streams: Returns the names of all streams.
    """

    def __init__(self, streams: Callable[[], Collection[str]]) -> None:
        self._streams = streams
        folder = files("ooblexd.control").joinpath("static")
        self._files = {
            file.name: _read(file.read_bytes(), _MEDIA_TYPES[suffix])
            for file in folder.iterdir()
            if (suffix := file.name.rpartition(".")[2]) in _MEDIA_TYPES
        }

    async def index(self, request: Request) -> Response:
        """Answer ``/``."""
        return self._answer("index.html", request)

    async def docs(self, request: Request) -> Response:
        """Answer ``/docs``."""
        return self._answer("docs.html", request)

    async def watch(self, request: Request) -> Response:
        """Answer ``/watch/{name}``; without such a stream the page says so, and 404."""
        return self._answer_of_stream("watch.html", request)

    async def publish(self, request: Request) -> Response:
        """Answer ``/publish/{name}``; without such a stream likewise."""
        return self._answer_of_stream("publish.html", request)

    async def file(self, request: Request) -> Response:
        """Answer ``/static/{file}``."""
        return self._answer(request.path_params["file"], request)

    def _answer_of_stream(self, page: str, request: Request) -> Response:
        if request.path_params["name"] in self._streams():
            return self._answer(page, request)
        found = self._files[page]  # it becomes the live one once there is a stream
        headers = {"Cache-Control": "no-cache"}
        return Response(found.content, 404, headers, media_type=found.media_type)

    def _answer(self, name: str, request: Request) -> Response:
        found = self._files.get(name)
        if found is None:
            raise HTTPException(404)
        headers = {"Cache-Control": "no-cache", "ETag": found.etag}
        if request.headers.get("if-none-match") == found.etag:
            return Response(status_code=304, headers=headers)
        return Response(found.content, headers=headers, media_type=found.media_type)


def _read(content: bytes, media_type: str) -> _File:
    digest = hashlib.sha256(content).hexdigest()[:16]
    return _File(content, media_type, f'"{digest}"')
