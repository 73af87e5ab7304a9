"""The pages at ``/``, ``/watch`` and ``/docs``: files, read once, kept in memory."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from starlette.exceptions import HTTPException
from starlette.responses import Response

if TYPE_CHECKING:
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
    """The files of the page; a browser asks whether they changed, each time."""

    def __init__(self) -> None:
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
        """Answer ``/watch/{name}``; whether there is such a stream it finds out."""
        return self._answer("watch.html", request)

    async def file(self, request: Request) -> Response:
        """Answer ``/static/{file}``."""
        return self._answer(request.path_params["file"], request)

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
