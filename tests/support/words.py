"""The words of a ring in a dictionary: one thread, no shared memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ooblexd.ring.spec import (
    FIRST_AT,
    LATEST_AT,
    RingSpec,
    held_at,
    pack_latest,
    waiting_at,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


class PlainWords:
    """``Words`` that keep what they are told."""

    def __init__(self, values: dict[int, int]) -> None:
        self.values = values

    def load(self, offset: int) -> int:
        return self.values[offset]

    def store(self, offset: int, value: int) -> None:
        self.values[offset] = value

    def fence(self) -> None:
        pass

    def close(self) -> None:
        pass


def offsets_of(spec: RingSpec) -> Iterable[int]:
    """Return where the words are that writer and readers use."""
    yield FIRST_AT
    yield LATEST_AT
    for place in range(spec.readers):
        yield held_at(place)
        yield waiting_at(place)
    for slot in range(spec.slots):
        yield spec.sequence_at(slot)


def empty_words(spec: RingSpec, first_sequence: int = 0) -> PlainWords:
    """Return the control page of a new ring."""
    words = PlainWords(dict.fromkeys(offsets_of(spec), 0))
    words.store(FIRST_AT, first_sequence)
    words.store(LATEST_AT, pack_latest(first_sequence, 0))
    return words
