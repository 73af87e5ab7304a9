"""Step 1: where frames enter, one `Source` a URL scheme.

Importing this package loads no decoder: `open_source` imports the module that it needs,
and `ooblexd.sources.url` tells what a URL may be without any of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ooblexd.sources.options import (
    InputOptions,
    SourceDescription,
    SourceOptions,
    Transport,
)
from ooblexd.sources.rate import Rate, Thinned
from ooblexd.sources.url import scheme_of

if TYPE_CHECKING:
    from ooblexd.frame import Matrix
    from ooblexd.pixels import Planes

__all__ = [
    "InputOptions",
    "Picture",
    "Rate",
    "Source",
    "SourceDescription",
    "SourceOptions",
    "Transport",
    "open_source",
]


class Picture(Protocol):
    """A picture that still lies in the decoder's memory, or before the decoder.

    Attributes:
        width: In pixels, at least 1; odd sizes are allowed.
        height: In pixels, at least 1.
        full_range: Luma is 0..255 where true, 16..235 where false.
        matrix: The YUV coefficients.
        pts_ns: The source's own time, in ns from its start.
        capture_ns: Monotonic time at which the source handed the picture over: the
            arrival of its last packet, before decoding.
        decoded_ns: Monotonic time at which the decoder gave it.
    """

    @property
    def width(self) -> int: ...  # noqa: D102 - the class documents it

    @property
    def height(self) -> int: ...  # noqa: D102 - the class documents it

    @property
    def full_range(self) -> bool: ...  # noqa: D102 - the class documents it

    @property
    def matrix(self) -> Matrix: ...  # noqa: D102 - the class documents it

    @property
    def pts_ns(self) -> int: ...  # noqa: D102 - the class documents it

    @property
    def capture_ns(self) -> int: ...  # noqa: D102 - the class documents it

    @property
    def decoded_ns(self) -> int: ...  # noqa: D102 - the class documents it

    def copy_to(self, planes: Planes) -> None:
        """Write the picture as I420 into ``planes``, which have its size.

        Raises:
            BadPictureError: It was not decoded yet, and cannot be.
        """

    def planes(self) -> Planes:
        """Lend the picture as I420, to be read only and while the picture is kept.

        Raises:
            BadPictureError: It was not decoded yet, and cannot be.
        """


class Source(Protocol):
    """Something that gives pictures until it fails or is closed.

    A source is opened by `open_source`, used by one thread, and closed by the same
    thread. It neither reconnects nor counts: that is the ingest stage's.

    Attributes:
        description: What the source said of itself when it was opened.
    """

    @property
    def description(self) -> SourceDescription: ...  # noqa: D102 - documented above

    def read(self) -> Picture:
        """Block until the next picture that ``options.rate`` admits.

        Raises:
            SourceUnavailableError: It ended, or delivered nothing for 3 s.
            SourceWaitingError: Nobody sends at present, where silence is no fault.
            BadPictureError: One picture cannot be shown; the source goes on.
            SourceRefusedError: The login was refused.
        """

    def close(self) -> None:
        """Release all that the source holds; a second call does nothing."""


def open_source(  # noqa: C901, PLR0911 # one a kind of source
    url: str, options: SourceOptions | None = None
) -> Source:
    """Open the source that ``url`` names.

    Blocks at most ``options.open_timeout_s``.

    Raises:
        ConfigError: There is no source of this kind.
        SourceUnavailableError: It does not answer, or is no video.
        SourceRefusedError: The login was refused.
    """
    options = options or SourceOptions()
    match scheme_of(url).name:
        case "demo":
            from ooblexd.sources.demo import DemoSource  # noqa: PLC0415 - loads PyAV

            return Thinned(DemoSource(options), options.rate)
        case "file":
            from ooblexd.sources.clip import Clip  # noqa: PLC0415 - loads PyAV

            return Thinned(Clip(url.partition(":")[2], options), options.rate)
        case "exec":
            from ooblexd.sources.exec import ExecSource  # noqa: PLC0415 - loads PyAV

            return ExecSource(url.partition(":")[2], options)
        case "upload":
            from ooblexd.sources.upload import open_upload  # noqa: PLC0415 - loads PyAV

            return Thinned(open_upload(options), options.rate)
        case "whip":
            from ooblexd.sources.whip import open_whip  # noqa: PLC0415 - loads PyAV

            return open_whip(options)
        case "rtmp-listen" | "rtsp-listen":
            from ooblexd.sources.published import (  # noqa: PLC0415 - loads PyAV
                open_published,
            )

            return open_published(url, options)
        case "/dev/":
            from ooblexd.sources.device import open_device  # noqa: PLC0415 - loads PyAV

            return open_device(url, options)
        case "rtsp" | "rtsps":
            from ooblexd.sources.rtsp import open_rtsp  # noqa: PLC0415 - loads PyAV

            return open_rtsp(url, options)
        case "rtmp" | "rtmps":
            from ooblexd.sources.rtmp import open_rtmp  # noqa: PLC0415 - loads PyAV

            return open_rtmp(url, options)
        case "udp":
            from ooblexd.sources.mpegts import open_mpegts  # noqa: PLC0415 - loads PyAV

            return open_mpegts(url, options)
        case _:
            from ooblexd.sources.http import open_http  # noqa: PLC0415 - loads PyAV

            return open_http(url, options)
