"""Still pictures in files, as phones, browsers and trouble makers write them."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WAYS: dict[str, tuple[str, list[int]]] = {
    "jpeg": (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 95]),
    "progressive": (".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
    "png": (".png", []),
    "webp": (".webp", [cv2.IMWRITE_WEBP_QUALITY, 95]),
    "lossless": (".webp", [cv2.IMWRITE_WEBP_QUALITY, 101]),
}
"""How OpenCV is told to write a file: its extension and parameters."""


def coloured(width: int, height: int) -> NDArray[np.uint8]:
    """Return a soft picture, BGR, of which no side or half is like another."""
    right = np.linspace(20, 235, width, dtype=np.uint8)[None, :].repeat(height, axis=0)
    down = np.linspace(20, 235, height, dtype=np.uint8)[:, None].repeat(width, axis=1)
    bgr = cv2.merge([right, down, 255 - right // 2 - down // 2])
    return np.asarray(bgr, np.uint8)


def still(way: str, picture: NDArray[np.uint8] | None = None) -> bytes:
    """Return ``picture``, or a coloured one of 320x240, in a file."""
    extension, parameters = WAYS[way]
    pixels = coloured(320, 240) if picture is None else picture
    _, encoded = cv2.imencode(extension, pixels, parameters)
    return encoded.tobytes()


def exif(orientation: int, order: str = "<") -> bytes:
    """Return an EXIF block that tells an orientation."""
    mark = b"II" if order == "<" else b"MM"
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    return mark + struct.pack(f"{order}HIH", 42, 8, 1) + entry + bytes(4)


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    """Return a JPEG with one more segment at its start."""
    segment = struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
    return jpeg[:2] + segment + jpeg[2:]


def with_png_chunk(png: bytes, kind: bytes, body: bytes) -> bytes:
    """Return a PNG with one more chunk behind its header."""
    end_of_header = 33
    chunk = struct.pack(">I", len(body)) + kind + body
    chunk += struct.pack(">I", zlib.crc32(kind + body))
    return png[:end_of_header] + chunk + png[end_of_header:]


def with_webp_exif(webp: bytes, block: bytes, width: int, height: int) -> bytes:
    """Return a simple WebP as an extended one that carries EXIF."""
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    extended = b"VP8X" + struct.pack("<I", 10) + bytes([8, 0, 0, 0]) + size
    note = b"EXIF" + struct.pack("<I", len(block)) + block + bytes(len(block) % 2)
    body = b"WEBP" + extended + webp[12:] + note
    return b"RIFF" + struct.pack("<I", len(body)) + body
