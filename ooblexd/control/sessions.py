"""What WHIP and WHEP have in common: a session is begun, told more, and ended.

The connection itself lives in a worker of the stream; control hands on what is said.
Source: RFC 9725, and draft-ietf-wish-whep-03.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from ooblexd.control.bodies import read_text
from ooblexd.control.etags import check_match
from ooblexd.control.ice import add_links, settings_now
from ooblexd.ice import format_settings
from ooblexd.signalling import SignalVerb

if TYPE_CHECKING:
    from starlette.requests import Request

    from ooblexd.control.configuration import Configuration
    from ooblexd.control.link import Link
    from ooblexd.signalling import SessionKind

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
MAX_SDP_BYTES = 1 << 16


class Sessions:
    """The sessions of one kind.

    Args:
        kind: Of all of them; the last step of their path.
        link: The way to the workers.
        configuration: Tells the STUN and TURN servers.
    """

    def __init__(
        self, kind: SessionKind, link: Link, configuration: Configuration
    ) -> None:
        self._kind = kind
        self._link = link
        self._configuration = configuration

    async def begin(self, stream: str, offer: str) -> Response:
        """Have an offer answered."""
        settings = settings_now(self._configuration)
        told = format_settings(settings)
        answer = await self._link.signal(
            stream, SignalVerb.OFFER, kind=self._kind, body=offer, settings=told
        )
        headers = {
            "Location": f"/streams/{stream}/{self._kind.value}/{answer.peer}",
            "ETag": _etag_of(answer.peer),
            "Accept-Patch": FRAGMENT,
            "Cache-Control": "no-store",
        }
        return add_links(Response(answer.body, 201, headers, SDP), settings)

    async def tell(self, request: Request) -> Response:
        """Take further candidates (PATCH), or end the session (DELETE)."""
        stream, peer = request.path_params["name"], request.path_params["peer"]
        if request.method == "DELETE":
            await self._link.signal(stream, SignalVerb.END, kind=self._kind, peer=peer)
            return Response(status_code=200)
        check_match(request, _etag_of(peer), "the session")
        fragment = await read_text(request, FRAGMENT, MAX_SDP_BYTES)
        await self._link.signal(
            stream, SignalVerb.CANDIDATES, kind=self._kind, peer=peer, body=fragment
        )
        return Response(status_code=204)


async def read_offer(request: Request) -> str:
    """Return the SDP in the body.

    Raises:
        ProblemError: There is none, or it is too large.
    """
    return await read_text(request, SDP, MAX_SDP_BYTES)


def _etag_of(peer: str) -> str:
    return f'"{peer}"'
