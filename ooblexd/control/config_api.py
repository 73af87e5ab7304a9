"""``/api/v1/config``: the whole configuration as JSON, and changes of any of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from ooblexd.config.diff import plans_between, waiting_keys
from ooblexd.control.bodies import read_object
from ooblexd.control.etags import check_match, etag_of
from ooblexd.control.problems import ProblemError

if TYPE_CHECKING:
    from starlette.requests import Request

    from ooblexd.control.changes import Changes
    from ooblexd.control.configuration import Configuration
    from ooblexd.control.drafts import ConfigView
    from ooblexd.control.streams import Streams
    from ooblexd.plan import DaemonPlan

# Told beside the sections, and ignored where a client sends all that it has read.
_READ_ONLY = ("file", "environment", "restart_needed", "reload_needed")


class ConfigApi:
    """The configuration as a resource.

    What it shows is the file with the environment over it, every default filled in;
    beside the sections stand ``file``, ``environment`` (which key is set by which
    variable), ``restart_needed`` (keys that wait for a restart) and ``reload_needed``
    (streams that were edited by hand and not loaded yet; a patch loads them too).

    Args:
        configuration: What runs.
        streams: As they run.
        changes: How it is changed.
    """

    def __init__(
        self, configuration: Configuration, streams: Streams, changes: Changes
    ) -> None:
        self._configuration = configuration
        self._streams = streams
        self._changes = changes

    async def resource(self, request: Request) -> Response:
        """Show the configuration, or change it."""
        if request.method == "PATCH":
            return await self._patch(request)
        return self._answer(await self._read())

    async def _patch(self, request: Request) -> Response:
        patch = await read_object(request)
        for key in _READ_ONLY:
            patch.pop(key, None)
        async with self._changes.lock:
            view = await self._read()
            check_match(request, self._etag(view), "the configuration")
            streams = self._running().streams
            await self._changes.patch_config(view, streams, patch)
            return self._answer(await self._read())

    async def _read(self) -> ConfigView:
        """Read the file.

        Raises:
            ProblemError: 503: it cannot be used, with what is wrong and what runs.
        """
        try:
            return await self._changes.read()
        except ProblemError as problem:
            runs = self._configuration.runs.value
            members = {**problem.members, "runs": runs}
            raise ProblemError(problem.status, problem.detail, **members) from problem

    def _answer(self, view: ConfigView) -> Response:
        running = self._running()
        body = {
            "file": str(self._configuration.path),
            "environment": view.environment(),
            "restart_needed": waiting_keys(running, view.wanted),
            "reload_needed": list(plans_between(running, view.wanted)),
            **view.public(),
        }
        headers = {"ETag": self._etag(view), "Cache-Control": "no-store"}
        return JSONResponse(body, 200, headers)

    def _running(self) -> DaemonPlan:
        plans = tuple(self._streams.plan(name) for name in self._streams.names)
        return replace(self._configuration.plan, streams=plans)

    def _etag(self, view: ConfigView) -> str:
        return etag_of(view.secret(), self._changes.salt)
