"""Which network looks where: the views of a picture in which faces are sought.

The whole picture goes to the smallest network, which is enough for faces that fill it.
The best one looks at two overlapping squares as high as the picture is (of an upright
one, as wide), and sees more than twice as small faces as it would in the whole.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ooblexd.effects.blazeface import BACK, SHORT_RANGE, FaceNetwork, View
from ooblexd.effects.boxes import Found, distinct

if TYPE_CHECKING:
    from ooblexd.effects.boxes import Box
    from ooblexd.engines import Engines
    from ooblexd.pixels import Planes

# Share of a square beyond the picture, where `blazeface.look` mirrors it. Of 96 faces
# of 80 to 320 px, 35 to 80 % of them inside, 0.04 found 79, 0.08 87 and 0.12 90; of 60
# whole ones of 36 to 72 px 56, 55 and 54. From 0.10 on a torso is taken for a face.
_RIM = 0.08
_LEAST_SHARED = 0.1  # of neighbours, so that one of them sees a small face whole
_MOST_SQUARES = 4  # of one row; a picture wider than these see at once is seen coarser
_SMALLER = 0.65
_LEAST_INSIDE = 0.15

# What a score is worth. Small faces score low, and a wrong small cover hurts little;
# large ones score high, and a wrong large cover spoils the picture. Lowest 5 % of
# scores by size in a 778 px square: 30 px 0.07, 60 px 0.38, 100 px 0.78, 250 px 0.77.
# False ones of 0.4 or more per frame of a street: whole 0.21, squares 0.03.
_WHOLE_TRUST = 0.4
_LARGE_TRUST = 0.54
_SMALL_SHARE, _LARGE_SHARE = 0.08, 0.12


class FaceFinder:
    """Finds the faces of a picture; used by one thread at a time."""

    def __init__(self, engines: Engines, detail: str = "normal") -> None:
        self._whole = FaceNetwork(SHORT_RANGE, engines.engine(SHORT_RANGE.model))
        self._squares = FaceNetwork(BACK, engines.engine(BACK.model))
        self._shares = (1.0, _SMALLER) if detail == "high" else (1.0,)

    def find(self, planes: Planes, least_score: float) -> list[Found]:
        """Return every face, in pixels, best first.

        A box may reach beyond the picture. Scores are comparable: a network's own score
        times what it is worth at that size.

        Raises:
            EngineError: An engine failed.
        """
        width, height = planes.width, planes.height
        around = whole(width, height)
        found = [
            Found(one.box, one.score * _WHOLE_TRUST)
            for one in self._whole.find(planes, around, least_score)
        ]
        for share in self._shares:
            for view in squares(width, height, share):
                found += [
                    Found(one.box, one.score * _trust(one.box.size / view.side))
                    for one in self._squares.find(planes, view, least_score)
                ]
        return distinct(
            one
            for one in found
            if one.score >= least_score and _is_inside(one.box, width, height)
        )


def whole(width: int, height: int) -> View:
    """Return the square around a picture."""
    side = max(width, height)
    return View((width - side) // 2, (height - side) // 2, side)


def squares(width: int, height: int, share: float = 1.0) -> list[View]:
    """Return squares that together see the whole picture.

    Args:
        width: Of the picture, in pixels.
        height: Likewise.
        share: Edge of a square, as a share of the picture's shorter edge.
    """
    shorter, longer = min(width, height), max(width, height)
    inner = max(shorter * share, longer / _MOST_SQUARES, 1.0)
    side = max(2, round(inner * (1 + 2 * _RIM)))
    return [
        View(left, top, side)
        for top in _starts(height, inner, side)
        for left in _starts(width, inner, side)
    ]


def _starts(length: int, inner: float, side: int) -> list[int]:
    """Return where squares begin, the first and the last a rim outside."""
    if length <= side:
        return [round((length - side) / 2)]
    rim = (side - inner) / 2
    steps = math.ceil((length - inner) / (inner * (1 - _LEAST_SHARED)))
    way = length + 2 * rim - side
    return [round(way * step / steps - rim) for step in range(steps + 1)]


def _trust(share: float) -> float:
    """Return what the score of a box is worth that takes ``share`` of its square."""
    large = (share - _SMALL_SHARE) / (_LARGE_SHARE - _SMALL_SHARE)
    return 1 - (1 - _LARGE_TRUST) * min(1.0, max(0.0, large))


def _is_inside(box: Box, width: int, height: int) -> bool:
    """Say whether enough of the box is in the picture; the rim shows mirrored faces."""
    visible = box.overlap(type(box)(0, 0, width, height))
    return visible >= _LEAST_INSIDE * box.area
