"""How a source is opened, and what it turned out to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ooblexd.clock import monotonic_ns
from ooblexd.sources.rate import Rate

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.audio import AudioPacket
    from ooblexd.sources.door import Door
    from ooblexd.sources.upload import Inbox
    from ooblexd.sources.whip import Publication

MOST_PIXELS = 17_000_000
"""4096x4096, nearly; one larger starves all other streams."""

Transport = Literal["auto", "tcp", "udp"]
"""How RTSP carries its packets; ``auto`` is TCP, and UDP where TCP is refused."""


InputFormat = Literal["auto", "i420", "nv12", "yuyv", "mjpeg", "y4m"]
"""How pictures arrive: raw in one of three orders, as JPEG, or as YUV4MPEG2."""


@dataclass(frozen=True, slots=True)
class InputOptions:
    """What arrives from a command, or is asked of a device.

    Attributes:
        format: ``auto`` is what the bytes say, or what the device does best.
        width: In pixels, of raw pictures; 0 where it is not said.
        height: Likewise.
        fps: 0.0 where it is not said.
    """

    format: InputFormat = "auto"
    width: int = 0
    height: int = 0
    fps: float = 0.0


def _ignore(_reason: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How a source is opened.

    Attributes:
        transport: For RTSP only.
        open_timeout_s: `ooblexd.sources.open_source` blocks no longer than this.
        read_timeout_s: `Source.read` gives up when nothing came for so long.
        rate: Which pictures are wanted; the others are read and thrown away.
        input: For commands and devices only.
        on_passed_over: Told of each picture that was not taken since a newer one was
            there.
        on_delay: Told why it takes long to open, while it is waited for.
        now_ns: The monotonic clock, in ns.
        on_progress: Told each second, by any thread, while a source that is open waits
            for who has just begun to send, and may take long.
        inbox: For ``upload:`` only: where the pictures arrive.
        on_audio: Told of each packet of sound; None where it is not wanted.
        on_left_out: Told why the source's sound cannot be passed on.
        publication: For ``whip:`` only: likewise.
        door: For sources that others publish only: where they come in.
        is_unwanted: Asked about each picture: nobody would look at it now. So it need
            not be decoded before somebody asks for its samples.
    """

    transport: Transport = "auto"
    open_timeout_s: float = 10.0
    read_timeout_s: float = 3.0
    rate: Rate = field(default_factory=Rate)
    input: InputOptions = InputOptions()
    on_passed_over: Callable[[], None] = lambda: None
    on_delay: Callable[[str], None] = _ignore
    now_ns: Callable[[], int] = monotonic_ns
    on_progress: Callable[[], None] = lambda: None
    inbox: Inbox | None = None
    on_audio: Callable[[AudioPacket], None] | None = None
    on_left_out: Callable[[str], None] = _ignore
    publication: Publication | None = None
    door: Door | None = None
    is_unwanted: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """What an opened source said of itself, before its first picture.

    Attributes:
        codec: As FFmpeg names it: ``h264``, ``hevc``, ``mjpeg``.
        width: In pixels; 0 where only the first picture will tell.
        height: In pixels; likewise.
        fps: As announced; 0.0 where it is not.
        has_b_frames: Pictures come reordered, which delays them by whole frames.
        transport: ``tcp`` or ``udp`` for RTSP; else ``http``, ``pipe``, ``upload``,
            ``webrtc`` or ``local``.
        pixel_format: As FFmpeg names it; empty where nobody asks.
    """

    codec: str
    width: int
    height: int
    fps: float
    has_b_frames: bool
    transport: str
    pixel_format: str = ""
