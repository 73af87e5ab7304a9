"""WHEP: a viewer by WebRTC says who it is, and is answered where its pictures are made.

The connection itself lives in the stream's output worker, which encodes; control hands
on what is said. Source: draft-ietf-wish-whep-03, and RFC 9725 for what both have in
common.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from ooblexd.commands import SignalVerb
from ooblexd.control.bodies import read_text
from ooblexd.control.etags import check_match
from ooblexd.control.pictures import find_feed

if TYPE_CHECKING:
    from starlette.requests import Request

    from ooblexd.control.link import Link
    from ooblexd.control.streams import Streams

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
MAX_SDP_BYTES = 1 << 16


class WhepApi:
    """``/streams/{name}/whep`` and the sessions below it.

    Args:
        streams: What there is to watch.
        link: The way to the workers.
    """

    def __init__(self, streams: Streams, link: Link) -> None:
        self._streams = streams
        self._link = link

    async def offer(self, request: Request) -> Response:
        """Begin a session: the offer is in the body, the answer in ours."""
        name = request.path_params["name"]
        feed = find_feed(self._streams, name)
        offer = await read_text(request, SDP, MAX_SDP_BYTES)
        feed.expect_peer()
        answer = await self._link.signal(name, SignalVerb.OFFER, body=offer)
        headers = {
            "Location": f"/streams/{name}/whep/{answer.peer}",
            "ETag": _etag_of(answer.peer),
            "Accept-Patch": FRAGMENT,
            "Cache-Control": "no-store",
        }
        return Response(answer.body, 201, headers, SDP)

    async def session(self, request: Request) -> Response:
        """Take further candidates (PATCH), or end the session (DELETE)."""
        name, peer = request.path_params["name"], request.path_params["peer"]
        find_feed(self._streams, name)
        if request.method == "DELETE":
            await self._link.signal(name, SignalVerb.END, peer=peer)
            return Response(status_code=200)
        check_match(request, _etag_of(peer), "the session")
        fragment = await read_text(request, FRAGMENT, MAX_SDP_BYTES)
        await self._link.signal(name, SignalVerb.CANDIDATES, peer=peer, body=fragment)
        return Response(status_code=204)


def _etag_of(peer: str) -> str:
    return f'"{peer}"'
