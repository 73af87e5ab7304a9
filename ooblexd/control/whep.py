"""WHEP: a viewer by WebRTC says who it is, and is answered where its pictures are made.

The connection itself lives in the stream's output worker, which encodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ooblexd.control.ice import answer_options, settings_now
from ooblexd.control.pictures import find_feed
from ooblexd.control.sessions import SDP, Sessions, read_offer
from ooblexd.signalling import SessionKind

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from ooblexd.control.configuration import Configuration
    from ooblexd.control.link import Link
    from ooblexd.control.streams import Streams


class WhepApi:
    """``/streams/{name}/whep`` and the sessions below it.

    Args:
        streams: What there is to watch.
        link: The way to the workers.
        configuration: Tells the STUN and TURN servers.
    """

    def __init__(
        self, streams: Streams, link: Link, configuration: Configuration
    ) -> None:
        self._streams = streams
        self._configuration = configuration
        self._sessions = Sessions(SessionKind.WATCH, link, configuration)

    async def offer(self, request: Request) -> Response:
        """Begin a session: the offer is in the body, the answer in ours.

        ``OPTIONS`` says what it takes.
        """
        name = request.path_params["name"]
        feed = find_feed(self._streams, name)
        if request.method == "OPTIONS":
            return answer_options(settings_now(self._configuration), SDP, ("POST",))
        offer = await read_offer(request)
        feed.expect_peer()
        return await self._sessions.begin(name, offer)

    async def session(self, request: Request) -> Response:
        """Take further candidates (PATCH), or end the session (DELETE)."""
        find_feed(self._streams, request.path_params["name"])
        return await self._sessions.tell(request)
