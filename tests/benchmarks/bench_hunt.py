"""Is there a wrong frame in a million, whoever is killed?

Question: does a reader ever borrow a frame that is torn, stale, out of order, or
overwritten while it is lent; does one ever sleep over a frame?

Setup: ``tests/ring/hunt.py``. A writer and several readers, each a process, on one ring
with frames of 64 KiB and more, as fast as they can. Each is stopped at steps of the
ring's own code and at any other moment, and there sent on or killed with SIGKILL, and
replaced at the same place; slots change their size under load.

Formula: ``frames`` are those that readers checked, each by CRC-32 over all of it, by
its sequence, and by how many were passed over; a frame on which its reader was stopped
is checked again. ``wrong`` are those that failed, and 1 if a reader still slept
after a minute of silence. ``steps`` are the different steps of the
code at which somebody was killed.

Left out: reordering that the processor does not do here (``tests/ring/explorer.py`` has
it all); a supervisor that dies; memory that runs out.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.ring.hunt import Plan, hunt

if TYPE_CHECKING:
    from collections.abc import Iterator

_CALM_FRAMES = 400


class Row(NamedTuple):
    """One line of the table."""

    ring: str
    readers: int
    frames: int
    wrong: int
    readers_killed: int
    writers_killed: int
    steps: int
    ring_changes: int
    musters: int
    seconds: float
    faults: list[str]


def run(frames: int = 260_000) -> Iterator[Row]:
    """Check so many frames in each of four rings."""
    for history in (0, 8):
        for readers in (2, 5):
            plan = Plan(history, readers, frames, calm_frames=_CALM_FRAMES)
            yield _row(plan)


def _row(plan: Plan) -> Row:
    start_s = time.monotonic()
    bag = hunt(plan)
    return Row(
        f"history {plan.history}" if plan.history else "newest only",
        plan.readers,
        bag.frames,
        len(bag.faults),
        bag.readers_killed,
        bag.writers_killed,
        len(bag.killed_at),
        bag.changes,
        bag.musters,
        time.monotonic() - start_s,
        bag.faults,
    )


@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_the_hunt_can_be_measured() -> None:
    row = _row(Plan(0, readers=1, frames=100, kills=1, changes=0))

    assert row.wrong == 0
    assert row.frames >= 100
