"""Stops a process between two steps of the ring's own code, wherever chance wants it.

The steps are those that the comments of ``writer.py`` and ``reader.py`` label, and the
places of the hunt itself: ``FILL`` (a frame is half written), ``HOLD`` (it is borrowed
and checked once) and ``SLEEP`` (its reader is about to sleep).
"""

from __future__ import annotations

import linecache
import sys
from typing import TYPE_CHECKING, NamedTuple

from ooblexd.ring import memory
from ooblexd.ring.words import MappedWords
from tests.ring.automata import LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random
    from types import CodeType

    from ooblexd.ring.words import Words
    from tests.ring.scenarios import Code

_labels: dict[tuple[CodeType, int], str] = {}


class Chance(NamedTuple):
    """How a process chooses its stops.

    Attributes:
        random: Its own.
        labels: Those to choose from.
        frames: How many frames go by from one choice to the next, on average.
    """

    random: Random
    labels: Sequence[str]
    frames: int


class Fate:
    """Where a process stops next.

    Args:
        chance: Chooses it.
        stop: Called there, with the label; it returns if the process is to go on.
    """

    def __init__(self, chance: Chance, stop: Callable[[str], None]) -> None:
        self._chance = chance
        self._stop = stop
        self._frames_left = 0
        self._label = ""
        self._passes_left = 0
        self.draw()

    def draw(self) -> None:
        """Choose the next stop, whether the last one came or not."""
        random, labels, frames = self._chance
        self._frames_left = random.randint(1, 2 * frames)
        self._label = random.choice(labels)
        # Some steps are taken once for each reader: any of those.
        self._passes_left = random.randrange(4) if random.randrange(2) else 0

    def count_frame(self) -> None:
        """Choose again if it is time."""
        self._frames_left -= 1
        if self._frames_left <= 0:
            self.draw()

    def come_to(self, label: str) -> bool:
        """Stop if it is here; return whether it was."""
        if not label or label != self._label:
            return False
        if self._passes_left:
            self._passes_left -= 1
            return False
        self._label = ""
        self._stop(label)
        return True


class SteppedWords:
    """The words of a ring for a process that stops where its fate wants it.

    Args:
        words: The real ones.
        fate: Where this process stops: before that operation.
        dropped: Labels of stores and fences that do not happen.
    """

    def __init__(self, words: Words, fate: Fate, dropped: frozenset[str]) -> None:
        self._words = words
        self._fate = fate
        self._dropped = dropped

    def load(self, offset: int) -> int:
        self._fate.come_to(_label_of_caller())
        return self._words.load(offset)

    def store(self, offset: int, value: int) -> None:
        label = _label_of_caller()
        self._fate.come_to(label)
        if label not in self._dropped:
            self._words.store(offset, value)

    def fence(self) -> None:
        label = _label_of_caller()
        self._fate.come_to(label)
        if label not in self._dropped:
            self._words.fence()

    def close(self) -> None:
        self._words.close()


def open_by(code: Code, fate: Fate) -> None:
    """Let this process, a child, open rings with ``code`` and stop at its steps."""

    def step(address: int, unmap: Callable[[], object]) -> SteppedWords:
        return SteppedWords(MappedWords(address, unmap), fate, code.dropped)

    vars(memory).update(
        RingReader=code.reader, RingWriter=code.writer, MappedWords=step
    )


def _label_of_caller() -> str:
    frame = sys._getframe(2)  # the line of the ring that asks
    key = (frame.f_code, frame.f_lineno)
    label = _labels.get(key)
    if label is None:
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
        found = LABEL.search(line)
        label = _labels[key] = found[1] if found else ""
    return label
