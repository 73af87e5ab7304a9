"""What an uploaded file says of itself before anything of it is decoded.

Whoever may upload may also upload a bomb: few bytes that become gigabytes. So the size
is read here and refused here, and a decoder gets only what it needs. Measured with
FFmpeg 8.1: a PNG text of 290 kB unpacks to 300 MB before the first pixel, so whatever
is no part of the picture is cut out; and each further scan of a progressive JPEG costs
like a picture of its own, so they are counted.

Pure: bytes in, values out. Sources: ITU-T T.81 (JPEG), W3C PNG third edition, RFC 9649
(WebP), TIFF 6.0 and CIPA DC-008 (orientation).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ooblexd.errors import BadPictureError
from ooblexd.sources.options import MOST_PIXELS

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_SCANNED_PIXELS = 20 * MOST_PIXELS

_PNG = b"\x89PNG\r\n\x1a\n"
# What makes the picture; all else is text, profiles, thumbnails and animation.
_PNG_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
# Markers of T.81, table B.1.
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_SCAN, _END, _APP1 = 0xDA, 0xD9, 0xE1
_NOTES = {*range(0xE1, 0xF0), 0xFE} - {0xEE}  # APP0 and APP14 say how to decode
_ORIENTATION_TAG, _SHORT = 0x0112, 3
_ORIENTATIONS = range(1, 9)


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A still picture in its file.

    Attributes:
        codec: As FFmpeg names it: ``mjpeg``, ``png`` or ``webp``.
        width: In pixels, as stored.
        height: In pixels, as stored.
        data: What a decoder may be given.
        orientation: EXIF's, 1 to 8; 1 is upright.
        scans: How often its pixels are gone through.
    """

    codec: str
    width: int
    height: int
    data: bytes
    orientation: int = 1
    scans: int = 1


def read_upload(data: bytes) -> UploadedFile:
    """Return what ``data`` is.

    Raises:
        BadPictureError: It is no JPEG, PNG or WebP, is damaged, moves, or is larger
            than this daemon takes.
    """
    try:
        if data.startswith(b"\xff\xd8\xff"):
            found = _read_jpeg(data)
        elif data.startswith(_PNG):
            found = _read_png(data)
        elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            found = _read_webp(data)
        else:
            raise BadPictureError("it is no JPEG, PNG or WebP")
    except (struct.error, IndexError) as exc:
        raise BadPictureError("it ends before its picture") from exc
    _check_size(found)
    return found


def _check_size(found: UploadedFile) -> None:
    pixels = found.width * found.height
    size = f"{found.width}x{found.height}"
    if pixels == 0:
        raise BadPictureError(f"it has no pixels ({size})")
    if pixels > MOST_PIXELS:
        most = MOST_PIXELS // 1_000_000
        raise BadPictureError(f"{size} is too large, at most {most} megapixels")
    if pixels * found.scans > _MOST_SCANNED_PIXELS:
        raise BadPictureError(f"{found.scans} scans of {size} are too many")


def _read_jpeg(data: bytes) -> UploadedFile:
    width = height = 0
    kept, orientation = [data[:2]], 1
    for marker, start, end in _jpeg_segments(data):
        if marker == _SCAN:
            kept.append(data[start:])
        elif marker not in _NOTES:
            kept.append(data[start:end])
        elif marker == _APP1 and data[start + 4 : start + 10] == b"Exif\0\0":
            orientation = read_orientation(data[start + 10 : end])
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, start + 5)
    picture = b"".join(kept)
    # Within a scan a byte FF is followed by 00 or a restart, so this counts markers.
    scans = max(picture.count(bytes((0xFF, _SCAN))), 1)
    return UploadedFile("mjpeg", width, height, picture, orientation, scans)


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment up to that of the first scan."""
    at, marker = 2, 0
    while marker != _SCAN:
        while data[at + 1] == 0xFF:  # noqa: PLR2004 # filling before a marker
            at += 1
        marker, (length,) = data[at + 1], struct.unpack_from(">H", data, at + 2)
        if data[at] != 0xFF or marker == _END:  # noqa: PLR2004 # what markers begin with
            raise BadPictureError("it is a damaged JPEG")
        yield marker, at, at + 2 + length
        at += 2 + length


def _read_png(data: bytes) -> UploadedFile:
    width, height = struct.unpack_from(">II", data, 16)
    kept, orientation = [_PNG], 1
    at = len(_PNG)
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if kind in _PNG_CHUNKS:
            kept.append(data[at:end])
        elif kind == b"eXIf":
            orientation = read_orientation(data[at + 8 : end - 4])
        if kind == b"IEND":
            break
        at = end
    return UploadedFile("png", width, height, b"".join(kept), orientation)


def _read_webp(data: bytes) -> UploadedFile:
    found = UploadedFile("webp", 0, 0, data)
    at = 12
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        start = at + 8
        if kind in (b"ANIM", b"ANMF"):
            raise BadPictureError("it is an animation")
        if kind == b"VP8 ":
            width, height = struct.unpack_from("<HH", data, start + 6)
            found = replace(found, width=width & 0x3FFF, height=height & 0x3FFF)
        elif kind == b"VP8L":
            (bits,) = struct.unpack_from("<I", data, start + 1)
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
            found = replace(found, width=width, height=height)
        elif kind == b"EXIF":
            tiff = data[start : start + length].removeprefix(b"Exif\0\0")
            found = replace(found, orientation=read_orientation(tiff))
        at = start + length + length % 2
    return found


def read_orientation(tiff: bytes) -> int:
    """Return the orientation that EXIF tells, 1 to 8; 1 where it tells none.

    Args:
        tiff: The EXIF block, from its byte order on.
    """
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (table,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, table)
        for number in range(count):
            entry = table + 2 + 12 * number
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
            if (tag, kind) == (_ORIENTATION_TAG, _SHORT):
                return value if value in _ORIENTATIONS else 1
    except struct.error:
        pass  # a damaged note on the side does not make the picture a bad one
    return 1
