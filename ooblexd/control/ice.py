"""What both ends of a WebRTC connection are told of STUN and TURN servers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from starlette.responses import Response

from ooblexd.ice import links_of, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ooblexd.control.configuration import Configuration
    from ooblexd.ice import IceSettings


def settings_now(configuration: Configuration) -> IceSettings:
    """Return the settings of a connection that begins now."""
    return settings_of(configuration.plan.webrtc, time.time())


def add_links(response: Response, settings: IceSettings) -> Response:
    """Add the servers as ``Link`` headers (RFC 9725, section 4.6)."""
    for server in settings.servers:
        for link in links_of(server):
            response.headers.append("Link", link)
    return response


def answer_options(
    settings: IceSettings, accepts: str, methods: Iterable[str]
) -> Response:
    """Answer ``OPTIONS``: what may be posted, and which servers to ask before.

    Args:
        settings: Of a connection that begins now.
        accepts: Media type of an offer.
        methods: That the path takes, beside ``OPTIONS``.
    """
    allowed = ", ".join(sorted({*methods, "OPTIONS"}))
    headers = {"Allow": allowed, "Accept-Post": accepts, "Cache-Control": "no-store"}
    return add_links(Response(status_code=204, headers=headers), settings)
