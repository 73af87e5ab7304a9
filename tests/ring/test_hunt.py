"""A short hunt for wrong frames; ``tools/bench hunt`` is the long one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ooblexd.ring import reader as reader_module
from ooblexd.ring import writer as writer_module
from tests.ring.hunt import Plan, hunt, steps_of
from tests.ring.mutations import change_reader, change_writer, drop

if TYPE_CHECKING:
    from tests.ring.scenarios import Code

pytestmark = [
    # The children run the hunt's code and no other, whatever threads numpy has.
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
    # It ends when enough has happened, which takes as long as it takes.
    pytest.mark.timeout(600),
]


@pytest.mark.parametrize("history", [0, 4], ids=["newest_only", "with_history"])
def test_no_frame_is_wrong_whoever_is_killed_or_stopped(history: int) -> None:
    bag = hunt(Plan(history, frames=3000))

    assert bag.faults == []
    assert bag.frames >= 3000
    assert min(bag.readers_killed, bag.writers_killed) >= 10
    assert min(bag.changes, bag.musters) >= 2


@pytest.mark.parametrize(
    ("code", "history"),
    [
        pytest.param(
            change_writer(
                "if slot != self._latest_slot and slot + 1 not in named",
                "if slot + 1 not in named",
            ),
            0,
            id="a writer takes the newest slot",
        ),
        pytest.param(
            change_writer(
                "return next(slot for slot in claimed if slot + 1 not in named)",
                "return claimed[0]",
            ),
            4,
            id="a writer takes slots that are lent",
        ),
        pytest.param(drop("OBSERVE 2"), 0, id="a reader names no slot"),
        pytest.param(
            change_reader("self._seen = max(seen, self._first)", "self._seen = seen"),
            0,
            id="a reader that moves looks at what is not there",
        ),
    ],
)
def test_a_ring_with_a_fault_gives_wrong_frames(code: Code, history: int) -> None:
    bag = hunt(Plan(history, frames=10**9, most_faults=1, code=code))

    assert "frame" in bag.faults[0]


def test_writers_and_readers_are_stopped_at_each_of_their_steps() -> None:
    writing = steps_of(writer_module, history=0)
    assert {"PUBLISH 2", "PUBLISH 3", "PUBLISH 4", "CLAIM 1", "RESUME 1"} <= set(
        writing
    )
    assert "PUBLISH 1" not in writing
    assert "PUBLISH 1" in steps_of(writer_module, history=1)
    assert {"OBSERVE 3", "WAIT 3"} <= set(steps_of(reader_module, history=0))
    assert {"TAKE 3", "TAKE 5"} <= set(steps_of(reader_module, history=1))
