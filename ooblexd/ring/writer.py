"""Step 2, the writing half: lend a free slot, make it the newest, never wait.

Pure: it works on any ``Words`` and any slots. The labels are those of ``spec.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ooblexd.errors import RingError
from ooblexd.ring.spec import (
    LATEST_AT,
    held_at,
    pack_latest,
    sequence_of,
    slot_of,
    waiting_at,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ooblexd.ring.spec import RingSpec
    from ooblexd.ring.words import Words


class Loan:
    """A slot to fill.

    Attributes:
        memory: The slot, writable, exactly ``slot_bytes`` long. It is the borrower's
            until ``RingWriter.publish`` or the next ``RingWriter.loan``.
    """

    __slots__ = ("memory", "slot")

    def __init__(self, memory: memoryview, slot: int) -> None:
        self.memory = memory
        self.slot = slot


class RingWriter:
    """The one writer of a ring, for one thread.

    It takes up where a former writer ended, at whatever point that one died; but it
    may be opened only once ``waitpid`` has returned the former one's process.

    Args:
        spec: What the ring was made with.
        words: Its control page.
        slots: Its slots in order, writable.
        wake: Called with the place of each reader that waits, after each frame.
        generation: Which life of the writer this is.

    Raises:
        RingError: The control page is damaged.
    """

    __slots__ = (
        "_held_at",
        "_latest_slot",
        "_loan",
        "_sequences",
        "_slots",
        "_spec",
        "_waiting_at",
        "_wake",
        "_words",
        "generation",
        "sequence",
    )

    def __init__(
        self,
        spec: RingSpec,
        words: Words,
        slots: Sequence[memoryview],
        wake: Callable[[int], None],
        generation: int = 0,
    ) -> None:
        self._spec = spec
        self._words = words
        self._slots = slots
        self._wake = wake
        self.generation = generation
        self._loan: Loan | None = None
        self._held_at = [held_at(place) for place in range(spec.readers)]
        self._waiting_at = [waiting_at(place) for place in range(spec.readers)]
        latest = words.load(LATEST_AT)  # RESUME 1
        self.sequence = sequence_of(latest)  # of the newest frame published
        self._latest_slot = slot_of(latest)
        if self._latest_slot >= spec.slots:
            raise RingError(f"slot {self._latest_slot} of {spec.slots} is the newest")
        self._sequences = self._resume_sequences() if spec.history else []
        words.fence()  # RESUME 4: pairs with OBSERVE 3, for a writer that died

    def loan(self) -> Loan:
        """Lend the next free slot; a loan that was not published is forgotten."""
        slot = self._claim() if self._spec.history else self._find()
        loan = self._loan = Loan(self._slots[slot], slot)
        return loan

    def publish(self, loan: Loan) -> int:
        """Make the filled slot the newest frame and wake the readers that wait.

        Returns:
            The sequence of the frame: one more than that of the frame before.

        Raises:
            ValueError: ``loan`` is not the latest one of this writer, or published.
        """
        if loan is not self._loan:
            raise ValueError("only the latest loan can be published, once")
        self._loan = None
        words, slot = self._words, loan.slot
        sequence = self.sequence + 1
        if self._spec.history:
            self._sequences[slot] = sequence
            words.store(self._spec.sequence_at(slot), sequence)  # PUBLISH 1
        words.store(LATEST_AT, pack_latest(sequence, slot))  # PUBLISH 2: see OBSERVE 4
        self.sequence = sequence
        self._latest_slot = slot
        words.fence()  # PUBLISH 3: pairs with OBSERVE 3 and WAIT 2
        for place, offset in enumerate(self._waiting_at):
            if words.load(offset):  # PUBLISH 4: pairs with WAIT 1
                self._wake(place)
        return sequence

    def close(self) -> None:
        """Unmap the control page; the slots go with the last view of them."""
        self._loan = None
        self._slots = ()
        self._words.close()

    def _resume_sequences(self) -> list[int]:
        """Forget the frame that a former writer numbered but did not publish."""
        sequences = []
        for slot in range(self._spec.slots):
            offset = self._spec.sequence_at(slot)
            sequence = self._words.load(offset)  # RESUME 2
            if sequence > self.sequence:
                sequence = 0
                self._words.store(offset, 0)  # RESUME 3: its number is given again
            sequences.append(sequence)
        return sequences

    def _find(self) -> int:
        """Return the first slot that is neither the newest nor named.

        The first, not the next in turn: what was used last is still in the cache.
        """
        named = self._named()
        return next(
            slot
            for slot in range(self._spec.slots)
            if slot != self._latest_slot and slot + 1 not in named
        )

    def _claim(self) -> int:
        """Return a slot that nobody holds, its frame made unfindable.

        One more than there are readers are claimed, the oldest, so that one of them is
        free whatever the readers do meanwhile: no second round, no waiting.
        """
        words, sequences = self._words, self._sequences
        slots = [slot for slot in range(self._spec.slots) if slot != self._latest_slot]
        slots.sort(key=sequences.__getitem__)
        claimed = slots[: self._spec.readers + 1]
        for slot in claimed:
            if sequences[slot]:
                words.store(self._spec.sequence_at(slot), 0)  # CLAIM 2: see TAKE 5
                sequences[slot] = 0
        words.fence()  # CLAIM 3: pairs with TAKE 4
        named = self._named()
        return next(slot for slot in claimed if slot + 1 not in named)

    def _named(self) -> list[int]:
        load = self._words.load
        return [load(offset) for offset in self._held_at]  # CLAIM 1: see RELEASE 1
