"""``POST /streams/{name}/frame``: a picture in, for a stream that takes them.

The endpoint looks at the outside of a request (type, size, rate, first bytes) and hands
the file on; whether it can be shown is found out in ingest. A picture that is accepted
may still be passed over for a newer one.

No foreign page can post here through its visitor's browser: the three types that are
accepted are none that a form can send, so a browser asks first and gets no leave, and
the gate refuses foreign origins besides.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio
from starlette.requests import Request
from starlette.responses import Response

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.control.intake import (
    DEFAULT_MAX_FPS,
    MAX_BYTES_A_SECOND,
    MAX_PICTURE_BYTES,
)
from ooblexd.control.problems import ProblemError, problem
from ooblexd.heartbeat import WorkerState

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

    from ooblexd.commands import NeedSlots
    from ooblexd.control.intake import Intake
    from ooblexd.control.streams import Streams

TYPES = ("image/jpeg", "image/png", "image/webp")
ARRIVES_WITHIN_S = 10.0
MAX_ARRIVING = 4
_MIB = MAX_BYTES_A_SECOND >> 20
_NO_STORE = {"Cache-Control": "no-store"}


class FrameEndpoint:
    """``POST /streams/{name}/frame``.

    Args:
        streams: Where the intakes are.
        ask: Asks the supervisor for larger slots.
    """

    def __init__(self, streams: Streams, ask: Callable[[NeedSlots], None]) -> None:
        self._streams = streams
        self._ask = ask

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one picture, or say why not."""
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        name: str = request.path_params["name"]
        intake = self._find_intake(name)
        _check_type(request)
        _check_length(request)
        self._check_worker(name)
        max_fps = self._streams.plan(name).max_fps or DEFAULT_MAX_FPS
        if intake.arriving >= MAX_ARRIVING:
            return _refuse_hurry(f"{MAX_ARRIVING} pictures for {name} are on their way")
        wait_ns = intake.limit.wait_ns(max_fps, monotonic_ns())
        if wait_ns:
            most = f"{max_fps:g} pictures (max_fps) and {_MIB} MiB a second"
            return _refuse_hurry(f"{name} takes {most}", wait_ns)
        intake.arriving += 1
        try:
            picture = await _read_picture(request)
        finally:
            intake.arriving -= 1
        by_bytes_ns = len(picture) * NS_PER_S // MAX_BYTES_A_SECOND
        intake.limit.put_off(max(by_bytes_ns - int(NS_PER_S / max_fps), 0))
        await intake.put(picture, monotonic_ns(), self._ask)
        return Response(status_code=202, headers=_NO_STORE)

    def _find_intake(self, name: str) -> Intake:
        if name not in self._streams.names:
            raise ProblemError(404, f"there is no stream {name}")
        plan = self._streams.plan(name)
        if not plan.takes_uploads:
            detail = f'{name} takes no pictures: its source is not "upload:"'
            raise ProblemError(409, detail)
        if not plan.enabled:
            raise ProblemError(409, f"{name} is switched off")
        intake = self._streams.intake(name)
        if intake is None:
            reason = self._streams.judge(name).reason or "it is just starting"
            raise ProblemError(503, f"{name} cannot take pictures: {reason}")
        return intake

    def _check_worker(self, name: str) -> None:
        for worker in self._streams.workers((f"ingest:{name}",)):
            if worker.state == WorkerState.UP:
                return
        reason = self._streams.judge(name).reason
        raise ProblemError(503, f"{name} cannot take pictures: {reason}")


def is_picture(data: bytes) -> bool:
    """Say whether ``data`` begins as a JPEG, PNG or WebP does."""
    is_webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    return is_webp or data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"))


def _check_type(request: Request) -> None:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in TYPES:
        detail = f"a picture needs Content-Type: {', '.join(TYPES[:-1])} or {TYPES[-1]}"
        raise ProblemError(415, detail)


def _check_length(request: Request) -> None:
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > MAX_PICTURE_BYTES:
        raise _too_large()


async def _read_picture(request: Request) -> bytes:
    """Return the body of ``request``.

    Raises:
        ProblemError: 413 by its size, 408 by its slowness, 415 where its bytes are no
            picture's.
    """
    body = bytearray()
    try:
        with anyio.fail_after(ARRIVES_WITHIN_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_PICTURE_BYTES:
                    raise _too_large()
    except TimeoutError as exc:
        detail = f"the picture did not come within {ARRIVES_WITHIN_S:g} s"
        raise ProblemError(408, detail) from exc
    picture = bytes(body)
    if not is_picture(picture):
        raise ProblemError(415, "this is no JPEG, PNG or WebP, whatever its type says")
    return picture


def _too_large() -> ProblemError:
    most = MAX_PICTURE_BYTES >> 20
    return ProblemError(413, f"a picture has at most {most} MiB")


def _refuse_hurry(detail: str, wait_ns: int = 0) -> Response:
    response = problem(429, detail)
    response.headers["Retry-After"] = str(max(math.ceil(wait_ns / NS_PER_S), 1))
    return response
