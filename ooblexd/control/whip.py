"""WHIP: a publisher by WebRTC says who it is, and is answered where it is decoded.

The connection itself lives in the stream's ingest worker. A stream that has a key asks
for it when a session begins; after that the session's name, which nobody can guess, is
enough, as RFC 9725 has it in 4.8.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ooblexd.clock import monotonic_ns
from ooblexd.control.ice import answer_options, settings_now
from ooblexd.control.problems import ProblemError, problem
from ooblexd.control.sessions import SDP, Sessions, read_offer
from ooblexd.reminders import Reminders
from ooblexd.signalling import SessionKind

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from ooblexd.control.configuration import Configuration
    from ooblexd.control.link import Link
    from ooblexd.control.streams import Streams
    from ooblexd.plan import StreamPlan

_SCHEME = "bearer"

logger = logging.getLogger(__name__)


class WhipApi:
    """``/streams/{name}/whip`` and the sessions below it.

    Args:
        streams: What there is to publish to.
        link: The way to the workers.
        configuration: Tells the STUN and TURN servers.
    """

    def __init__(
        self, streams: Streams, link: Link, configuration: Configuration
    ) -> None:
        self._streams = streams
        self._configuration = configuration
        self._sessions = Sessions(SessionKind.PUBLISH, link, configuration)
        self._reminders = Reminders()

    async def offer(self, request: Request) -> Response:
        """Begin a session: the offer is in the body, the answer in ours."""
        if request.method == "OPTIONS":
            return answer_options(settings_now(self._configuration), SDP, ("POST",))
        try:
            plan = self._find_plan(request)
            key = _key_of(request)
            if not plan.admits(key):
                how = "is wrong" if key else "is missing"
                self._log(request, f"the publish_key {how}", is_question=not key)
                return _refuse_key(plan.name)
            return await self._sessions.begin(plan.name, await read_offer(request))
        except ProblemError as refusal:
            self._log(request, refusal.detail)
            raise

    async def session(self, request: Request) -> Response:
        """Take further candidates (PATCH), or end the session (DELETE)."""
        self._find_plan(request)
        return await self._sessions.tell(request)

    def _log(self, request: Request, reason: str, *, is_question: bool = False) -> None:
        """Log why somebody may not publish: OBS says that something is wrong, no more.

        Who gives no key may be a page that asks its user for one then.
        """
        name = request.path_params["name"]
        if times := self._reminders.due(f"{name} {reason}", monotonic_ns()):
            peer = "somebody" if request.client is None else request.client.host
            level = logging.INFO if is_question else logging.WARNING
            more = f" ({times} times)" if times > 1 else ""
            what = "[stream %s] %s may not publish by WHIP: %s%s"
            logger.log(level, what, name, peer, reason, more)

    def _find_plan(self, request: Request) -> StreamPlan:
        name = request.path_params["name"]
        if name not in self._streams.names:
            raise ProblemError(404, f"there is no stream {name}")
        plan = self._streams.plan(name)
        if not plan.takes_publishers:
            detail = f'{name} is not published to: its source is not "whip:"'
            raise ProblemError(409, detail)
        if not plan.enabled:
            raise ProblemError(409, f"{name} is switched off")
        return plan


def _key_of(request: Request) -> str:
    """Return what a publisher gives as key: a bearer token, or ``?token=``."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == _SCHEME:
        return token.strip()
    return request.query_params.get("token", "")


def _refuse_key(name: str) -> Response:
    detail = (
        f"{name} has a publish_key: give it as Authorization: Bearer KEY, or ?token=KEY"
    )
    response = problem(401, detail)
    response.headers["WWW-Authenticate"] = f'Bearer realm="{name}"'
    return response
