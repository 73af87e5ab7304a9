"""RTMP, pulled: a stream that a server hands out, such as nginx or another OBS box.

FLV says what tracks there are only by their first packets, so these are waited for.
That costs a second at the start and no age afterwards: what has come meanwhile is
decoded at once, and the newest of it shown. A server may send sound alone for longer,
until the next keyframe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ooblexd.sources.network import Address, NetworkSource

if TYPE_CHECKING:
    from ooblexd.sources.options import SourceOptions

_KEYFRAMES_APART_S = 5.0
_PORTS = {"rtmp": 1935, "rtmps": 443}


def open_rtmp(url: str, options: SourceOptions) -> NetworkSource:
    """Open a stream of an RTMP server.

    Raises:
        SourceUnavailableError: It cannot be opened; the reason says why.
    """
    return NetworkSource(rtmp_address(url), options)


def rtmp_address(url: str) -> Address:
    """Return where a stream by RTMP is."""
    return Address(
        url=url,
        default_port=_PORTS[url.partition(":")[0].lower()],
        transport="rtmp",
        av_options={
            "rtmp_live": "live",
            "analyzeduration": "1000000",
            "protocol_whitelist": "rtmp,rtmps,tcp,tls",
        },
        second_look_s=_KEYFRAMES_APART_S,
    )
