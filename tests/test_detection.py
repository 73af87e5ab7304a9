"""What was found in a picture, and that it comes through as it went in."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.detection import (
    MOST_DETECTIONS,
    MOST_DETECTIONS_BYTES,
    Detection,
    Detections,
    Label,
    pack_detections,
    surest,
    unpack_detections,
)

shares = st.floats(0, 1)
detections = st.builds(
    Detection, st.sampled_from(Label), shares, shares, shares, shares, shares
)
FACE = Detection(Label.FACE, 0.9, 0.1, 0.2, 0.3, 0.4)


@given(st.lists(detections, max_size=MOST_DETECTIONS).map(tuple))
def test_what_was_packed_is_unpacked_to_less_than_a_pixel(found: Detections) -> None:
    packed = pack_detections(found)

    assert len(packed) <= MOST_DETECTIONS_BYTES
    for one, read in zip(found, unpack_detections(packed), strict=True):
        assert read.label is one.label
        for name in ("score", "x", "y", "width", "height"):
            assert abs(getattr(read, name) - getattr(one, name)) <= 0.5 / 65_535


@given(st.binary(max_size=100))
def test_any_bytes_are_detections_or_a_value_error(packed: bytes) -> None:
    try:
        found = unpack_detections(packed)
    except ValueError:
        return
    assert pack_detections(found) == packed


@given(st.lists(detections, max_size=3 * MOST_DETECTIONS).map(tuple))
def test_of_too_many_the_surest_stay(found: Detections) -> None:
    kept = surest(found)

    assert kept is not None
    scores = sorted((one.score for one in found), reverse=True)
    assert [one.score for one in kept] == scores[:MOST_DETECTIONS]
    assert set(kept) <= set(found)


@pytest.mark.parametrize("share", [-0.01, 1.01, math.nan, math.inf])
@pytest.mark.parametrize("place", range(5))
def test_what_is_no_share_is_refused(share: float, place: int) -> None:
    shares = [0.5] * 5
    shares[place] = share

    with pytest.raises(ValueError, match="within 0"):
        Detection(Label.FACE, *shares)


def test_what_is_no_detection_is_refused() -> None:
    with pytest.raises(TypeError, match="'a face'"):
        surest((FACE, "a face"))
    unknown: Any = 7
    with pytest.raises(TypeError, match="7 is no"):
        Detection(unknown, 0.5, 0.1, 0.1, 0.2, 0.2)


@pytest.mark.parametrize("rubbish", [0, "", {}, [], [FACE], iter([FACE])])
def test_what_is_no_tuple_is_not_even_looked_at(rubbish: object) -> None:
    with pytest.raises(TypeError, match="want a tuple or None"):
        surest(rubbish)


def test_what_was_altered_after_it_was_made_is_refused() -> None:
    face = Detection(Label.FACE, 0.5, 0.1, 0.1, 0.2, 0.2)
    object.__setattr__(face, "score", 2.0)

    with pytest.raises(ValueError, match="within 0"):
        surest((face,))
