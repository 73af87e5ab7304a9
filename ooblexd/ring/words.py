"""The words of a ring's control page, as its writer and its readers see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ooblexd.ring.atomics import pick_atomics

if TYPE_CHECKING:
    from collections.abc import Callable


class Words(Protocol):
    """64-bit words, each named by its offset in bytes from the start of the page.

    ``tests/ring/explorer.py`` puts a simulated memory in its place.
    """

    def load(self, offset: int) -> int:
        """Return a word; nothing that follows happens before (acquire)."""

    def store(self, offset: int, value: int) -> None:
        """Write a word; nothing that precedes happens after (release)."""

    def fence(self) -> None:
        """Let every load and store before it happen before every one after it."""

    def close(self) -> None:
        """Give the page back; every further use raises ``ValueError``."""


class MappedWords:
    """The words at an address, until ``close``, which then calls ``unmap``."""

    __slots__ = ("_address", "_load", "_store", "_unmap", "fence")

    def __init__(self, address: int, unmap: Callable[[], object]) -> None:
        atomics = pick_atomics()
        self._address = address
        self._unmap = unmap
        self._load = atomics.load
        self._store = atomics.store
        self.fence = atomics.fence

    def load(self, offset: int) -> int:
        """Return the word at ``offset``."""
        return self._load(self._address + offset)

    def store(self, offset: int, value: int) -> None:
        """Write the word at ``offset``."""
        self._store(self._address + offset, value)

    def close(self) -> None:
        """Unmap the page; a second time does nothing."""
        self._load, self._store = _load_closed, _store_closed
        self._unmap()


def _load_closed(_address: int) -> int:
    raise ValueError("the ring is closed")


def _store_closed(_address: int, _value: int) -> None:
    raise ValueError("the ring is closed")
