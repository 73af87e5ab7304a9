"""Problem documents: every error of the API has this one form (RFC 9457)."""

from __future__ import annotations

import http
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """A request that is answered with a problem document.

    Attributes:
        status: HTTP status.
        detail: What is wrong with this request, a sentence for its sender.
        members: Further members of the document, such as ``errors``.
    """

    def __init__(self, status: int, detail: str, **members: Any) -> None:
        self.status = status
        self.detail = detail
        self.members = members
        super().__init__(detail)


def problem(status: int, detail: str, **members: Any) -> Response:
    """Build the document; ``type`` is ``about:blank``, so the title is the status's."""
    body = {
        "type": "about:blank",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **members,
    }
    headers = {"Cache-Control": "no-store"}
    return JSONResponse(body, status, headers, media_type=MEDIA_TYPE)


async def answer_problem(_request: Request, exc: Exception) -> Response:
    """Answer what our own code refused."""
    assert isinstance(exc, ProblemError)
    return problem(exc.status, exc.detail, **exc.members)


async def answer_http_error(request: Request, exc: Exception) -> Response:
    """Answer what the router refused: no such path, or not by this method."""
    assert isinstance(exc, HTTPException)
    details = {
        404: f"there is nothing at {request.url.path}",
        405: f"{request.method} is not possible at {request.url.path}",
    }
    response = problem(exc.status_code, details.get(exc.status_code, exc.detail))
    response.headers.update(exc.headers or {})
    return response
