"""Changes of effects that viewers ask for by their data channels.

They are what ``PUT /api/v1/streams/{name}/effects`` does, by the same way and with the
same answers. There are no users yet, so `webrtc.data_channel_control` allows it to all
who watch, or to nobody.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

from ooblexd.control.problems import ProblemError
from ooblexd.signalling import SessionKind, SignalVerb

if TYPE_CHECKING:
    from ooblexd.control.changes import Changes
    from ooblexd.control.configuration import Configuration
    from ooblexd.control.streams import Streams
    from ooblexd.signalling import PeerWish

MOST_AT_ONCE = 8
_CHANGED = 202

logger = logging.getLogger(__name__)


class PeerWishes:
    """Makes them, one after another like all changes.

    Args:
        configuration: Says whether they are allowed.
        streams: That there are.
        changes: How they are changed.
    """

    def __init__(
        self, configuration: Configuration, streams: Streams, changes: Changes
    ) -> None:
        self._configuration = configuration
        self._streams = streams
        self._changes = changes
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, wish: PeerWish) -> None:
        """Make the change, and tell who asked; returns at once."""
        task = asyncio.ensure_future(self._make(wish))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _make(self, wish: PeerWish) -> None:
        said: dict[str, Any] = json.loads(wish.body)
        status, detail = _CHANGED, ""
        try:
            await self._change(wish.stream, said["effects"])
        except ProblemError as problem:
            status, detail = problem.status, problem.detail
        known = said.get("id")
        answer = {
            "id": known if isinstance(known, (int, str)) else None,
            "status": status,
            "detail": detail,
        }
        try:
            await self._changes.link.signal(
                wish.stream,
                SignalVerb.TELL,
                kind=SessionKind.WATCH,
                peer=wish.peer,
                body=json.dumps(answer),
            )
        except ProblemError as problem:  # who asked has gone
            logger.debug("nobody hears the answer: %s", problem.detail)

    async def _change(self, stream: str, effects: object) -> None:
        if not self._configuration.plan.webrtc.data_channel_control:
            detail = (
                "viewers may change no effects: webrtc.data_channel_control is false"
            )
            raise ProblemError(403, detail)
        if len(self._tasks) > MOST_AT_ONCE:
            raise ProblemError(429, "too many changes wait already")
        if not isinstance(effects, list):
            raise ProblemError(422, "the effects of a stream are a list")
        async with self._changes.lock:
            if stream not in self._streams.names:
                raise ProblemError(404, f"there is no stream {stream}")
            plan = self._streams.plan(stream)
            await self._changes.patch(plan, {"effects": effects})
