"""The writer and the readers of the hunt: each the whole of a process that is killed.

A frame fills its slot: a checksum, and bytes that all depend on its sequence. What a
reader finds wrong it tells the hunt, and goes on.
"""

from __future__ import annotations

import os
import select
import zlib
from typing import TYPE_CHECKING, NamedTuple

from ooblexd.ring import open_reader, open_writer
from ooblexd.ring.spec import LATEST_AT, sequence_of
from tests.ring.quarry import receive_memory
from tests.ring.steps import Chance, Fate, open_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ooblexd.ring import Lent, RingReader
    from tests.ring.quarry import Line, Memory
    from tests.ring.scenarios import Code

FRAME_BYTES = 65536
SLOT_SIZES = tuple(FRAME_BYTES + pages * 4096 for pages in range(4))
# How many frames go by, on average, until the writer asks for other slots, or a muster.
_SILENCE_FRAMES = 500
_CHECKED, _SEEN = range(2)
TALLY_WORDS = 2


class Ends(NamedTuple):
    """What a process begins with.

    Attributes:
        line: To the hunt.
        memory: The ring.
        wake_fds: One eventfd a place.
        chance: Where it stops.
        code: What it runs.
    """

    line: Line
    memory: Memory
    wake_fds: Sequence[int]
    chance: Chance
    code: Code


def write(ends: Ends, generation: int) -> None:
    """Publish for ever, asking now and then for slots of another size, or a muster."""
    line, memory = ends.line, ends.memory
    random = ends.chance.random
    fate = Fate(ends.chance, line.stop)
    open_by(ends.code, fate)
    writer = open_writer(memory.fd, memory.spec, ends.wake_fds, generation)
    while True:
        loan = writer.loan()
        _fill(loan.memory, writer.sequence + 1, fate)
        writer.publish(loan)
        fate.count_frame()
        what = random.randrange(_SILENCE_FRAMES)
        if what == 0:
            others = [size for size in SLOT_SIZES if size != memory.spec.slot_bytes]
            line.send(f"need {random.choice(others)}")
            line.wait_for(line.messages)
            writer.close()
            memory = receive_memory(line)
            writer = open_writer(memory.fd, memory.spec, ends.wake_fds, generation)
            os.close(memory.fd)
        elif what == 1:
            line.stop("muster")
        if not writer.sequence % 256:
            line.end_if_orphaned()


def _fill(memory: memoryview, number: int, fate: Fate) -> None:
    body = number.to_bytes(8, "little") * (len(memory) // 8 - 1)
    half = len(body) // 2
    memory[8 : 8 + half] = body[:half]
    fate.come_to("FILL")
    memory[8 + half :] = body[half:]
    memory[:8] = zlib.crc32(body).to_bytes(8, "little")


class Tally:
    """What the reader at one place, in all its lives, has done."""

    def __init__(self, words: memoryview, place: int) -> None:
        self._words = words
        self._at = place * TALLY_WORDS

    @property
    def checked(self) -> int:
        """How many frames it has checked."""
        return int(self._words[self._at + _CHECKED])

    @property
    def seen(self) -> int:
        """The last sequence among them."""
        return int(self._words[self._at + _SEEN])

    def add(self, sequence: int) -> None:
        self._words[self._at + _CHECKED] += 1
        self._words[self._at + _SEEN] = sequence


class Checker:
    """Reads for ever, and says what is wrong.

    Args:
        ends: What it begins with.
        place: Which reader it is.
        tally: What former readers of this place did.
    """

    def __init__(self, ends: Ends, place: int, tally: Tally) -> None:
        self._line = ends.line
        self._place = place
        self._wake_fd = ends.wake_fds[place]
        self._tally = tally
        self._fate = Fate(ends.chance, ends.line.stop)
        open_by(ends.code, self._fate)
        self._reader = self._open(ends.memory)
        self._former: int | None = None  # what it saw last; nothing in this life yet

    def run(self) -> None:
        """Check each frame that is lent, and sleep when there is none."""
        while True:
            if select.select([self._line.messages], [], [], 0)[0]:
                self._move()
            wanted = self._reader.seen + 1
            lent = self._borrow()
            if lent is not None:
                with lent:
                    self._check(lent, wanted)
                self._fate.count_frame()
            elif self._reader.prepare_wait():
                self._fate.come_to("SLEEP")
                self._line.wait_for(self._wake_fd, self._line.messages)
                self._reader.drain_wake()

    def _open(self, memory: Memory) -> RingReader:
        self._spec = memory.spec
        return open_reader(memory.fd, memory.spec, self._place, self._wake_fd)

    def _move(self) -> None:
        seen = self._reader.seen
        self._reader.close()
        memory = receive_memory(self._line)
        self._reader = self._open(memory)
        os.close(memory.fd)
        self._reader.resume(seen)

    def _borrow(self) -> Lent | None:
        # With history one takes every frame, the next one the newest, and so on.
        if self._spec.history and self._place % 2 == 0:
            return self._reader.next()
        return self._reader.newest()

    def _check(self, lent: Lent, wanted: int) -> None:
        for fault in (
            _fault_of(lent),
            self._fault_of_order(lent),
            self._fault_of_history(lent, wanted),
        ):
            if fault:
                self._line.send(f"wrong {fault}")
        if self._fate.come_to("HOLD") and (fault := _fault_of(lent)):
            self._line.send(f"wrong {fault}, while it was lent")
        self._former = lent.sequence
        self._tally.add(lent.sequence)
        if not lent.sequence % 256:
            self._line.end_if_orphaned()

    def _fault_of_order(self, lent: Lent) -> str:
        if self._former is None:  # a new reader may see its predecessor's last one
            is_behind = lent.sequence < self._tally.seen
            return f"frame {lent.sequence} after {self._tally.seen}" * is_behind
        if lent.sequence == self._former + lent.passed + 1:
            return ""
        return f"frame {lent.sequence} after {self._former}, {lent.passed} passed"

    def _fault_of_history(self, lent: Lent, wanted: int) -> str:
        """Say so if a frame was passed over that had to be there still."""
        reader, history = self._reader, self._spec.history
        if not history or self._place % 2:
            return ""
        kept = sequence_of(reader._words.load(LATEST_AT)) - history
        if lent.sequence <= max(wanted, kept, reader._first + 1):
            return ""
        return f"frame {lent.sequence} instead of {wanted}, of which {kept} was kept"


def _fault_of(lent: Lent) -> str:
    body = lent.memory[8:]
    if zlib.crc32(body) != int.from_bytes(lent.memory[:8], "little"):
        return f"frame {lent.sequence} is torn"
    number = int.from_bytes(body[:8], "little")
    return f"frame {number} is lent as {lent.sequence}" * (number != lent.sequence)
