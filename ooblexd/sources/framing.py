"""Where one picture ends and the next begins, in bytes that have no other order.

Each framing takes bytes as they come, yields a picture with its last byte and not a
byte later, and knows the decoder that its pictures are for. None trusts what it reads:
no size in it makes memory grow beyond what the largest picture needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import av

from ooblexd.errors import SourceUnavailableError
from ooblexd.sources.options import MOST_PIXELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ooblexd.sources.options import InputOptions

RAW_FORMATS = {"i420": "yuv420p", "nv12": "nv12", "yuyv": "yuyv422"}
"""Raw pictures, and what FFmpeg calls them."""

_MOST_JPEG_BYTES = 32 << 20
_SOI, _EOI, _SOS = b"\xff\xd8", b"\xff\xd9", 0xDA
_ALONE = {0x01, *range(0xD0, 0xD8)}  # markers without a length
_Y4M, _Y4M_FRAME = b"YUV4MPEG2", b"FRAME"
_LONGEST_HEADER = 1024
_FOREIGN = (
    (b"\x00\x00\x00\x01", "H.264 or H.265"),
    (b"\x00\x00\x01", "H.264 or H.265"),
    (b"--", "a multipart stream"),
    (b"\x1aE\xdf\xa3", "Matroska"),
    (b"FLV", "FLV"),
    (b"\x89PNG", "PNG"),
    (b"G", "MPEG-TS"),
)
_Y4M_FORMATS = {
    **dict.fromkeys(("420", "420jpeg", "420mpeg2", "420paldv"), "yuv420p"),
    "411": "yuv411p",
    "422": "yuv422p",
    "444": "yuv444p",
    "mono": "gray",
    "420p10": "yuv420p10le",
    "422p10": "yuv422p10le",
    "444p10": "yuv444p10le",
}


class Framing(Protocol):
    """Finds the pictures in a stream of bytes.

    Attributes:
        fps: As the bytes announce it; 0.0 where they do not.
    """

    fps: float

    def pictures(self, data: bytes) -> Iterator[bytes]:
        """Take ``data`` and yield each picture that is complete by now.

        Raises:
            SourceUnavailableError: The bytes are not what they should be.
        """

    def decoder(self) -> av.VideoCodecContext:
        """Return a decoder for the pictures, once there is one."""


def framing_of(options: InputOptions, head: bytes) -> Framing | None:
    """Return what reads a stream that begins with ``head``; None if more must come.

    Raises:
        SourceUnavailableError: Nothing here reads it; the reason says what does.
    """
    if options.format in RAW_FORMATS:
        return RawFraming(options.format, options.width, options.height)
    if options.format == "mjpeg" or (
        options.format == "auto" and head.startswith(_SOI)
    ):
        return JpegFraming()
    if head.startswith(_Y4M):
        return Y4mFraming()
    if len(head) >= len(_Y4M) or head[:1] not in (b"", _SOI[:1], _Y4M[:1]):
        raise SourceUnavailableError(_foreign(options.format, head))
    return None


class RawFraming:
    """Raw pictures, all of one size, one behind the other."""

    def __init__(self, kind: str, width: int, height: int) -> None:
        self.fps = 0.0
        self._format, self._size = RAW_FORMATS[kind], (width, height)
        self._picture_bytes = picture_bytes(self._format, width, height)
        self._pending = bytearray()

    def pictures(self, data: bytes) -> Iterator[bytes]:
        """See `Framing.pictures`."""
        self._pending += data
        while len(self._pending) >= self._picture_bytes:
            picture = bytes(self._pending[: self._picture_bytes])
            del self._pending[: self._picture_bytes]
            yield picture

    def decoder(self) -> av.VideoCodecContext:
        """See `Framing.decoder`."""
        return raw_decoder(self._format, *self._size)


class Y4mFraming:
    """YUV4MPEG2: a line of text, then pictures with a line of text before each."""

    def __init__(self) -> None:
        self.fps = 0.0
        self._pending = bytearray()
        self._format, self._width, self._height = "", 0, 0
        self._is_full_range = False
        self._picture_bytes = 0
        self._in_picture = False

    def pictures(self, data: bytes) -> Iterator[bytes]:
        """See `Framing.pictures`."""
        self._pending += data
        while True:
            if not self._in_picture:
                line = self._line()
                if line is None:
                    return
                self._begin(line)
                continue
            if len(self._pending) < self._picture_bytes:
                return
            picture = bytes(self._pending[: self._picture_bytes])
            del self._pending[: self._picture_bytes]
            self._in_picture = False
            yield picture

    def decoder(self) -> av.VideoCodecContext:
        """See `Framing.decoder`."""
        context = raw_decoder(self._format, self._width, self._height)
        if self._is_full_range:
            context.color_range = 2  # H.273's name for it in FFmpeg
        return context

    def _line(self) -> bytes | None:
        end = self._pending.find(b"\n", 0, _LONGEST_HEADER)
        if end < 0:
            if len(self._pending) >= _LONGEST_HEADER:
                raise SourceUnavailableError(_DAMAGED_Y4M)
            return None
        line = bytes(self._pending[:end])
        del self._pending[: end + 1]
        return line

    def _begin(self, line: bytes) -> None:
        """Take the line before all pictures, or the one before the next."""
        word, *fields = line.split(b" ")
        if not self._picture_bytes and word == _Y4M:
            self._take_header([field.decode(errors="replace") for field in fields])
        elif self._picture_bytes and word == _Y4M_FRAME:
            self._in_picture = True
        else:
            raise SourceUnavailableError(_DAMAGED_Y4M)

    def _take_header(self, fields: list[str]) -> None:
        said = {field[0]: field[1:] for field in fields if field}
        kind = said.get("C", "420jpeg")
        if kind not in _Y4M_FORMATS:
            raise SourceUnavailableError(f"Y4M of the kind {kind[:20]!a} is not read")
        try:
            self._width, self._height = int(said["W"]), int(said["H"])
            over, _, under = said.get("F", "0:1").partition(":")
            self.fps = int(over) / int(under) if int(over) > 0 else 0.0
        except (KeyError, ValueError, ZeroDivisionError) as exc:
            raise SourceUnavailableError(_DAMAGED_Y4M) from exc
        self._is_full_range = "XCOLORRANGE=FULL" in fields
        self._format = _Y4M_FORMATS[kind]
        self._picture_bytes = picture_bytes(self._format, self._width, self._height)


class JpegFraming:
    """JPEG pictures, one behind the other; what lies between them is passed over."""

    def __init__(self) -> None:
        self.fps = 0.0
        self._pending = bytearray()
        self._at = 0  # how far the picture at the start has been read
        self._in_scan = False

    def pictures(self, data: bytes) -> Iterator[bytes]:
        """See `Framing.pictures`."""
        self._pending += data
        while self._find_start():
            end = self._find_end()
            if end == 0:
                if len(self._pending) > _MOST_JPEG_BYTES:
                    raise SourceUnavailableError("a JPEG of more than 32 MiB comes")
                return
            if end > 0:
                yield bytes(self._pending[:end])
            self._forget(abs(end))

    def decoder(self) -> av.VideoCodecContext:
        """See `Framing.decoder`."""
        return _decoder("mjpeg")

    def _find_start(self) -> bool:
        if self._at:
            return True
        start = self._pending.find(_SOI)
        del self._pending[
            : max(start, 0) if start >= 0 else max(len(self._pending) - 1, 0)
        ]
        self._at = len(_SOI) if start >= 0 else 0
        return start >= 0

    def _find_end(self) -> int:
        """Return the length of the picture; 0 if more must come, negative if broken."""
        while not self._in_scan:
            head = self._pending[self._at : self._at + 4]
            if len(head) < 4:  # noqa: PLR2004 # a marker and a length
                return 0
            marker = head[1]
            if head[0] != 0xFF or head[:2] in (_SOI, _EOI):  # noqa: PLR2004 # a marker
                return -self._at
            if marker == 0xFF or marker in _ALONE:  # noqa: PLR2004 # a filling byte
                self._at += 1 if marker not in _ALONE else 2
                continue
            self._at += 2 + int.from_bytes(head[2:], "big")
            self._in_scan = marker == _SOS
        end = self._pending.find(_EOI, self._at)
        again = self._pending.find(_SOI, self._at, end if end >= 0 else None)
        if again >= 0:
            return -again  # it was cut off, and another one has begun
        if end < 0:
            self._at = max(self._at, len(self._pending) - 1)
            return 0
        return end + len(_EOI)

    def _forget(self, length: int) -> None:
        del self._pending[:length]
        self._at, self._in_scan = 0, False


_DAMAGED_Y4M = "the Y4M that comes is damaged"


def picture_bytes(kind: str, width: int, height: int) -> int:
    """Return the size of a raw picture.

    Raises:
        SourceUnavailableError: No picture has this width and height here.
    """
    if width < 1 or height < 1 or width * height > MOST_PIXELS:
        most = MOST_PIXELS // 1_000_000
        raise SourceUnavailableError(
            f"pictures of {width}x{height} are not read, at most {most} megapixels"
        )
    if kind == "yuyv422":
        return 2 * (width + width % 2) * height
    across, down = {"411": (4, 1), "422": (2, 1), "444": (1, 1)}.get(kind[3:6], (2, 2))
    chroma = 0 if kind == "gray" else 2 * -(-width // across) * -(-height // down)
    return (width * height + chroma) * (2 if kind.endswith("10le") else 1)


def raw_decoder(kind: str, width: int, height: int) -> av.VideoCodecContext:
    """Return FFmpeg's decoder of raw pictures."""
    context = _decoder("rawvideo")
    context.width, context.height, context.pix_fmt = width, height, kind
    return context


def _decoder(name: str) -> av.VideoCodecContext:
    context = av.CodecContext.create(name, "r")
    assert isinstance(context, av.VideoCodecContext)
    context.thread_type = "NONE"
    return context


def _foreign(wanted: str, head: bytes) -> str:
    """Say what comes in place of what can be read."""
    if wanted == "y4m":
        return "what the command writes is no Y4M"
    kind = next((name for start, name in _FOREIGN if head.startswith(start)), "")
    found = (
        f"the command writes {kind}" if kind else "what the command writes is unknown"
    )
    return f"{found}; it must be Y4M, MJPEG, or raw with input.format and a size"
