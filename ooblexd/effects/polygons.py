"""What makes a list of points a polygon that can be covered: pure.

Points are shares of the picture, 0..1 from its left and its top.
"""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Point = tuple[float, float]
"""x and y."""

LEAST_POINTS = 3
LEAST_AREA = 0.0001
"""Share of the picture, some 9x10 pixels of 1280x720: less is a slip of the finger."""


def problem_of(points: Sequence[Point]) -> str | None:
    """Say what is wrong with a polygon, in words for whoever drew it, or nothing."""
    if len(points) > 1 and points[0] == points[-1]:
        points = points[:-1]  # drawn closed, as GeoJSON has it
    if len(set(points)) < LEAST_POINTS:
        return f"{len(set(points))} different points, a polygon needs at least 3"
    if (crossing := _crossing(points)) is not None:
        one, other = crossing
        return (
            f"crosses itself: the edge from point {one} meets the one from point "
            f"{other} (points count from 0)"
        )
    if (area := area_of(points)) < LEAST_AREA:
        return f"{area:.2g} of the picture, at least {LEAST_AREA:g}"
    return None


def area_of(points: Sequence[Point]) -> float:
    """Return the area, by Gauss's formula, as a share of the picture."""
    doubled = (
        ax * by - bx * ay
        for (ax, ay), (bx, by) in zip(points, _next(points), strict=True)
    )
    return abs(sum(doubled)) / 2


def _next(points: Sequence[Point]) -> list[Point]:
    return [*points[1:], points[0]]


def _crossing(points: Sequence[Point]) -> tuple[int, int] | None:
    """Return the first two edges, by where they begin, that meet and are no neighbours.

    Neighbours meet in their shared point; they are wrong only if one runs back along
    the other.
    """
    edges = list(zip(points, _next(points), strict=True))
    last = len(edges) - 1
    for (i, one), (j, other) in combinations(enumerate(edges), 2):
        if j == i + 1 or (i == 0 and j == last):
            shared_first = one if j == i + 1 else other
            shared_next = other if j == i + 1 else one
            if _runs_back(shared_first[0], shared_first[1], shared_next[1]):
                return i, j
        elif _meet(*one, *other):
            return i, j
    return None


def _turn(a: Point, b: Point, c: Point) -> float:
    """Say on which side of the line from ``a`` to ``b`` the point ``c`` lies."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _runs_back(a: Point, b: Point, c: Point) -> bool:
    way = (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1])
    return math.isclose(_turn(a, b, c), 0, abs_tol=1e-12) and way < 0


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    sides = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if sides[0] * sides[1] < 0 and sides[2] * sides[3] < 0:
        return True
    ends = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(
        side == 0 and _is_between(*end) for side, end in zip(sides, ends, strict=True)
    )


def _is_between(a: Point, b: Point, c: Point) -> bool:
    """Say whether ``c``, on the line through ``a`` and ``b``, is between them."""
    return all(min(p, q) <= r <= max(p, q) for p, q, r in zip(a, b, c, strict=True))
