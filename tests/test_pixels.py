"""Views of a picture's three planes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.frame import i420_bytes
from ooblexd.pixels import copy_planes, new_planes, planes_of

SIDES = st.integers(1, 40)


@given(SIDES, SIDES, st.integers(0, 300))
def test_the_planes_cover_the_picture_without_gap_or_overlap(
    width: int, height: int, offset: int
) -> None:
    memory = bytearray(offset + i420_bytes(width, height) + 5)

    planes = planes_of(memory, width, height, offset)
    for value, plane in enumerate(planes, 1):
        plane[:] = value

    counts = [memory.count(value) for value in range(4)]
    chroma = ((width + 1) // 2) * ((height + 1) // 2)
    assert counts == [offset + 5, width * height, chroma, chroma]
    assert bytes(memory[offset:-5]) == b"".join(plane.tobytes() for plane in planes)


@given(SIDES, SIDES)
def test_a_picture_knows_its_true_size(width: int, height: int) -> None:
    planes = new_planes(width, height)

    assert (planes.width, planes.height) == (width, height)


def test_planes_of_memory_too_small_are_refused() -> None:
    with pytest.raises(ValueError, match="buffer"):
        planes_of(bytearray(i420_bytes(16, 16) - 1), 16, 16)


def test_planes_of_a_lent_slot_cannot_be_written() -> None:
    planes = planes_of(memoryview(bytes(i420_bytes(4, 4))), 4, 4)

    with pytest.raises(ValueError, match="read-only"):
        planes.y[0, 0] = 1


@given(SIDES, SIDES)
def test_a_copy_is_the_same_picture_in_other_memory(width: int, height: int) -> None:
    source, target = new_planes(width, height), new_planes(width, height)
    for plane in source:
        plane[:] = np.arange(plane.size).reshape(plane.shape) % 251

    copy_planes(source, target)
    expected = [plane.copy() for plane in source]
    source.y[:] = 255

    for plane, want in zip(target, expected, strict=True):
        assert np.array_equal(plane, want)
