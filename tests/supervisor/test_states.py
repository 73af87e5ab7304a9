from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ooblexd.supervisor.states import TABLE, Action, Event, WorkerState, step

WITH_PROCESS = {
    WorkerState.STARTING,
    WorkerState.UP,
    WorkerState.STOPPING,
    WorkerState.KILLING,
}


@pytest.mark.parametrize(("state", "event"), list(product(WorkerState, Event)))
def test_a_pair_is_in_the_table_or_it_raises(state: WorkerState, event: Event) -> None:
    if (state, event) in TABLE:
        assert step(state, event) == TABLE[state, event]
    else:
        with pytest.raises(ValueError, match=f"{state.name} by {event.name}"):
            step(state, event)


@pytest.mark.parametrize("state", [s for s in WorkerState if s is not WorkerState.DOWN])
def test_a_worker_can_be_stopped_in_every_state(state: WorkerState) -> None:
    after, _ = step(state, Event.STOP)

    has_process = state in WITH_PROCESS
    assert after is (WorkerState.STOPPING if has_process else WorkerState.DOWN)


@given(st.lists(st.sampled_from([Event.READY, Event.OVERDUE, Event.STOP])))
def test_a_stopped_worker_is_down_once_it_has_exited(events: list[Event]) -> None:
    state = WorkerState.STOPPING
    for event in events:
        state, _ = step(state, event)

    state, actions = step(state, Event.EXITED)

    assert state is WorkerState.DOWN
    assert actions == (Action.RELEASE, Action.FORGET)


@pytest.mark.parametrize("event", list(Event))
def test_nothing_forks_a_worker_that_is_not_wanted(event: Event) -> None:
    found = TABLE.get((WorkerState.STOPPING, event))

    assert found is None or Action.FORK not in found[1]


class LifeOfAWorker(RuleBasedStateMachine):
    """A process that does whatever a process can do, and the table that follows it."""

    def __init__(self) -> None:
        super().__init__()
        self.state = WorkerState.DOWN
        self.is_wanted = False
        self.has_process = False
        self.has_said_ready = False
        self.has_deadline = False
        self.is_backing_off = False

    def take(self, event: Event) -> None:
        self.state, actions = step(self.state, event)
        for action in actions:
            self.perform(action)
        assert self.has_process == (self.state in WITH_PROCESS)
        assert self.is_wanted or self.state in {WorkerState.DOWN, WorkerState.STOPPING}

    def perform(self, action: Action) -> None:
        match action:
            case Action.FORK:
                assert self.is_wanted
                assert not self.has_process, "two processes with the same rings"
                self.has_process, self.has_said_ready = True, False
                self.is_backing_off = False
                self.has_deadline = True  # its word
            case Action.TERMINATE | Action.KILL:
                assert self.has_process, "a signal for nobody"
                self.has_deadline = True
            case Action.RELEASE:
                assert not self.has_process, "released while it may still read"
            case Action.ABANDON:
                self.has_process = False  # the kernel's from here
            case Action.BACK_OFF:
                assert self.is_wanted
                self.is_backing_off = True
            case Action.FORGET:
                assert not self.has_process

    @precondition(lambda self: self.state is WorkerState.DOWN)
    @rule()
    def start(self) -> None:
        self.is_wanted = True
        self.take(Event.START)

    @precondition(lambda self: self.has_process and not self.has_said_ready)
    @rule()
    def say_ready(self) -> None:
        self.has_said_ready = True
        self.take(Event.READY)

    @precondition(lambda self: self.has_process and self.has_deadline)
    @rule()
    def outlive_a_deadline(self) -> None:
        self.take(Event.OVERDUE)

    @precondition(lambda self: self.has_process)
    @rule()
    def exit(self) -> None:
        self.has_process = False
        self.take(Event.EXITED)

    @precondition(lambda self: self.is_backing_off)
    @rule()
    def reach_the_end_of_the_pause(self) -> None:
        self.take(Event.TIMER)

    @precondition(lambda self: self.state is WorkerState.WAITING)
    @rule()
    def die_too_often(self) -> None:
        self.take(Event.EXHAUSTED)

    @precondition(lambda self: self.state is not WorkerState.DOWN)
    @rule()
    def stop(self) -> None:
        self.is_wanted = self.is_backing_off = False
        self.take(Event.STOP)


def test_whatever_a_process_does_the_table_follows_it() -> None:
    run_state_machine_as_test(
        LifeOfAWorker,
        settings=settings(max_examples=60, stateful_step_count=25, deadline=None),
    )
