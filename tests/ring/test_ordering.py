"""The ring under every schedule; ``OOBLEXD_EXPLORE=deep`` widens the bound."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ooblexd.ring
from ooblexd.ring import spec as spec_module
from tests.ring import scenarios
from tests.ring.automata import LABEL
from tests.ring.explorer import Found, Model, Scenario, explore
from tests.ring.memories import Sequential, StoreBuffers, Weak
from tests.ring.mutations import change_reader, change_writer, drop, weaken
from tests.ring.scenarios import Code

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[[Code], Scenario]

IS_DEEP = os.environ.get("OOBLEXD_EXPLORE") == "deep"
MODELS = [Sequential, StoreBuffers, Weak]


def _id(value: object) -> str:
    if isinstance(value, functools.partial):
        return f"{value.func.__name__}_{'_'.join(value.keywords)}"
    return getattr(value, "__name__", None) or str(value)


SCENARIOS = [
    scenarios.overwriting,
    scenarios.lending_again,
    scenarios.attaching,
    functools.partial(scenarios.attaching, history=1),
    scenarios.catching_up,
    scenarios.waiting,
    functools.partial(scenarios.waiting, history=1),
    scenarios.writer_dies,
    functools.partial(scenarios.writer_dies, history=1),
    scenarios.reader_dies,
    functools.partial(scenarios.reader_dies, history=1),
]


@pytest.mark.parametrize("model", MODELS, ids=_id)
@pytest.mark.parametrize("make", SCENARIOS, ids=_id)
def test_no_schedule_breaks_a_promise(make: Make, model: Model) -> None:
    assert explore(make(Code()), model) > 100


@pytest.mark.parametrize("model", [Sequential, StoreBuffers], ids=_id)
def test_no_schedule_of_three_in_a_ring_with_history_breaks_a_promise(
    model: Model,
) -> None:
    assert explore(scenarios.in_order(Code()), model) > 100


@pytest.mark.skipif(not IS_DEEP, reason="minutes long: set OOBLEXD_EXPLORE=deep")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("make", "model"),
    [
        (functools.partial(scenarios.overwriting, publishes=4), Sequential),
        (functools.partial(scenarios.overwriting, publishes=4), StoreBuffers),
        (functools.partial(scenarios.overwriting, borrows=(2, 1)), Weak),
        (scenarios.in_order, Weak),
        (scenarios.both_in_order, Sequential),
        (scenarios.both_in_order, StoreBuffers),
    ],
    ids=_id,
)
def test_no_schedule_within_the_deep_bound_breaks_a_promise(
    make: Make, model: Model
) -> None:
    assert explore(make(Code()), model) > 100


_CLAIM = """        for slot in claimed:
            if sequences[slot]:
                words.store(self._spec.sequence_at(slot), 0)  # CLAIM 2: see TAKE 5
                sequences[slot] = 0
        words.fence()  # CLAIM 3: pairs with TAKE 4
