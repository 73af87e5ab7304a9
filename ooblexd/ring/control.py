"""The control page as the supervisor sees it: it maps this and never a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ooblexd.ring.spec import LATEST_AT, held_at, sequence_of, waiting_at

if TYPE_CHECKING:
    from ooblexd.ring.spec import RingSpec
    from ooblexd.ring.words import Words


class RingControl:
    """What the owner of a ring may see and do.

    Attributes:
        spec: What the ring was made with.
    """

    def __init__(self, spec: RingSpec, words: Words) -> None:
        self.spec = spec
        self._words = words

    @property
    def sequence(self) -> int:
        """The sequence of the newest frame published."""
        return sequence_of(self._words.load(LATEST_AT))

    def held_slot(self, place: int) -> int | None:
        """Return the slot that the reader at ``place`` names."""
        held = self._words.load(held_at(place))
        return held - 1 if held else None

    def is_waiting(self, place: int) -> bool:
        """Return whether the reader at ``place`` says that it waits."""
        return bool(self._words.load(waiting_at(place)))

    def clear_reader(self, place: int) -> None:
        """Free the slot that a dead reader held, and withdraw its waiting.

        Only once ``waitpid`` has returned the reader's process: a reader that still
        runs would see its slot overwritten.
        """
        self._words.store(held_at(place), 0)  # CLEAR 1
        self._words.store(waiting_at(place), 0)  # CLEAR 2

    def close(self) -> None:
        """Unmap the control page."""
        self._words.close()


def clear_reader(control: RingControl, place: int) -> None:
    """Do ``RingControl.clear_reader``; the same condition holds."""
    control.clear_reader(place)
