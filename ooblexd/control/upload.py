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
from ooblexd.control.problems import ProblemError
from ooblexd.heartbeat import WorkerState

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

    from ooblexd.commands import NeedSlots
    from ooblexd.control.intake import Intake
    from ooblexd.control.streams import Streams
    from ooblexd.plan import StreamPlan

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
        intake = find_intake(self._streams, name)
        _check_type(request)
        _check_length(request)
        check_worker(self._streams, name)
        if intake.arriving >= MAX_ARRIVING:
            raise HurryError(f"{MAX_ARRIVING} pictures for {name} are on their way")
        take_turn(self._streams, name, intake)
        intake.arriving += 1
        try:
            picture = await _read_picture(request)
        finally:
            intake.arriving -= 1
        await hand_on(self._streams.plan(name), intake, picture, self._ask)
        return Response(status_code=202, headers=_NO_STORE)


class HurryError(ProblemError):
    """A picture came too soon.

    Attributes:
        wait_ns: How long there is no turn; 0 where nobody knows.
    """

    def __init__(self, detail: str, wait_ns: int = 0) -> None:
        super().__init__(429, detail)
        self.wait_ns = wait_ns
        self.retry_after_s = max(math.ceil(wait_ns / NS_PER_S), 1)


def find_intake(streams: Streams, name: str) -> Intake:
    """Return where the pictures of the stream ``name`` go in.

    Raises:
        ProblemError: 404 where there is no such stream, 409 where it takes none, 503
            where it is just starting.
    """
    if name not in streams.names:
        raise ProblemError(404, f"there is no stream {name}")
    plan = streams.plan(name)
    if not plan.takes_uploads:
        detail = f'{name} takes no pictures: its source is not "upload:"'
        raise ProblemError(409, detail)
    if not plan.enabled:
        raise ProblemError(409, f"{name} is switched off")
    intake = streams.intake(name)
    if intake is None:
        reason = streams.judge(name).reason or "it is just starting"
        raise ProblemError(503, f"{name} cannot take pictures: {reason}")
    return intake


def check_worker(streams: Streams, name: str) -> None:
    """See that somebody is there to decode what comes for the stream ``name``.

    Raises:
        ProblemError: 503.
    """
    for worker in streams.workers((f"ingest:{name}",)):
        if worker.state == WorkerState.UP:
            return
    reason = streams.judge(name).reason
    raise ProblemError(503, f"{name} cannot take pictures: {reason}")


def take_turn(streams: Streams, name: str, intake: Intake) -> None:
    """Take a turn for a picture for the stream ``name``.

    Raises:
        HurryError: There is none now.
    """
    max_fps = streams.plan(name).max_fps or DEFAULT_MAX_FPS
    wait_ns = intake.limit.wait_ns(max_fps, monotonic_ns())
    if wait_ns:
        most = f"{max_fps:g} pictures (max_fps) and {_MIB} MiB a second"
        raise HurryError(f"{name} takes {most}", wait_ns)


async def hand_on(
    plan: StreamPlan,
    intake: Intake,
    picture: bytes,
    ask: Callable[[NeedSlots], None],
) -> None:
    """Make a picture that has had its turn the newest of the stream.

    Raises:
        ProblemError: 415 where its bytes are no picture's; and as `Intake.put` says.
    """
    if not is_picture(picture):
        raise ProblemError(415, "this is no JPEG, PNG or WebP, whatever its type says")
    max_fps = plan.max_fps or DEFAULT_MAX_FPS
    by_bytes_ns = len(picture) * NS_PER_S // MAX_BYTES_A_SECOND
    intake.limit.put_off(max(by_bytes_ns - int(NS_PER_S / max_fps), 0))
    await intake.put(picture, monotonic_ns(), ask)


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
        ProblemError: 413 by its size, 408 by its slowness.
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
    return bytes(body)


def _too_large() -> ProblemError:
    most = MAX_PICTURE_BYTES >> 20
    return ProblemError(413, f"a picture has at most {most} MiB")
