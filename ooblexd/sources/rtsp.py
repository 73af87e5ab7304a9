"""RTSP cameras, over TCP or UDP, with H.264, H.265 or MJPEG."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from ooblexd.errors import SourceUnavailableError
from ooblexd.sources.network import (
    Address,
    NetworkSource,
    open_container,
    quoted,
    resolve,
)
from ooblexd.sources.reasons import explain_socket, is_transport_refused
from ooblexd.sources.rtsp_relay import Relay

if TYPE_CHECKING:
    from collections.abc import Callable

    from av.container import InputContainer

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
        url,
        options.transport,
        lambda address: NetworkSource(address, options, _open_early),
        media="video" if options.on_audio is None else "video+audio",
    )


def _open_early(address: Address, options: SourceOptions) -> InputContainer:
    """Open a camera so that its pictures do not wait for one another.

    By UDP and by TLS they still do.
    """
    if address.transport != "tcp" or not address.url.lower().startswith("rtsp:"):
        return open_container(address, options)
    start_ns = options.now_ns()
    resolve(address, options.open_timeout_s)
    relay = Relay(quoted(address.url), address.default_port, options.open_timeout_s)
    try:
        return open_container(replace(address, url=relay.url), options, start_ns)
    except SourceUnavailableError:
        if relay.failure is None:
            raise
        reason = explain_socket(relay.failure, waited_s=options.open_timeout_s)
        raise SourceUnavailableError(reason) from None  # it might show the address


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
