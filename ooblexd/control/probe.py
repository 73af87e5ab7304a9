"""``POST /api/v1/probe``: what a source is, asked before it becomes a stream.

A process of its own opens the source: decoders stay out of control, and what hangs is
killed with it. The source's URL goes in by a pipe, since a command line shows in the
list of processes. The process ends with the answer, the deadline, or the client that
does not wait for it any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import anyio
from starlette.responses import JSONResponse, Response

from ooblexd.control.bodies import read_object
from ooblexd.control.problems import ProblemError, problem
from ooblexd.errors import ConfigError, SourceForbiddenError
from ooblexd.sources.url import BY_API, forms_of, is_file_only, scheme_of

if TYPE_CHECKING:
    from starlette.requests import Request

MOST_AT_ONCE = 3
DEADLINE_S = 20.0
"""The process has a shorter one of its own, and a few words for it."""

_USAGE = 2  # the exit code of a source that is none
_RETRY_AFTER_S = 5
_COMMAND = (sys.executable, "-m", "ooblexd", "probe", "--json")
_TRANSPORTS = ("auto", "tcp", "udp")


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """Which source is to be looked at.

    Attributes:
        source: As in a stream's configuration, credentials written out.
        transport: How RTSP brings the frames; with `auto` the source decides.
    """

    source: str
    transport: Literal["auto", "tcp", "udp"] = "auto"


class ProbeApi:
    """The resource; counts how many probes are under way."""

    def __init__(self) -> None:
        self._under_way = 0

    async def answer(self, request: Request) -> Response:
        """Look at a source; what cannot be read is an answer too."""
        asked = _asked(await read_object(request))
        if self._under_way >= MOST_AT_ONCE:
            refusal = problem(429, f"{MOST_AT_ONCE} sources are looked at already")
            refusal.headers["Retry-After"] = str(_RETRY_AFTER_S)
            return refusal
        self._under_way += 1
        try:
            report = await _while_waited_for(request, asked)
        finally:
            self._under_way -= 1
        return JSONResponse(report, 200, {"Cache-Control": "no-store"})


def _asked(body: dict[str, Any]) -> ProbeRequest:
    """Read the body by the rules for adding a stream.

    Raises:
        ProblemError: 403 for what only the file may name, 422 for what is no source.
    """
    for key in body.keys() - {"source", "transport"}:
        raise _invalid(key, "unknown key, allowed source and transport")
    source, transport = body.get("source"), body.get("transport", "auto")
    if not isinstance(source, str) or not source.strip().isprintable():
        raise _invalid("source", "missing" if source is None else "must be text")
    if transport not in _TRANSPORTS:
        raise _invalid("transport", "allowed auto, tcp or udp")
    if is_file_only(source.strip()):
        detail = SourceForbiddenError(forms_of(BY_API)).problems[0]
        error = {"key": "source", "detail": detail.partition(": ")[2]}
        raise ProblemError(403, detail, errors=[error])
    try:
        scheme_of(source.strip(), BY_API)
    except ConfigError as exc:
        raise _invalid("source", exc.problems[0]) from exc
    return ProbeRequest(source.strip(), transport)


def _invalid(key: str, detail: str) -> ProblemError:
    return ProblemError(
        422, f"{key}: {detail}", errors=[{"key": key, "detail": detail}]
    )


async def _while_waited_for(request: Request, asked: ProbeRequest) -> dict[str, Any]:
    """Return the report, unless the client leaves before."""
    found: dict[str, Any] = {}
    problems: list[ProblemError] = []
    async with anyio.create_task_group() as tasks:

        async def end_with_client() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            tasks.cancel_scope.cancel()

        tasks.start_soon(end_with_client)
        try:
            found = await _run(asked)
        except ProblemError as error:
            problems.append(error)  # a task group would wrap it
        tasks.cancel_scope.cancel()
    if problems:
        raise problems[0]
    return found


async def _run(asked: ProbeRequest) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *(*_COMMAND, "--transport", asked.transport, "-"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        with anyio.fail_after(DEADLINE_S):
            said, complaint = await process.communicate(f"{asked.source}\n".encode())
    except TimeoutError as exc:
        raise ProblemError(504, f"no answer within {DEADLINE_S:g} s") from exc
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    if process.returncode == _USAGE:
        key, _, detail = complaint.decode().strip().partition(": ")
        raise _invalid(key or "source", detail)
    try:
        report: dict[str, Any] = json.loads(said)
    except ValueError as exc:
        raise ProblemError(503, "the source could not be looked at") from exc
    return report
