from __future__ import annotations

import dataclasses
import mmap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.ring import RingSpec
from ooblexd.ring.spec import (
    FIRST_AT,
    LATEST_AT,
    held_at,
    pack_latest,
    sequence_of,
    slot_of,
    waiting_at,
)


def test_the_smallest_rings_have_a_slot_for_each_need() -> None:
    assert RingSpec.newest_only(slot_bytes=9, readers=3).slots == 5
    assert RingSpec.with_history(slot_bytes=9, readers=3, history=8).slots == 13


def test_a_spec_survives_as_plain_numbers() -> None:
    spec = RingSpec.with_history(slot_bytes=9, readers=3, history=8)

    assert RingSpec(**dataclasses.asdict(spec)) == spec


@pytest.mark.parametrize(
    ("slots", "slot_bytes", "readers", "history"),
    [(4, 0, 2, 0), (3, 9, 2, 0), (4, 9, 0, 0), (4, 9, 2, 1), (257, 9, 2, 0)],
)
def test_numbers_that_make_no_ring_are_refused(
    slots: int, slot_bytes: int, readers: int, history: int
) -> None:
    with pytest.raises(ValueError, match=r"not a ring|slots, must be"):
        RingSpec(slots, slot_bytes, readers, history)


@given(st.integers(1, 60), st.integers(0, 100), st.integers(1, 10**7))
def test_words_and_slots_lie_apart(readers: int, history: int, size: int) -> None:
    spec = RingSpec.with_history(slot_bytes=size, readers=readers, history=history)
    places = range(readers)
    offsets = [
        *(FIRST_AT, LATEST_AT),
        *map(held_at, places),
        *map(waiting_at, places),
        *map(spec.sequence_at, range(spec.slots)),
    ]

    assert len(set(offsets)) == len(offsets)
    assert all(offset % 8 == 0 for offset in offsets)
    assert max(offsets) + 8 <= spec.control_bytes
    assert spec.control_bytes % mmap.PAGESIZE == 0
    assert spec.slot_stride_bytes % mmap.PAGESIZE == 0
    assert spec.slot_stride_bytes >= size


@given(st.integers(0, 2**56 - 1), st.integers(0, 255))
def test_the_newest_word_holds_sequence_and_slot(sequence: int, slot: int) -> None:
    word = pack_latest(sequence, slot)

    assert word < 2**64
    assert (sequence_of(word), slot_of(word)) == (sequence, slot)
