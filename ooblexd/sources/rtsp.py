"""RTSP cameras, over TCP or UDP, with H.264, H.265 or MJPEG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ooblexd.errors import SourceUnavailableError
from ooblexd.sources.network import Address, NetworkSource
from ooblexd.sources.reasons import is_transport_refused

if TYPE_CHECKING:
    from ooblexd.sources.options import SourceOptions, Transport

_PORTS = {"rtsp": 554, "rtsps": 322}


def open_rtsp(url: str, options: SourceOptions) -> NetworkSource:
    """Open a camera; ``auto`` tries UDP where the camera refuses TCP with 461.

    Raises:
        SourceUnavailableError: It cannot be opened; the reason says why.
        SourceRefusedError: The login was refused.
    """
    *first, last = rtsp_addresses(url, options.transport)
    for address in first:
        try:
            return NetworkSource(address, options)
        except SourceUnavailableError as exc:
            if not is_transport_refused(exc):
                raise
    return NetworkSource(last, options)


def rtsp_addresses(
    url: str, transport: Transport, *, media: str = "video"
) -> list[Address]:
    """Return where a camera is, by each transport that may be tried.

    Args:
        url: Of the camera.
        transport: Which one; ``auto`` is TCP, then UDP.
        media: What is asked for, in FFmpeg's words: ``video`` or ``video+audio``.
    """
    names = ("tcp", "udp") if transport == "auto" else (transport,)
    return [
        Address(
            url=url,
            default_port=_PORTS[url.partition(":")[0].lower()],
            transport=name,
            av_options={
                "rtsp_transport": name,
                "allowed_media_types": media,
                "probesize": "32",
                "protocol_whitelist": "rtsp,rtsps,rtp,srtp,tcp,udp,tls",
            },
        )
        for name in names
    ]
