"""What a request carries: JSON, of bounded size, said to be JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ooblexd.control.guard import is_json
from ooblexd.control.problems import ProblemError

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_BODY_BYTES = 1 << 20


def require_json(request: Request) -> None:
    """Refuse a change whose ``Content-Type`` a foreign page could have sent.

    Raises:
        ProblemError: 415.
    """
    if not is_json(request.headers.get("content-type")):
        raise ProblemError(415, "a change needs Content-Type: application/json")


async def read_json(request: Request) -> Any:
    """Return the JSON value of the body.

    Raises:
        ProblemError: 415 by its type, 413 by its size, 400 where it is not JSON.
    """
    require_json(request)
    body = await _read_bounded(request)
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


async def _read_bounded(request: Request) -> bytes:
    too_large = ProblemError(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > MAX_BODY_BYTES:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise too_large
    return bytes(body)


def _kind(value: Any) -> str:
    kinds = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")
