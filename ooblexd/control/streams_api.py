"""``/api/v1/streams``: streams as JSON, and changes of one at a time."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from ooblexd.clock import NS_PER_MS, monotonic_ns
from ooblexd.control.answers import StreamReport
from ooblexd.control.bodies import read_json, read_object
from ooblexd.control.etags import check_match, etag_of
from ooblexd.control.problems import ProblemError
from ooblexd.control.pushes import report_of
from ooblexd.control.readings import StreamState
from ooblexd.control.represent import public_table, stream_table
from ooblexd.control.sound import judge_sound

if TYPE_CHECKING:
    from starlette.requests import Request

    from ooblexd.control.changes import Changes
    from ooblexd.control.streams import Streams

_NO_STORE = {"Cache-Control": "no-store"}


class StreamsApi:
    """The resources of the streams.

    Args:
        streams: What there is.
        changes: How it is changed.
    """

    def __init__(self, streams: Streams, changes: Changes) -> None:
        self._streams = streams
        self._changes = changes

    async def collection(self, request: Request) -> Response:
        """List the streams, or add one."""
        if request.method == "POST":
            return await self._add(request)
        items = [self._resource(name) for name in self._streams.names]
        return JSONResponse({"items": items, "next": None}, 200, _NO_STORE)

    async def member(self, request: Request) -> Response:
        """Show, change or remove one stream."""
        if request.method == "PATCH":
            return await self._patch(request)
        if request.method == "DELETE":
            return await self._remove(request)
        return self._answer(self._name(request), 200)

    async def effects(self, request: Request) -> Response:
        """Replace the chain of one stream; what protects more holds when it answers."""
        name = self._name(request)
        effects = await read_json(request)
        if not isinstance(effects, list):
            error = {"key": "effects", "detail": "must be a list"}
            raise ProblemError(
                422, "the effects of a stream are a list", errors=[error]
            )
        await self._change(request, name, {"effects": effects})
        return self._answer(name, 202)

    async def _add(self, request: Request) -> Response:
        table = await read_object(request)
        name = table.pop("name", None)
        if not isinstance(name, str):
            error = {"key": "name", "detail": "missing" if name is None else "no text"}
            raise ProblemError(422, "a stream needs a name", errors=[error])
        async with self._changes.lock:
            await self._changes.add(name, table)
        headers = {"Location": f"/api/v1/streams/{name}"}
        return self._answer(name, 201, headers)

    async def _patch(self, request: Request) -> Response:
        name = self._name(request)
        patch = await read_object(request)
        await self._change(request, name, patch)
        return self._answer(name, 200)

    async def _remove(self, request: Request) -> Response:
        name = self._name(request)
        async with self._changes.lock:
            self._check_match(request, name)
            await self._changes.remove(name)
        return Response(status_code=204)

    async def _change(self, request: Request, name: str, patch: dict[str, Any]) -> None:
        async with self._changes.lock:
            self._check_match(request, name)
            await self._changes.patch(self._streams.plan(name), patch)

    def _name(self, request: Request) -> str:
        name: str = request.path_params["name"]
        if name not in self._streams.names:
            raise ProblemError(404, f"there is no stream {name}")
        return name

    def _check_match(self, request: Request, name: str) -> None:
        """Look at ``If-Match`` once it is this change's turn.

        Raises:
            ProblemError: 412 where another change came first, 404 where the stream is
                gone by now.
        """
        self._name(request)
        check_match(request, self._etag(name), name)

    def _answer(
        self, name: str, status: int, headers: dict[str, str] | None = None
    ) -> Response:
        if name not in self._streams.names:  # its layout is still on the way
            raise ProblemError(503, f"{name} is not there yet; read it again")
        tags = {"ETag": self._etag(name), **_NO_STORE, **(headers or {})}
        return JSONResponse(self._resource(name), status, tags)

    def _etag(self, name: str) -> str:
        """Name the version of a stream's configuration; numbers do not count."""
        return etag_of(stream_table(self._streams.plan(name)), self._changes.salt)

    def _resource(self, name: str) -> dict[str, Any]:
        pages = self._streams.pages(name)
        rates, verdict = pages.rates(), self._streams.judge(name)
        width, height = pages.size
        now_ns = monotonic_ns()
        age_ns = pages.last_frame_age_ns(now_ns)
        is_down = verdict.state == StreamState.DOWN
        down_ns = pages.down_for_ns(now_ns) if is_down else None
        report = StreamReport(
            name=name,
            state=verdict.state,
            reason=verdict.reason,
            picture=verdict.picture,
            width=width,
            height=height,
            fps_in=round(rates.fps_in, 2),
            fps_out=round(rates.fps_out, 2),
            age_p50_ms=rates.age_p50_ms,
            age_p99_ms=rates.age_p99_ms,
            last_frame_age_ms=None if age_ns is None else age_ns // NS_PER_MS,
            down_for_ms=None if down_ns is None else down_ns // NS_PER_MS,
            is_idle=self._streams.is_idle(name),
            dropped=pages.dropped(),
            dropped_idle=pages.dropped_idle(),
            viewers=sum(self._streams.viewers(name).values()),
            sound=judge_sound(
                self._streams.plan(name),
                pages.stages["ingest"],
                now_ns,
                is_running=verdict.state == StreamState.RUNNING,
            ),
            pushes=[report_of(p, now_ns) for p in self._streams.pushes(name)],
        )
        return {**asdict(report), **public_table(self._streams.plan(name))}
