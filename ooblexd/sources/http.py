"""Sources by HTTP: HLS where the path ends in ``.m3u8``, else MJPEG.

MJPEG is a response of many parts, each a JPEG picture.

FFmpeg's reader hands a picture on with its last byte where the part says its length, as
cameras and encoders do (measured: 0.1 ms later on loopback). Where it does not, the
picture ends at the next boundary and so comes one period late (40 ms at 25 fps).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ooblexd.sources.hls import HlsSource, hls_address
from ooblexd.sources.network import Address, NetworkSource
from ooblexd.sources.url import is_playlist

if TYPE_CHECKING:
    from ooblexd.sources.options import SourceOptions

_PORTS = {"http": 80, "https": 443}


def open_http(url: str, options: SourceOptions) -> NetworkSource:
    """Open a stream.

    Raises:
        SourceUnavailableError: It cannot be opened; the reason says why.
        SourceRefusedError: The login was refused.
    """
    if is_playlist(url):
        return HlsSource(url, options)
    return NetworkSource(http_address(url), options)


def http_address(url: str) -> Address:
    """Return where a stream is."""
    if is_playlist(url):
        return hls_address(url)
    return Address(
        url=url,
        default_port=_PORTS[url.partition(":")[0].lower()],
        transport="http",
        av_options={
            "probesize": "32768",
            # No playlist and no redirect may lead to what is not MJPEG by HTTP.
            "format_whitelist": "mpjpeg,mjpeg",
            "protocol_whitelist": "http,https,tcp,tls",
        },
    )
