"""Which packets begin anew: nothing before them is needed, by none that follow either.

FFmpeg flags as keyframes also those of H.264 at which a decoder may begin though the
picture is whole only many frames later (recovery points, as of encoders that refresh a
column at a time). To begin there is right where there is nothing else; to throw away
what came before is not. So the type of the packet's first slice decides.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import av

_START = re.compile(rb"\x00\x00\x01(.)", re.DOTALL)
_START_OF_SLICE = re.compile(rb"\x00\x00\x01(..)", re.DOTALL)
_FIRST_OF_PICTURE = 0x80  # first_mb_in_slice is 0, as Exp-Golomb (H.264, 7.3.3)
_LENGTH_PREFIXED = 1  # the first byte of avcC and hvcC (ISO/IEC 14496-15)


class Keyframes:
    """Knows the packets of one stream that begin anew.

    Args:
        codec: Of the stream.
    """

    def __init__(self, codec: av.VideoCodecContext) -> None:
        self._codec_name = codec.name
        extra = codec.extradata or b""
        self._length_bytes = 0
        if extra[:1] == bytes([_LENGTH_PREFIXED]) and codec.name in _LENGTH_AT:
            self._length_bytes = (extra[_LENGTH_AT[codec.name]] & 3) + 1

    def begins_anew(self, packet: av.Packet[av.VideoStream]) -> bool:
        """Say whether ``packet`` needs nothing that came before it."""
        if not packet.is_keyframe:
            return False
        is_key = _IS_KEY.get(self._codec_name)
        if is_key is None:
            return True
        data = bytes(packet)
        heads = self._prefixed(data) if self._length_bytes else _started(data)
        return next(
            (found for head in heads if (found := is_key(head)) is not None), False
        )

    def _prefixed(self, data: bytes) -> Iterator[int]:
        at = 0
        while at + self._length_bytes < len(data):
            start = at + self._length_bytes
            yield data[start]
            at = start + int.from_bytes(data[at:start], "big")


def is_keyframe(codec_name: str, data: bytes) -> bool:
    """Say whether a picture as RTP carries it needs no other, and has its beginning.

    Args:
        codec_name: ``h264``, whose data has start codes, or ``vp8``.
        data: The picture; its beginning may have been lost.
    """
    if codec_name == "vp8":  # RFC 6386, 9.1
        return data[3:6] == b"\x9d\x01\x2a" and not data[0] & 1
    for found in _START_OF_SLICE.finditer(data):
        head, slice_header = found[1]
        is_key = _is_h264_key(head)
        if is_key is not None:
            return is_key and bool(slice_header & _FIRST_OF_PICTURE)
    return False


def _started(data: bytes) -> Iterator[int]:
    return (found[1][0] for found in _START.finditer(data))


def _is_h264_key(head: int) -> bool | None:
    """Say so by the head of a slice (H.264, 7.3.1); None of what is no slice."""
    kind = head & 0x1F
    return kind == 5 if 1 <= kind <= 5 else None  # noqa: PLR2004 # IDR; table 7-1


def _is_h265_key(head: int) -> bool | None:
    """Say so by the head of a slice (H.265, 7.3.1.2); None of what is no slice."""
    kind = head >> 1 & 0x3F
    return 16 <= kind <= 21 if kind < 32 else None  # noqa: PLR2004 # IRAP; table 7-1


_IS_KEY = {"h264": _is_h264_key, "hevc": _is_h265_key}
_LENGTH_AT = {"h264": 4, "hevc": 21}
