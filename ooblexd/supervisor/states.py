"""The life of a worker, as a table.

Rules of this file: all transitions are here; a pair that is not listed cannot happen,
and `step` says so; nothing here reads a clock, sends a signal or forks. The supervisor
performs the actions in their order and brings the events.

Theory: a worker is *wanted* from START to STOP. While it is wanted, whatever ends it
leads to WAITING and from there to the next life. KILLING is its own state because
SIGKILL is not instant: rings may be handed on only once ``waitpid`` has returned the
process (RELEASE), or, where the kernel does not let it die, after they were abandoned
(ABANDON) and new ones made.
"""

from __future__ import annotations

import enum

from ooblexd.heartbeat import WorkerState

__all__ = ["TABLE", "Action", "Event", "WorkerState", "step"]


class Event(enum.Enum):
    """What happens to a worker."""

    START = "start"  # it is wanted
    READY = "ready"  # it says that it does its work
    OVERDUE = "overdue"  # past its word, or past the deadline of a signal
    EXITED = "exited"  # waitpid has returned it
    TIMER = "timer"  # the pause before its next life is over
    EXHAUSTED = "exhausted"  # it dies too often
    STOP = "stop"  # it is not wanted any more


class Action(enum.Enum):
    """What the supervisor then does."""

    FORK = "fork"
    TERMINATE = "terminate"  # SIGTERM, and a deadline
    KILL = "kill"  # SIGKILL to its group, and a deadline
    RELEASE = "release"  # clear its places in the rings
    ABANDON = "abandon"  # leave its rings to it, make new ones
    BACK_OFF = "back_off"  # set the timer of the next life
    FORGET = "forget"  # nobody wants it: drop it


_DOWN, _STARTING, _UP = WorkerState.DOWN, WorkerState.STARTING, WorkerState.UP
_STOPPING, _KILLING = WorkerState.STOPPING, WorkerState.KILLING
_WAITING, _GIVEN_UP = WorkerState.WAITING, WorkerState.GIVEN_UP

TABLE: dict[tuple[WorkerState, Event], tuple[WorkerState, tuple[Action, ...]]] = {
    (_DOWN, Event.START): (_STARTING, (Action.FORK,)),
    (_STARTING, Event.READY): (_UP, ()),
    (_STARTING, Event.OVERDUE): (_KILLING, (Action.KILL,)),
    (_STARTING, Event.EXITED): (_WAITING, (Action.RELEASE, Action.BACK_OFF)),
    (_STARTING, Event.STOP): (_STOPPING, (Action.TERMINATE,)),
    (_UP, Event.OVERDUE): (_KILLING, (Action.KILL,)),
    (_UP, Event.EXITED): (_WAITING, (Action.RELEASE, Action.BACK_OFF)),
    (_UP, Event.STOP): (_STOPPING, (Action.TERMINATE,)),
    (_KILLING, Event.READY): (_KILLING, ()),
    (_KILLING, Event.EXITED): (_WAITING, (Action.RELEASE, Action.BACK_OFF)),
    (_KILLING, Event.OVERDUE): (_WAITING, (Action.ABANDON, Action.BACK_OFF)),
    (_KILLING, Event.STOP): (_STOPPING, (Action.KILL,)),
    (_WAITING, Event.TIMER): (_STARTING, (Action.FORK,)),
    (_WAITING, Event.EXHAUSTED): (_GIVEN_UP, ()),
    (_WAITING, Event.STOP): (_DOWN, (Action.FORGET,)),
    (_GIVEN_UP, Event.TIMER): (_STARTING, (Action.FORK,)),
    (_GIVEN_UP, Event.STOP): (_DOWN, (Action.FORGET,)),
    (_STOPPING, Event.READY): (_STOPPING, ()),
    (_STOPPING, Event.STOP): (_STOPPING, ()),
    (_STOPPING, Event.OVERDUE): (_STOPPING, (Action.KILL,)),
    (_STOPPING, Event.EXITED): (_DOWN, (Action.RELEASE, Action.FORGET)),
}


def step(state: WorkerState, event: Event) -> tuple[WorkerState, tuple[Action, ...]]:
    """Return the state after ``event`` and what is to be done.

    Raises:
        ValueError: The pair is not in the table: a bug in the supervisor.
    """
    try:
        return TABLE[state, event]
    except KeyError:
        raise ValueError(f"no transition from {state.name} by {event.name}") from None
