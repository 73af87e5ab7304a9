"""MPEG-TS by UDP, as encoders of HDMI send it: to this machine, or to a group.

The host is the address at which it arrives: one of this machine's, ``0.0.0.0`` for any,
or a multicast group. A packet's end is known when the next begins, so each picture
comes a period late; the format has no mark for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ooblexd.sources.network import Address, NetworkSource

if TYPE_CHECKING:
    from ooblexd.sources.options import SourceOptions

_BUFFER_BYTES = 1 << 21  # the kernel's, for the burst of a keyframe


def open_mpegts(url: str, options: SourceOptions) -> NetworkSource:
    """Listen for a transport stream.

    Raises:
        SourceUnavailableError: Nothing comes, or it is no transport stream.
    """
    return NetworkSource(mpegts_address(url), options)


def mpegts_address(url: str) -> Address:
    """Return where a transport stream arrives."""
    return Address(
        url=url,
        default_port=0,
        transport="udp",
        av_options={
            "analyzeduration": "1000000",
            "buffer_size": str(_BUFFER_BYTES),
            "fflags": "nobuffer",
            "format_whitelist": "mpegts",
            "overrun_nonfatal": "1",
            "protocol_whitelist": "udp",
        },
    )
