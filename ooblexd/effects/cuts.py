"""Tells a cut, where all that was tracked is gone, from what moves and from the light.

Two thumbnails of luma are compared as shapes: their mean and contrast do not count, so
a camera that adjusts its exposure, or a lamp that is switched on, is no cut. It takes
0.1 ms for 1280x720. Neither mistake is dear: after a cut that nobody notices faces are
covered as they always were, after one that is none a little too much is, for a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ooblexd.pixels import Plane, Planes

_WIDTH, _HEIGHT = 64, 36
_SAMPLES = 2  # a thumbnail's pixel is the mean of at least so many, across and down
# Neighbouring frames of the tests' clips and of the demo are alike by 0.94 and more,
# frames of different clips by 0.16 and less, different parts of one street by 0.40 and
# less in 35 of 36 pairs. 0.4 times the light leaves 0.99, noise of 25 steps 0.97.
_ALIKE = 0.5
_FLAT = 1.0  # contrast of a picture that shows nothing, in steps of luma


class Cuts:
    """Compares each picture of a stream with the one before."""

    def __init__(self) -> None:
        self._before: NDArray[np.float32] | None = None

    def is_cut(self, planes: Planes) -> bool:
        """Say whether a picture is of another scene than the one before it."""
        before, self._before = self._before, _shape_of(planes.y)
        return before is not None and likeness(before, self._before) < _ALIKE


def likeness(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the correlation of two shapes, -1 to 1; 1 where both show nothing."""
    if not one.any() and not other.any():
        return 1.0
    return float((one * other).mean())


def _shape_of(luma: Plane) -> NDArray[np.float32]:
    """Return a thumbnail of mean 0 and deviation 1, or all zeros if it is flat."""
    height, width = luma.shape
    step = max(1, min(width // (_WIDTH * _SAMPLES), height // (_HEIGHT * _SAMPLES)))
    sparse = np.ascontiguousarray(luma[::step, ::step])
    small = cv2.resize(sparse, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
    thumbnail = np.asarray(small, np.float32)
    thumbnail -= thumbnail.mean()
    contrast = float(thumbnail.std())
    return thumbnail / contrast if contrast > _FLAT else np.zeros_like(thumbnail)
