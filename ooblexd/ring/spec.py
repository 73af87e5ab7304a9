"""The byte layout of a ring, and the argument that its order holds."""

from __future__ import annotations

import mmap
from dataclasses import dataclass

MAGIC = int.from_bytes(b"OOBRING\0", "little")
VERSION = 1

# Words of the control page that never change, as offsets in bytes.
MAGIC_AT = 0
VERSION_AT = 8
SLOTS_AT = 16
SLOT_BYTES_AT = 24
READERS_AT = 32
HISTORY_AT = 40
FIRST_AT = 48
# Words that do. Each writing process has cache lines of its own.
LATEST_AT = 64
_READERS_FROM = 128
_READER_STRIDE = 128
_WAITING_BEHIND = 64

_SLOT_BITS = 8
_SLOT_MASK = (1 << _SLOT_BITS) - 1
_MOST_SLOTS = 1 << _SLOT_BITS


@dataclass(frozen=True)
class RingSpec:
    """The size of a ring, all that two processes must agree on to share one.

    Attributes:
        slots: Places for frames, 3 to 256.
        slot_bytes: What one slot holds, the frame's own header included; the ring
            knows nothing of what is in it.
        readers: Places for readers; each has a word, a waiting flag and an eventfd.
        history: How many frames before the newest ``RingReader.next`` can always
            reach; 0 for a ring of which only the newest counts.

    Raises:
        ValueError: The numbers make no ring.
    """

    slots: int
    slot_bytes: int
    readers: int
    history: int = 0

    def __post_init__(self) -> None:
        if self.readers < 1 or self.history < 0 or self.slot_bytes < 1:
            raise ValueError(f"not a ring: {self}")
        fewest = self.readers + 2 + self.history
        if not fewest <= self.slots <= _MOST_SLOTS:
            raise ValueError(f"{self.slots} slots, must be {fewest} to {_MOST_SLOTS}")

    @classmethod
    def newest_only(cls, *, slot_bytes: int, readers: int) -> RingSpec:
        """Return the smallest ring for ``RingReader.newest``."""
        return cls(readers + 2, slot_bytes, readers)

    @classmethod
    def with_history(cls, *, slot_bytes: int, readers: int, history: int) -> RingSpec:
        """Return the smallest ring for ``RingReader.next`` with that much history."""
        return cls(readers + 2 + history, slot_bytes, readers, history)

    @property
    def control_bytes(self) -> int:
        """The control page, whole pages of this machine."""
        return _whole_pages(self.sequence_at(self.slots))

    @property
    def slot_stride_bytes(self) -> int:
        """From the start of one slot to the next, whole pages of this machine."""
        return _whole_pages(self.slot_bytes)

    @property
    def total_bytes(self) -> int:
        """The whole segment: the control page and behind it the slots."""
        return self.control_bytes + self.slots * self.slot_stride_bytes

    def sequence_at(self, slot: int) -> int:
        """Return the offset of the word that says which frame ``slot`` holds."""
        return _READERS_FROM + self.readers * _READER_STRIDE + slot * 8


def held_at(place: int) -> int:
    """Return the offset of the word in which reader ``place`` names its slot."""
    return _READERS_FROM + place * _READER_STRIDE


def waiting_at(place: int) -> int:
    """Return the offset of the word in which reader ``place`` says that it waits."""
    return held_at(place) + _WAITING_BEHIND


def pack_latest(sequence: int, slot: int) -> int:
    """Return the word that says: ``sequence`` is the newest, it is in ``slot``."""
    return sequence << _SLOT_BITS | slot


def sequence_of(latest: int) -> int:
    """Return the sequence in a word of ``pack_latest``."""
    return latest >> _SLOT_BITS


def slot_of(latest: int) -> int:
    """Return the slot in a word of ``pack_latest``."""
    return latest & _SLOT_MASK


def _whole_pages(n_bytes: int) -> int:
    return -(-n_bytes // mmap.PAGESIZE) * mmap.PAGESIZE
