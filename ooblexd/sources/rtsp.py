"""RTSP cameras, over TCP or UDP, with H.264, H.265 or MJPEG."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from ooblexd.errors import SourceUnavailableError
from ooblexd.sources.network import Address, NetworkSource
from ooblexd.sources.reasons import is_transport_refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.sources.options import SourceOptions, Transport

_Opened = TypeVar("_Opened")
_PORTS = {"rtsp": 554, "rtsps": 322}
_LETS_GO_S = 0.2  # what a server needs after a refusal, else it answers 503


def open_rtsp(url: str, options: SourceOptions) -> NetworkSource:
    """Open a camera.

    Raises:
        SourceUnavailableError: It cannot be opened; the reason says why.
        SourceRefusedError: The login was refused.
    """
    return by_transport(
        url, options.transport, lambda address: NetworkSource(address, options)
    )


def by_transport(
    url: str,
    transport: Transport,
    open_it: Callable[[Address], _Opened],
    *,
    media: str = "video",
) -> _Opened:
    """Open a camera by the first transport that it takes.

    Args:
        url: Of the camera.
        transport: Which one; ``auto`` is TCP, and UDP where TCP is refused with 461.
        open_it: Opens one address.
        media: What is asked for, in FFmpeg's words: ``video`` or ``video+audio``.

    Raises:
        SourceUnavailableError: It cannot be opened; the reason says why.
        SourceRefusedError: The login was refused.
    """
    names = ("tcp", "udp") if transport == "auto" else (transport,)
    *first, last = (_address(url, name, media) for name in names)
    for address in first:
        try:
            return open_it(address)
        except SourceUnavailableError as exc:
            if not is_transport_refused(exc):
                raise
        threading.Event().wait(_LETS_GO_S)
    return open_it(last)


def _address(url: str, transport: str, media: str) -> Address:
    return Address(
        url=url,
        default_port=_PORTS[url.partition(":")[0].lower()],
        transport=transport,
        av_options={
            "rtsp_transport": transport,
            "allowed_media_types": media,
            "probesize": "32",
            "protocol_whitelist": "rtsp,rtsps,rtp,srtp,tcp,udp,tls",
        },
    )
