"""Problem documents: every error of the API has this one form (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

if TYPE_CHECKING:
    from starlette.requests import Request

MEDIA_TYPE = "application/problem+json"
MOST_DETAIL = 500
MOST_ERRORS = 20
_MOST_PATH = 100
# The rest of a body that is not wanted is not waited for either.
_CLOSING = (408, 413)


class ProblemError(Exception):
    """A request that is answered with a problem document.

    Attributes:
        status: HTTP status.
        detail: What is wrong with this request, a sentence for its sender.
        members: Further members of the document, such as ``errors``.
        retry_after_s: When it may be worth another attempt; 0 where nobody knows.
    """

    retry_after_s = 0

    def __init__(self, status: int, detail: str, **members: Any) -> None:
        self.status = status
        self.detail = detail
        self.members = members
        super().__init__(detail)


def problem(status: int, detail: str, **members: Any) -> Response:
    """Build the document; ``type`` is ``about:blank``, so the title is the status's.

    What was sent comes back in it only in part where it is long.
    """
    if "errors" in members:
        members["errors"] = [
            {key: shorten(text, MOST_DETAIL) for key, text in error.items()}
            for error in members["errors"][:MOST_ERRORS]
        ]
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": shorten(detail, MOST_DETAIL),
        **members,
    }
    headers = {"Cache-Control": "no-store"}
    if status in _CLOSING:
        headers["Connection"] = "close"
    return JSONResponse(body, status, headers, media_type=MEDIA_TYPE)


def shorten(text: str, most: int) -> str:
    """Return ``text``, or its beginning and how long it was."""
    if len(text) <= most:
        return text
    return f"{text[:most]}… ({len(text)} characters)"


async def answer_problem(_request: Request, exc: Exception) -> Response:
    """Answer what our own code refused."""
    assert isinstance(exc, ProblemError)
    response = problem(exc.status, exc.detail, **exc.members)
    if exc.retry_after_s:
        response.headers["Retry-After"] = str(exc.retry_after_s)
    return response


async def answer_http_error(request: Request, exc: Exception) -> Response:
    """Answer what the router refused: no such path, or not by this method."""
    assert isinstance(exc, HTTPException)
    headers = dict(exc.headers or {})
    if "Allow" in headers:
        methods = {*headers["Allow"].split(", "), "OPTIONS"}
        headers["Allow"] = ", ".join(sorted(methods))
    if request.method == "OPTIONS" and exc.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return Response(status_code=204, headers=headers)
    path = shorten(request.url.path, _MOST_PATH)
    details = {
        404: f"there is nothing at {path}",
        405: f"{request.method} is not possible at {path}",
    }
    response = problem(exc.status_code, details.get(exc.status_code, exc.detail))
    response.headers.update(headers)
    return response
