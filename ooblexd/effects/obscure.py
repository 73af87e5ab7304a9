"""Makes a part of a picture unrecognisable, in its I420 planes.

Both ways first reduce the area to a few mean values, fixed in number whatever the size
of the face, and paint from these alone: what is shown holds no more than that, so no
filter brings the face back. Outside the area not one bit changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from ooblexd.effects.boxes import Box

if TYPE_CHECKING:
    from ooblexd.pixels import Plane, Planes

_OPAQUE_WITHIN = 0.8  # of the squared radius; the rim beyond it is the soft edge
_STEP_PX = 6
_GRID_PX = 8  # of what is blurred, so that it can be halved, see `_halves`
_HAIR = 0.15  # the networks' boxes end at the brow, and hair is part of a face


class Part(NamedTuple):
    """The whole pixels of a plane that an area touches."""

    left: int
    top: int
    right: int
    bottom: int


def head_of(face: Box, margin: float) -> Box:
    """Return the box whose ellipse covers a face with hair and chin.

    Args:
        face: In pixels.
        margin: Share of the face's size; from 0.3 on, the opaque part of the ellipse
            holds the corners of ``face``.
    """
    x, y = margin * face.width, margin * face.height
    return Box(
        face.left - x,
        face.top - y - _HAIR * face.height,
        face.right + x,
        face.bottom + y,
    )


def blur(planes: Planes, head: Box, cells: float) -> None:
    """Cover the ellipse in ``head`` by a soft blur.

    Args:
        planes: Changed in place.
        head: In pixels; may reach beyond the picture.
        cells: How many mean values remain across the shorter edge of ``head``.
    """
    _blur_plane(planes.y, head, cells)
    chroma = _halved(head)
    _blur_plane(planes.u, chroma, cells)
    _blur_plane(planes.v, chroma, cells)


def smoothed(plane: Plane, cell_px: float) -> Plane:
    """Return a plane painted softly from the means of its cells, and nothing else.

    Args:
        plane: Not changed.
        cell_px: Edge of a cell, in pixels; they are stretched to fit the plane.
    """
    height, width = plane.shape
    cell_px = max(1.0, cell_px)
    few = (max(1, round(width / cell_px)), max(1, round(height / cell_px)))
    means = cv2.resize(_halves(plane, few), few, interpolation=cv2.INTER_AREA)
    # Cubic in steps of _STEP_PX and linear between looks like cubic all the way, and
    # takes 0.3 ms instead of 1.7 for 480x520.
    some = (max(few[0], width // _STEP_PX), max(few[1], height // _STEP_PX))
    rough = cv2.resize(means, some, interpolation=cv2.INTER_CUBIC)
    soft = cv2.resize(rough, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(soft, np.uint8)


def _halves(plane: Plane, few: tuple[int, int]) -> Plane:
    """Halve a plane while it stays twice as fine as ``few`` and nothing is split.

    OpenCV takes means by exact halves in 0.04 ms for 1280x720, and by any other factor
    in 2.5 ms.
    """
    height, width = plane.shape
    if height % 2 or width % 2 or height < 4 * few[1] or width < 4 * few[0]:
        return plane
    half = cv2.resize(plane, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return _halves(np.asarray(half, np.uint8), few)


def pixelate(planes: Planes, head: Box, cells: float) -> None:
    """Cover the ellipse in ``head`` by square cells.

    The cells lie on a grid that is fixed in the picture, and their size goes by steps,
    so that the mosaic stands still over a face that hardly moves. A cell is covered
    where the ellipse touches it.

    Args:
        planes: Changed in place.
        head: In pixels; may reach beyond the picture.
        cells: About how many lie across the shorter edge of ``head``.
    """
    half = _stepped(min(head.width, head.height) / max(cells, 1.0) / 2)
    _pixelate_plane(planes.y, head, half * 2)
    chroma = _halved(head)
    _pixelate_plane(planes.u, chroma, half)
    _pixelate_plane(planes.v, chroma, half)


def _blur_plane(plane: Plane, head: Box, cells: float) -> None:
    part = _part_of(plane, head, _GRID_PX)
    if part is None:
        return
    here = plane[part.top : part.bottom, part.left : part.right]
    soft = smoothed(here, min(head.width, head.height) / cells)
    _blend(here, soft, _ellipse(part, head))


def _blend(here: Plane, over: Plane, opacity: Plane) -> None:
    """Lay ``over`` on ``here``: exactly where opaque, and not at all where clear."""
    shown = cv2.multiply(over, opacity, scale=1 / 255)
    kept = cv2.multiply(here, cv2.bitwise_not(opacity), scale=1 / 255)
    here[...] = cv2.add(shown, kept)


def _ellipse(part: Part, head: Box) -> Plane:
    """Return the opacity of each pixel of ``part``, 0..255."""
    (x, y), (radius_x, radius_y) = head.centre, (head.width / 2, head.height / 2)
    across = (np.arange(part.left, part.right, dtype=np.float32) + 0.5 - x) / radius_x
    down = (np.arange(part.top, part.bottom, dtype=np.float32) + 0.5 - y) / radius_y
    clear = np.add.outer(down * down, across * across)
    rim = 255 / (1 - _OPAQUE_WITHIN)
    # (1 - clear) * rim within 0..255, in one pass
    opacity = cv2.addWeighted(clear, -rim, clear, 0, rim, dtype=cv2.CV_8U)
    return np.asarray(opacity, np.uint8)


def _pixelate_plane(plane: Plane, head: Box, cell: int) -> None:
    wide = head.grown(cell)
    part = _part_of(plane, wide, cell)
    if part is None:
        return
    here = plane[part.top : part.bottom, part.left : part.right]
    height, width = here.shape
    rows, columns = -(-height // cell), -(-width // cell)
    below, beside = rows * cell - height, columns * cell - width
    even = cv2.copyMakeBorder(here, 0, below, 0, beside, cv2.BORDER_REPLICATE)
    means = cv2.resize(even, (columns, rows), interpolation=cv2.INTER_AREA)
    touched = _touched(part, head, cell)
    full = (columns * cell, rows * cell)
    mosaic = cv2.resize(means, full, interpolation=cv2.INTER_NEAREST)
    mask = cv2.resize(touched, full, interpolation=cv2.INTER_NEAREST)
    cv2.copyTo(mosaic[:height, :width], mask[:height, :width], here)


def _touched(part: Part, head: Box, cell: int) -> Plane:
    """Return for each cell of ``part`` whether its nearest point is in the ellipse."""
    (x, y), (radius_x, radius_y) = head.centre, (head.width / 2, head.height / 2)
    lefts = np.arange(part.left, part.right, cell)
    tops = np.arange(part.top, part.bottom, cell)
    across = (np.clip(x, lefts, lefts + cell) - x) / radius_x
    down = (np.clip(y, tops, tops + cell) - y) / radius_y
    return np.asarray(np.add.outer(down * down, across * across) <= 1, np.uint8)


def _part_of(plane: Plane, area: Box, grid: int = 1) -> Part | None:
    """Return the pixels that ``area`` touches, out to the lines of ``grid``."""
    height, width = plane.shape
    left, top = int(max(0.0, area.left)), int(max(0.0, area.top))
    right = min(width, -int(-area.right // 1))
    bottom = min(height, -int(-area.bottom // 1))
    if left >= right or top >= bottom:
        return None
    left, top = left // grid * grid, top // grid * grid
    right = min(width, -(-right // grid) * grid)
    bottom = min(height, -(-bottom // grid) * grid)
    return Part(left, top, right, bottom)


def _halved(box: Box) -> Box:
    return Box(*(edge / 2 for edge in box))


def _stepped(size: float) -> int:
    """Return the greatest of 1, 2, 3, 4, 6, 8, 12, 16, 24 … that ``size`` reaches."""
    step = 1
    while step * 2 <= size:
        step *= 2
    return step + step // 2 if step + step // 2 <= size else step
