"""``GET /api/v1/webrtc/diagnose``: why a viewer by WebRTC would not connect.

Only servers of the configuration are asked, each once, however many want to know at
the same time; nobody can have another address asked. It takes three seconds at most.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from ooblexd.checks.finding import Finding, Level, ok, warn
from ooblexd.control.answers import CheckReport, DiagnosisReport
from ooblexd.control.guard import split_host
from ooblexd.control.ice import settings_now
from ooblexd.control.problems import ProblemError
from ooblexd.control.readings import StreamState
from ooblexd.signalling import SessionKind, SignalVerb

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from ooblexd.control.configuration import Configuration
    from ooblexd.control.link import Link
    from ooblexd.control.streams import Streams
    from ooblexd.ice import IceSettings

_ENDINGS_WITHIN_S = 1.0
_LATELY_S = 600.0
_LOCAL_NAMES = ("localhost",)


class DiagnoseApi:
    """The resource.

    Args:
        configuration: Tells the servers.
        streams: Whose connections may have failed.
        link: The way to the workers.
    """

    def __init__(
        self, configuration: Configuration, streams: Streams, link: Link
    ) -> None:
        self._configuration = configuration
        self._streams = streams
        self._link = link
        self._looking: asyncio.Task[list[Finding]] | None = None

    async def answer(self, request: Request) -> Response:
        """Look, and tell what was found and what to do about it."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._look())
        # Who leaves takes nothing away from who asked at the same time.
        found = [_page(request), *await asyncio.shield(self._looking)]
        levels = {finding.level for finding in found}
        worst = next(
            level for level in (Level.FAIL, Level.WARN, Level.OK) if level in levels
        )
        items = [
            CheckReport(one.name, one.level.value, one.text, one.remedy)
            for one in found
        ]
        report = DiagnosisReport(worst.value, items)
        return JSONResponse(asdict(report), 200, {"Cache-Control": "no-store"})

    async def _look(self) -> list[Finding]:
        settings = settings_now(self._configuration)
        running = [
            name
            for name in self._streams.names
            if self._streams.judge(name).state is not StreamState.STOPPED
        ]
        reach, *endings = await asyncio.gather(
            asyncio.to_thread(_reach, settings),
            *(self._endings(name) for name in running),
        )
        return [*reach, *(finding for findings in endings for finding in findings)]

    async def _endings(self, stream: str) -> list[Finding]:
        """Say which connections of a stream have failed of late."""
        asked = self._link.signal(stream, SignalVerb.ENDINGS, kind=SessionKind.WATCH)
        name = f"stream {stream}"
        try:
            said = await asyncio.wait_for(asked, _ENDINGS_WITHIN_S)
        except (ProblemError, asyncio.TimeoutError):
            remedy = "`ooblexd status` says how its workers are"
            return [warn(name, "its output worker does not answer", remedy)]
        now_s = time.time()
        known = [
            one for one in json.loads(said.body) if now_s - one["at_unix_s"] < _LATELY_S
        ]
        if not known:
            return [ok(name, "no connection has failed in the last ten minutes")]
        last = known[-1]
        ago = f"{max(now_s - last['at_unix_s'], 0):.0f} s ago"
        count = f"{len(known)} failed in the last ten minutes"
        remedy = _remedy(last["reason"])
        return [warn(name, f"{count}; the last {ago}: {last['reason']}", remedy)]


def _reach(settings: IceSettings) -> list[Finding]:
    """Ask the servers and judge; blocks, and loads aioice."""
    from ooblexd.checks.ice import ask_servers, own_addresses  # noqa: PLC0415 # s.a.
    from ooblexd.checks.reach import judge_reach  # noqa: PLC0415 # see above

    return judge_reach(own_addresses(), ask_servers(settings), settings)


def _page(request: Request) -> Finding:
    """Judge whether a browser lets the page at this address use a camera."""
    name = "page"
    host = (split_host(request.headers.get("host", "")) or ("", ""))[0]
    scheme = request.headers.get("x-forwarded-proto", request.url.scheme)
    if scheme == "https" or _is_local(host):
        return ok(name, "browsers let it use a camera here, too")
    text = f"at http://{host} browsers let it show pictures, but use no camera"
    return warn(name, text, "https, by a reverse proxy, or http://localhost")


def _is_local(host: str) -> bool:
    if host in _LOCAL_NAMES or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _remedy(reason: str) -> str:
    if "ICE" in reason:
        return "see `other networks`; within one, does a firewall let UDP through?"
    if "codec" in reason:
        return "the player must know H.264 or VP8"
    if "DTLS" in reason:
        return "is the player's clock right, and does its log say more?"
    return "the log, at log.level debug, says more"
