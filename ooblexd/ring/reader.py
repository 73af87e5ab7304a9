"""Step 2, the reading half: borrow the newest frame, or each in order, in place.

Pure: it works on any ``Words`` and any slots. The labels are those of ``spec.py``.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from ooblexd.errors import RingError
from ooblexd.ring.spec import (
    FIRST_AT,
    LATEST_AT,
    held_at,
    sequence_of,
    slot_of,
    waiting_at,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from typing_extensions import Self

    from ooblexd.ring.spec import RingSpec
    from ooblexd.ring.words import Words


class Lent:
    """A frame that its reader borrows; leaving it as a context gives it back.

    Attributes:
        memory: The whole slot, read-only and in place; its content stays as it is
            until the frame is given back, and means nothing afterwards.
        sequence: The number of the frame in its ring.
        passed: How many frames the reader passed over since its previous one; with
            ``RingReader.next``, those that it lost. What was there before the reader
            does not count.
    """

    __slots__ = ("_reader", "memory", "passed", "sequence")

    def __init__(
        self, reader: RingReader, memory: memoryview, sequence: int, passed: int
    ) -> None:
        self._reader = reader
        self.memory = memory
        self.sequence = sequence
        self.passed = passed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._reader.lent is self:
            self._reader.release()


class RingReader:
    """One reader of a ring, at a place of its own, for one thread.

    It borrows one slot at a time: each of ``newest``, ``current`` and ``next`` gives
    the former one back, also when it returns ``None``.

    Args:
        spec: What the ring was made with.
        words: Its control page.
        slots: Its slots in order, read-only.
        place: Which of the ``spec.readers`` places is this reader's.
        wake_fd: The place's eventfd, non-blocking; it stays the caller's.

    Attributes:
        lent: What it borrows now.
        wake_fd: Readable once a frame was published after ``prepare_wait``.
    """

    __slots__ = (
        "_counted",
        "_first",
        "_held_at",
        "_seen",
        "_slots",
        "_spec",
        "_waiting_at",
        "_words",
        "lent",
        "wake_fd",
    )

    def __init__(
        self,
        spec: RingSpec,
        words: Words,
        slots: Sequence[memoryview],
        place: int,
        wake_fd: int,
    ) -> None:
        self._spec = spec
        self._words = words
        self._slots = slots
        self._held_at = held_at(place)
        self._waiting_at = waiting_at(place)
        self.lent: Lent | None = None
        self.wake_fd = wake_fd
        self._first = words.load(FIRST_AT)  # ATTACH 1
        sequence = sequence_of(words.load(LATEST_AT))  # ATTACH 2
        # The frame that is the newest now is still to be seen; those before it are not,
        # and neither counts as passed over.
        self._seen = max(sequence - 1, self._first)
        self._counted = sequence

    @property
    def seen(self) -> int:
        """The sequence of the last frame lent, or of the one before all it will see.

        After ``resume`` it is what that was told, so that a reader which moves twice
        before it borrows anything counts all that it passed over.
        """
        return min(self._seen, self._counted)

    def resume(self, seen: int) -> None:
        """Go on after frame ``seen``, as the former reader of a place left it.

        What was published since counts as passed over, so that no frame is missing in
        the counters when a reader is replaced, or moves to a new segment. What only the
        former segment held is passed over too: the newest word of a new one names a
        frame that no slot of it has.
        """
        self._seen = max(seen, self._first)
        self._counted = seen

    def newest(self) -> Lent | None:
        """Borrow the newest frame, or return ``None`` if it was lent before.

        Raises:
            RingError: The control page is damaged.
        """
        return self._observe(self._seen)

    def current(self) -> Lent | None:
        """Borrow the newest frame even if it was lent before.

        Returns:
            ``None`` only while nothing has been published.

        Raises:
            RingError: The control page is damaged.
        """
        return self._observe(self._first)

    def forgo(self) -> int:
        """Pass over all frames but the newest, and borrow nothing.

        Returns:
            How many those were; the next ``Lent.passed`` does not count them again.
        """
        newest = sequence_of(self._words.load(LATEST_AT))
        forgone = max(0, newest - self._counted - 1)
        if forgone:
            self._seen = max(newest - 1, self._first)
            self._counted = newest - 1
        return forgone

    def next(self) -> Lent | None:
        """Borrow the oldest frame after the last one lent that is still there.

        Returns:
            ``None`` if there is nothing newer. ``Lent.passed`` frames were overwritten
            before this reader came to them.

        Raises:
            RingError: The control page is damaged.
            ValueError: The ring has no history.
        """
        if not self._spec.history:
            raise ValueError("a ring without history has only a newest frame")
        words = self._words
        while True:
            latest = words.load(LATEST_AT)  # TAKE 1: pairs with PUBLISH 2
            if sequence_of(latest) <= self._seen:
                self.release()
                return None
            sequence, slot = self._oldest(sequence_of(latest))
            if not sequence:
                # The newest is always there, unless it has just become an older one.
                if words.load(LATEST_AT) == latest:  # TAKE 6
                    self.release()
                    raise RingError(f"no slot holds the newest frame {latest:#x}")
                continue
            words.store(self._held_at, slot + 1)  # TAKE 3: pairs with CLAIM 1
            words.fence()  # TAKE 4: pairs with CLAIM 3
            if words.load(self._spec.sequence_at(slot)) == sequence:  # TAKE 5
                return self._lend(sequence, slot)

    def release(self) -> None:
        """Give the borrowed slot back; without one, do nothing."""
        if self.lent is not None:
            self.lent = None
            self._words.store(self._held_at, 0)  # RELEASE 1: pairs with CLAIM 1

    def prepare_wait(self) -> bool:
        """Say that this reader waits, then look again.

        Returns:
            Whether there is nothing new, so that the caller may sleep until
            ``wake_fd`` is readable; then it calls ``drain_wake``.
        """
        words = self._words
        words.store(self._waiting_at, 1)  # WAIT 1: pairs with PUBLISH 4
        words.fence()  # WAIT 2: pairs with PUBLISH 3
        if sequence_of(words.load(LATEST_AT)) <= self._seen:  # WAIT 3
            return True
        words.store(self._waiting_at, 0)  # WAIT 4
        return False

    def drain_wake(self) -> None:
        """Wait no longer: take the waiting flag back and empty the eventfd."""
        self._words.store(self._waiting_at, 0)  # WAIT 5
        with contextlib.suppress(BlockingIOError):  # empty: woken by something else
            os.eventfd_read(self.wake_fd)

    def close(self) -> None:
        """Give back the frame and the page; the slots go with the last view of them."""
        self.release()
        self._slots = ()
        self._words.close()

    def _observe(self, after: int) -> Lent | None:
        words = self._words
        latest = words.load(LATEST_AT)  # OBSERVE 1
        if sequence_of(latest) <= after:
            self.release()
            return None
        while True:
            words.store(self._held_at, slot_of(latest) + 1)  # OBSERVE 2: see CLAIM 1
            words.fence()  # OBSERVE 3: pairs with PUBLISH 3
            again = words.load(LATEST_AT)  # OBSERVE 4: pairs with PUBLISH 2
            if again == latest:
                return self._lend(sequence_of(latest), slot_of(latest))
            latest = again

    def _oldest(self, newest: int) -> tuple[int, int]:
        """Return sequence and slot of the oldest unseen frame, (0, 0) if none is."""
        found = (0, 0)
        for slot in range(self._spec.slots):
            sequence = self._words.load(self._spec.sequence_at(slot))  # TAKE 2
            if self._seen < sequence <= newest and not 0 < found[0] < sequence:
                found = (sequence, slot)
        return found

    def _lend(self, sequence: int, slot: int) -> Lent:
        if slot >= self._spec.slots:
            self.lent = None
            self._words.store(self._held_at, 0)  # RELEASE 2
            raise RingError(f"slot {slot} of {self._spec.slots} is the newest")
        passed = max(0, sequence - self._counted - 1)
        self._seen = self._counted = sequence
        lent = self.lent = Lent(self, self._slots[slot], sequence, passed)
        return lent
