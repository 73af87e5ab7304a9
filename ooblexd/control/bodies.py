"""What a request carries: JSON, of bounded size, said to be JSON."""

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
    try:
        with anyio.fail_after(BODY_WITHIN_S):
            body = await _read_bounded(request)
    except TimeoutError as exc:
        detail = f"the body did not come within {BODY_WITHIN_S:g} s"
        raise ProblemError(408, detail) from exc
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
