"""A clock in the pixels, so that anybody can measure latency at any viewer.

The lowest 1/30 of a picture becomes a dark strip with two rows of 64 cells. A light
cell is a 1, a dark one a 0; read row by row, from left to right, the 128 bits are, big
endian:

====== ======================================
bits   meaning
====== ======================================
64     unix time in microseconds
32     sequence number of the picture
32     CRC-32 (as zlib's) of the 96 bits above
====== ======================================

All places are fractions of the picture's size, so that a scaled picture reads as well;
at 1280x720 a cell is 20x12 pixels. The levels keep away from black and white, hence
they mean the same in full and in limited range, and the threshold is the middle between
the lightest and the darkest cell found. tests/sources/test_pixelclock.py reads it after
JPEG of quality 30 and after H.264 at 1 Mb/s, also scaled to half size.
"""

from __future__ import annotations

import functools
import math
import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ooblexd.pixels import Plane, Planes

COLUMNS, ROWS = 64, 2
STRIP_FRACTION = 30  # the strip is the lowest height / STRIP_FRACTION lines

_DARK, _LIGHT, _NEUTRAL = 28, 152, 128
_LEAST_CONTRAST = 48
_PAYLOAD = struct.Struct(">QI")
_MARK = struct.Struct(">QII")


class Stamp(NamedTuple):
    """What a picture's clock says.

    Attributes:
        unix_us: When the picture was captured, in unix microseconds.
        sequence: Of the picture, from 0, modulo 2**32.
    """

    unix_us: int
    sequence: int


def stamp(planes: Planes, unix_us: int, sequence: int) -> None:
    """Write the clock into the lowest lines of ``planes``.

    A picture less than 128 pixels wide or 120 high has no room for it and stays as it
    is.
    """
    width, height = planes.width, planes.height
    if not _has_room(width, height):
        return
    payload = _PAYLOAD.pack(unix_us, sequence & 0xFFFFFFFF)
    mark = payload + zlib.crc32(payload).to_bytes(4, "big")
    bits = np.unpackbits(np.frombuffer(mark, np.uint8)).reshape(ROWS, COLUMNS)
    levels = np.where(bits, np.uint8(_LIGHT), np.uint8(_DARK))
    row_of, column_of = _cells_of_pixels(width, height)
    top = height - len(row_of)
    planes.y[top:] = levels[:, column_of][row_of]
    planes.u[(top + 1) // 2 :] = _NEUTRAL
    planes.v[(top + 1) // 2 :] = _NEUTRAL


def read_stamp(luma: Plane) -> Stamp | None:
    """Read the clock of a picture.

    Args:
        luma: ``(height, width)``, uint8, full or limited range: the luma plane or a
            grey picture, at any size and after any lossy coding.

    Returns:
        What the clock says, or None where there is none that can be trusted.
    """
    height, width = luma.shape
    if not _has_room(width, height):
        return None
    means = _cell_means(luma)
    low, high = float(means.min()), float(means.max())
    if high - low < _LEAST_CONTRAST:
        return None
    bits = (means > (low + high) / 2).ravel()
    unix_us, sequence, crc = _MARK.unpack(np.packbits(bits).tobytes())
    if zlib.crc32(_PAYLOAD.pack(unix_us, sequence)) != crc:
        return None
    return Stamp(unix_us, sequence)


def _has_room(width: int, height: int) -> bool:
    """Say whether each cell has two pixels or more in both directions."""
    return width >= 2 * COLUMNS and height >= 2 * ROWS * STRIP_FRACTION


@functools.lru_cache(maxsize=8)
def _cells_of_pixels(
    width: int, height: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the row of each line of the strip and the column of each of its pixels."""
    lines = round(height / STRIP_FRACTION)
    from_bottom = (np.arange(lines)[::-1] + 0.5) * ROWS * STRIP_FRACTION / height
    row_of = np.maximum(ROWS - 1 - from_bottom.astype(np.intp), 0)
    return row_of, ((np.arange(width) + 0.5) * COLUMNS / width).astype(np.intp)


def _cell_means(luma: Plane) -> NDArray[np.float64]:
    """Return the mean of the inner half of each cell, ``(ROWS, COLUMNS)``."""
    height, width = luma.shape
    cell_height = height / STRIP_FRACTION / ROWS
    columns = [_inner(column, width / COLUMNS) for column in range(COLUMNS)]
    means = np.empty((ROWS, COLUMNS))
    for row in range(ROWS):
        top = height - (ROWS - row) * cell_height
        lines = luma[_inner(0, cell_height, top)]
        means[row] = [lines[:, inner].mean() for inner in columns]
    return means


def _inner(number: int, length: float, start: float = 0.0) -> slice:
    """Return the pixels whose centres lie in the middle half of a cell, at least one.

    The pixel that holds the cell's centre is always among them.
    """
    centre = start + (number + 0.5) * length
    first = min(math.ceil(centre - length / 4 - 0.5), math.floor(centre))
    return slice(first, max(first, math.floor(centre + length / 4 - 0.5)) + 1)
