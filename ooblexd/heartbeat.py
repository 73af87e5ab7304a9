"""The worker's word: "I am alive until", and who writes what on its page.

The loop of a worker writes now + 1 s each time it comes round. Before a foreign call
that may take longer (open a camera, start an engine) it writes that call's deadline
instead. Past its word a worker is killed and replaced; no thread beside the loop may
write it, since a thread goes on while the loop hangs.
"""

from __future__ import annotations

import enum
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_S, monotonic_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ooblexd.board import Page

LOOP_S = 1.0
STARVED_S = 2.0  # how much later a worker may come that waits for a processor
FIRST_S = 20.0  # from the fork to the first word: imports on a slow SD card


class WorkerWord(enum.IntEnum):
    """The words of a worker's page; the text is why it ended the last time."""

    # Written by the worker.
    ALIVE_UNTIL_NS = 0
    PSS_BYTES = 1
    # Written by the supervisor.
    STATE = 8
    PID = 9
    RESTARTS = 10
    STATE_SINCE_NS = 11
    ENDING = 12  # of the former life
    LOG_LEVEL = 13  # as `logging` counts; 0: as at its start


class Ending(enum.IntEnum):
    """How the former life of a worker ended, as far as the next one may learn of it."""

    NONE = 0  # there was none
    HUNG = 1  # past its word, and killed for it
    CRASHED = 2  # by itself: a fault, or an exit
    KILLED = 3  # by a signal from outside, the kernel's for want of memory among them


class WorkerState(enum.IntEnum):
    """The states of a worker; `supervisor.states` is the table over them."""

    DOWN = 0
    STARTING = 1
    UP = 2
    STOPPING = 3
    KILLING = 4
    WAITING = 5
    GIVEN_UP = 6


class Heartbeat:
    """The writing side, owned by the worker's loop."""

    def __init__(self, page: Page) -> None:
        self._words = page.words

    def beat(self, within_s: float = LOOP_S) -> None:
        """Promise to be back within ``within_s`` seconds."""
        deadline_ns = monotonic_ns() + int(within_s * NS_PER_S)
        self._words[WorkerWord.ALIVE_UNTIL_NS] = deadline_ns

    @contextmanager
    def foreign_call(self, within_s: float) -> Iterator[None]:
        """Promise more time for the body, and return to the loop's own after it."""
        self.beat(within_s)
        yield
        self.beat()


def is_overdue(
    alive_until_ns: int, now_ns: int, *, wants_processor: bool = False
) -> bool:
    """Say whether a worker has outlived its word.

    Args:
        alive_until_ns: Its word.
        now_ns: Monotonic time.
        wants_processor: It would run if it could. On a machine with too much to do that
            is no hang, and to replace the worker would cost what is lacking.
    """
    grace_ns = int(STARVED_S * NS_PER_S) if wants_processor else 0
    return now_ns > alive_until_ns + grace_ns
