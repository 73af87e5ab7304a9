"""What a request carries: of bounded size, and said to be what it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio

from ooblexd.control.guard import is_json
from ooblexd.control.problems import ProblemError

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_BODY_BYTES = 1 << 20
BODY_WITHIN_S = 30.0


async def read_json(request: Request) -> Any:
    """Return the JSON value of the body.

    Raises:
        ProblemError: 415 where its type is one that a foreign page could send, 413 by
            its size, 408 where it does not come, 400 where it is not JSON.
    """
    if not is_json(request.headers.get("content-type")):
        raise ProblemError(415, "a change needs Content-Type: application/json")
    body = await _read_bounded(request, MAX_BODY_BYTES)
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise ProblemError(400, f"the body is not JSON: {exc}") from exc


async def read_object(request: Request) -> dict[str, Any]:
    """Return the JSON object of the body.

    Raises:
        ProblemError: As `read_json`, and 422 where it is another value.
    """
    value = await read_json(request)
    if not isinstance(value, dict):
        raise ProblemError(422, f"expected a JSON object, found {_kind(value)}")
    return value


async def read_text(request: Request, media_type: str, most_bytes: int) -> str:
    """Return the body as text.

    Args:
        request: Its.
        media_type: That it must say it is; not one that a foreign page could send.
        most_bytes: Its size at most.

    Raises:
        ProblemError: 415 where it is of another type, 413 by its size, 408 where it
            does not come, 400 where it is not UTF-8.
    """
    found = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if found != media_type:
        raise ProblemError(415, f"expected Content-Type: {media_type}")
    body = await _read_bounded(request, most_bytes)
    try:
        return body.decode()
    except UnicodeDecodeError as exc:
        raise ProblemError(400, f"the body is not UTF-8: {exc}") from exc


async def _read_bounded(request: Request, most_bytes: int) -> bytes:
    too_large = ProblemError(413, f"the body is larger than {most_bytes} bytes")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > most_bytes:
        raise too_large
    body = bytearray()
    try:
        with anyio.fail_after(BODY_WITHIN_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most_bytes:
                    raise too_large
    except TimeoutError as exc:
        detail = f"the body did not come within {BODY_WITHIN_S:g} s"
        raise ProblemError(408, detail) from exc
    return bytes(body)


def _kind(value: Any) -> str:
    kinds = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")
