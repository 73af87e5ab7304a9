"""What can be drawn and covered."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.effects.polygons import Point, area_of, problem_of

SQUARE: list[Point] = [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)]


def test_a_square_is_fine_whichever_way_it_goes() -> None:
    assert problem_of(SQUARE) is None
    assert problem_of(SQUARE[::-1]) is None
    assert problem_of([*SQUARE, SQUARE[0]]) is None
    assert area_of(SQUARE) == pytest.approx(0.64)


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ([], "0 different points, a polygon needs at least 3"),
        ([(0, 0), (1, 1)], "2 different points"),
        ([(0, 0), (1, 1), (0, 0)], "2 different points"),
        ([(0.5, 0.5)] * 5, "1 different points"),
        ([(0, 0), (0.01, 0), (0, 0.01)], "5e-05 of the picture, at least 0.0001"),
        ([(0, 0), (0.5, 0.5), (1, 1)], "crosses itself"),
        ([(0, 0), (1, 1), (1, 0), (0, 1)], "crosses itself: the edge from point 0"),
        ([(0, 0), (1, 0), (0.5, 0), (0.5, 1)], "crosses itself"),
        ([(0, 0), (1, 0), (1, 1), (0.5, 0), (0, 1)], "crosses itself"),
    ],
)
def test_what_is_no_polygon_is_told_in_words(points: list[Point], words: str) -> None:
    assert words in (problem_of(points) or "")


@given(
    st.lists(st.integers(0, 359), min_size=3, max_size=20, unique=True),
    st.floats(0.1, 0.45),
)
def test_corners_on_a_circle_never_cross(angles: list[int], radius: float) -> None:
    points = [
        (0.5 + radius * math.cos(angle), 0.5 + radius * math.sin(angle))
        for angle in map(math.radians, sorted(angles))
    ]

    assert "crosses" not in (problem_of(points) or "")


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=12))
def test_any_points_are_judged(points: list[Point]) -> None:
    assert problem_of(points) is None or isinstance(problem_of(points), str)