"""
_SCAN = "        named = self._named()\n"
SCAN_FIRST = change_writer(_CLAIM + _SCAN, _SCAN + _CLAIM)

# What spec.py calls needed: what is removed, where it shows, on which memory.
NEEDED: list[tuple[str, Code, Make, Model]] = [
    ("a frame is whole", weaken("PUBLISH 2"), scenarios.lending_again, Weak),
    ("PUBLISH 3, slots", drop("PUBLISH 3"), scenarios.lending_again, StoreBuffers),
    ("PUBLISH 3, waking", drop("PUBLISH 3"), scenarios.waiting, StoreBuffers),
    ("OBSERVE 2 releases", weaken("OBSERVE 2"), scenarios.lending_again, Weak),
    ("OBSERVE 3", drop("OBSERVE 3"), scenarios.lending_again, StoreBuffers),
    (
        "OBSERVE 4 looks again",
        change_reader("if again == latest:", "if True:"),
        scenarios.lending_again,
        Sequential,
    ),
    (
        "OBSERVE 4 compares all of the word",
        change_reader("if again == latest:", "if slot_of(again) == slot_of(latest):"),
        scenarios.lending_again,
        Sequential,
    ),
    (
        "the newest is not taken",
        change_writer(
            "if slot != self._latest_slot and slot + 1 not in named",
            "if slot + 1 not in named",
        ),
        scenarios.lending_again,
        Sequential,
    ),
    ("RELEASE 1 releases", weaken("RELEASE 1"), scenarios.lending_again, Weak),
    ("CLAIM 2", drop("CLAIM 2"), scenarios.catching_up, Sequential),
    (
        "claim, then scan",
        SCAN_FIRST,
        scenarios.catching_up,
        Sequential,
    ),
    ("CLAIM 3", drop("CLAIM 3"), scenarios.catching_up, StoreBuffers),
    (
        "one more than readers are claimed",
        change_writer("self._spec.readers + 1]", "self._spec.readers]"),
        scenarios.catching_up,
        Sequential,
    ),
    (
        "history is not claimed",
        change_writer("self._spec.readers + 1]", "self._spec.readers + 2]"),
        scenarios.catching_up,
        Sequential,
    ),
    ("TAKE 1 acquires", weaken("TAKE 1"), scenarios.catching_up, Weak),
    ("TAKE 2 acquires", weaken("TAKE 2"), scenarios.catching_up, Weak),
    ("TAKE 3 releases", weaken("TAKE 3"), scenarios.catching_up, Weak),
    ("TAKE 4", drop("TAKE 4"), scenarios.catching_up, StoreBuffers),
    (
        "TAKE 5 looks again",
        change_reader(
            "if words.load(self._spec.sequence_at(slot)) == sequence:", "if True:"
        ),
        scenarios.catching_up,
        Sequential,
    ),
    (
        "TAKE 6 looks again",
        change_reader("if words.load(LATEST_AT) == latest:", "if True:"),
        scenarios.catching_up,
        Sequential,
    ),
    ("WAIT 2", drop("WAIT 2"), scenarios.waiting, StoreBuffers),
    (
        "WAIT 3 looks again",
        change_reader(
            "if sequence_of(words.load(LATEST_AT)) <= self._seen:", "if True:"
        ),
        scenarios.waiting,
        Sequential,
    ),
    (
        "RESUME 3",
        drop("RESUME 3"),
        functools.partial(scenarios.writer_dies, history=1),
        Sequential,
    ),
    ("RESUME 4", drop("RESUME 4"), scenarios.writer_dies, Weak),
    ("clear after waitpid", Code(), scenarios.clearing_is_hasty, Sequential),
    ("replace after waitpid", Code(), scenarios.writer_is_hasty, Sequential),
]


@pytest.mark.parametrize(
    ("code", "make", "model"),
    [pytest.param(*case, id=name) for name, *case in NEEDED],
)
def test_each_order_that_is_called_needed_is_missed_when_it_is_gone(
    code: Code, make: Make, model: Model
) -> None:
    with pytest.raises(Found):
        explore(make(code), model)


@pytest.mark.parametrize("label", ["PUBLISH 3", "OBSERVE 3", "CLAIM 3", "TAKE 4"])
def test_a_missing_fence_does_not_show_without_reordering(label: str) -> None:
    make = (
        scenarios.lending_again
        if label in {"PUBLISH 3", "OBSERVE 3"}
        else scenarios.catching_up
    )

    assert explore(make(drop(label)), Sequential) > 100


SPARE = frozenset(
    {
        *("PUBLISH 1", "PUBLISH 4", "OBSERVE 1", "OBSERVE 4", "CLAIM 1", "CLAIM 2"),
        *("TAKE 5", "TAKE 6", "WAIT 1", "WAIT 3", "WAIT 4", "WAIT 5"),
        *("ATTACH 1", "ATTACH 2", "RESUME 1", "RESUME 2", "RESUME 3"),
    }
)


_WITH_HISTORY = functools.partial(scenarios.attaching, history=1)
_DEATH = functools.partial(scenarios.writer_dies, history=1)
# Where each of them is performed.
SPARE_IN: dict[str, list[Make]] = {
    "PUBLISH": [_WITH_HISTORY, scenarios.waiting],
    "OBSERVE": [scenarios.lending_again, scenarios.attaching],
    "CLAIM": [_WITH_HISTORY, scenarios.lending_again],
    "TAKE": [_WITH_HISTORY],
    "WAIT": [scenarios.waiting, functools.partial(scenarios.waiting, history=1)],
    "ATTACH": [scenarios.attaching, _WITH_HISTORY],
    "RESUME": [scenarios.writer_dies, _DEATH],
}


@pytest.mark.parametrize("label", sorted(SPARE))
def test_an_order_that_is_called_spare_is_not_missed(label: str) -> None:
    makes = SPARE_IN[label.split(maxsplit=1)[0]]
    if IS_DEEP and label.startswith(("CLAIM", "TAKE")):
        makes = [*makes, scenarios.catching_up]

    for make in makes:
        assert explore(make(weaken(label)), Weak) > 100


def test_every_operation_has_a_label_that_spec_explains() -> None:
    folder = Path(ooblexd.ring.__file__).parent
    labels = set()
    for name in ("writer.py", "reader.py", "control.py"):
        labels |= set(LABEL.findall((folder / name).read_text()))
    explained = spec_module.__doc__ or ""
    parts = {label.split()[0] for label in labels}

    assert {"PUBLISH", "OBSERVE", "CLAIM", "TAKE", "WAIT", "RESUME"} <= parts
    mentioned = set(re.findall(r"\b([A-Z]{4,} \d)\b", explained))
    assert mentioned <= labels, "spec.py speaks of steps that are not there"
    ordered = labels - SPARE - {"RELEASE 2"}  # of a damaged page
    assert ordered <= mentioned


def test_a_schedule_is_told_step_by_step() -> None:
    with pytest.raises(Found, match=r"overwritten while it is read\n.*writer 1: "):
        explore(scenarios.clearing_is_hasty(Code()), Sequential)
