"""Smaller forms of a picture: who asks for them, and where they lie.

Control writes into the words of a stream's demand page which ones somebody wants;
output encodes these beside the picture as it is and publishes all of them in one slot,
one behind another, so that they share its header, verdict and revision, and whatever
holds for the picture holds for each. A table at the end of the header says what is
there.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from ooblexd.frame import HEADER_BYTES, USED_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_RENDITIONS = 4
"""Of a stream at a time: each costs an encoding of every picture."""

WIDTH_STEP = 16
QUALITY_STEP = 5
_TABLE = struct.Struct("<" + "II" * MOST_RENDITIONS)
_TABLE_AT = HEADER_BYTES - _TABLE.size
assert _TABLE_AT >= USED_BYTES


class Rendition(NamedTuple):
    """A form of a picture.

    Attributes:
        width: In pixels, never more than the picture has; 0 is its own.
        quality: Of the JPEG, 1..100; 0 is the configured one.
    """

    width: int = 0
    quality: int = 0

    @property
    def key(self) -> int:
        """As one number; 0 is the picture as it is."""
        return self.width << 8 | self.quality


AS_IT_IS = Rendition()


def rounded(width: int, quality: int) -> Rendition:
    """Return a rendition that those who ask for nearly the same share; 0 stays 0."""
    return Rendition(
        max(_round(width, WIDTH_STEP), 2 * WIDTH_STEP) if width else 0,
        max(_round(quality, QUALITY_STEP), QUALITY_STEP) if quality else 0,
    )


def of_key(key: int) -> Rendition:
    """Return the rendition whose key this is."""
    return Rendition(key >> 8, key & 0xFF)


def pack_table(slot: memoryview, sizes: Iterable[tuple[Rendition, int]]) -> None:
    """Say which renditions lie behind the picture, and the bytes of each.

    Args:
        slot: Whose header is written already.
        sizes: In their order; 0 bytes are a rendition that is the picture as it is.
    """
    fields = [field for made, size in sizes for field in (made.key, size)]
    fields += [0] * (2 * MOST_RENDITIONS - len(fields))
    _TABLE.pack_into(slot, _TABLE_AT, *fields)


def unpack_table(slot: memoryview) -> Sequence[tuple[Rendition, int]]:
    """Return the renditions of a slot, and the bytes of each."""
    fields = _TABLE.unpack_from(slot, _TABLE_AT)
    pairs = zip(fields[::2], fields[1::2], strict=True)
    return [(of_key(key), size) for key, size in pairs if key]


def _round(number: int, step: int) -> int:
    return (number + step // 2) // step * step
