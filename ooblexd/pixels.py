"""The three planes of an I420 picture as numpy arrays, over any memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ooblexd.frame import i420_bytes

if TYPE_CHECKING:
    from collections.abc import Buffer  # type: ignore[attr-defined] # 3.12 has it

Plane = NDArray[np.uint8]
"""One plane, ``(height, width)``, uint8."""


class Planes(NamedTuple):
    """An I420 picture.

    Attributes:
        y: Luma, ``(height, width)``, uint8.
        u: Blue difference, ``((height + 1) // 2, (width + 1) // 2)``, uint8.
        v: Red difference, as ``u``.
    """

    y: Plane
    u: Plane
    v: Plane

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.y.shape[0])


def planes_of(memory: Buffer, width: int, height: int, offset: int = 0) -> Planes:
    """View ``memory`` as an I420 picture, without a copy.

    The planes lie behind one another without padding: the layout of a slot.

    Args:
        memory: Anything with a buffer; the planes are writable where it is.
        width: In pixels.
        height: In pixels.
        offset: Where the luma plane begins, in bytes.

    Raises:
        ValueError: ``memory`` is too small.
    """
    flat = np.frombuffer(memory, np.uint8, i420_bytes(width, height), offset)
    luma, chroma = width * height, ((width + 1) // 2) * ((height + 1) // 2)
    half = ((height + 1) // 2, (width + 1) // 2)
    return Planes(
        flat[:luma].reshape(height, width),
        flat[luma : luma + chroma].reshape(half),
        flat[luma + chroma :].reshape(half),
    )


def new_planes(width: int, height: int) -> Planes:
    """Return a picture in private memory, its contents undefined."""
    return planes_of(np.empty(i420_bytes(width, height), np.uint8), width, height)


def copy_planes(source: Planes, target: Planes) -> None:
    """Copy a picture of the same size; `numpy.copyto` releases the GIL."""
    for from_plane, to_plane in zip(source, target, strict=True):
        np.copyto(to_plane, from_plane)
