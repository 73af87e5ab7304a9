"""RTSP cameras, over TCP or UDP, with H.264, H.265 or MJPEG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ooblexd.errors import SourceUnavailableError
from ooblexd.sources.network import Address, NetworkSource
from ooblexd.sources.reasons import is_transport_refused

if TYPE_CHECKING:
    from ooblexd.sources.options import SourceOptions

_PORTS = {"rtsp": 554, "rtsps": 322}


def open_rtsp(url: str, options: SourceOptions) -> NetworkSource:
    """Open a camera; ``auto`` tries UDP where the camera refuses TCP with 461.

    Raises:
        SourceUnavailableError: It cannot be opened; the reason says why.
        SourceRefusedError: The login was refused.
    """
    if options.transport != "auto":
        return NetworkSource(_address(url, options.transport), options)
    try:
        return NetworkSource(_address(url, "tcp"), options)
    except SourceUnavailableError as exc:
        if not is_transport_refused(exc):
            raise
    return NetworkSource(_address(url, "udp"), options)


def _address(url: str, transport: str) -> Address:
    return Address(
        url=url,
        default_port=_PORTS[url.partition(":")[0].lower()],
        transport=transport,
        av_options={
            "rtsp_transport": transport,
            "allowed_media_types": "video",
            "probesize": "32",
            "protocol_whitelist": "rtsp,rtsps,rtp,srtp,tcp,udp,tls",
        },
    )
