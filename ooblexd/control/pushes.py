"""How the pushes of a stream are, read off its page of the board."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from ooblexd.clock import NS_PER_S
from ooblexd.control.answers import PushReport, PushWay
from ooblexd.counters import PUSH_WORDS, PushState, PushWord
from ooblexd.heartbeat import WorkerState
from ooblexd.pushes.url import MOST_PUSHES, names_of, number_of

if TYPE_CHECKING:
    from ooblexd.board import Page
    from ooblexd.control.readings import WorkerReading
    from ooblexd.plan import StreamPlan


class PushReading(NamedTuple):
    """One push as the board tells it.

    Attributes:
        name: Where it goes, as it may be shown; no two of a stream are alike.
        state: What it does; `NONE` where output has not said so yet.
        since_ns: Since when, monotonic time.
        reason: Why, where that is not plain.
        sent: Pictures.
        dropped: Likewise.
    """

    name: str
    state: PushState
    since_ns: int
    reason: str
    sent: int
    dropped: int

    @property
    def is_down(self) -> bool:
        """Whether it does not get through, and that was noticed."""
        return self.state in (PushState.WAITING, PushState.FAILED) or (
            # While it is tried again the reason of the last time stands.
            self.state == PushState.CONNECTING and bool(self.reason)
        )


def read_pushes(plan: StreamPlan, page: Page) -> list[PushReading]:
    """Return how each push of a plan is, in its order."""
    rows = {
        page.words[place * PUSH_WORDS + PushWord.WHICH]: place
        for place in range(MOST_PUSHES)
    }
    names = names_of(push.url for push in plan.push)
    return [
        _read(page, rows.get(number_of(push)), name)
        for push, name in zip(plan.push, names, strict=True)
    ]


def carried_by(worker: WorkerReading, push: PushReading) -> PushReading:
    """Return how a push is, now that its output worker is so: a dead one says nothing.

    What stands on the board is then what it said last.
    """
    if worker.state == WorkerState.UP:
        return push
    if worker.state == WorkerState.STARTING:
        return push._replace(state=PushState.CONNECTING)
    reason = f"{worker.name} is being restarted"
    return push._replace(state=PushState.WAITING, reason=reason)


def report_of(push: PushReading, now_ns: int) -> PushReport:
    """Return a push as the API tells it.

    Args:
        push: As it was read.
        now_ns: Monotonic time of that.
    """
    since = None
    if push.since_ns:
        wall = time.time() - (now_ns - push.since_ns) / NS_PER_S
        moment = datetime.fromtimestamp(wall, timezone.utc)
        since = moment.isoformat(timespec="seconds").replace("+00:00", "Z")
    state = PushWay.CONNECTING
    if push.state != PushState.NONE:
        state = PushWay(push.state.name.lower())
    return PushReport(push.name, state, since, push.reason, push.sent, push.dropped)


def _read(page: Page, place: int | None, name: str) -> PushReading:
    if place is None:
        return PushReading(name, PushState.NONE, 0, "", 0, 0)
    row = page.words[place * PUSH_WORDS : (place + 1) * PUSH_WORDS]
    return PushReading(
        name,
        PushState(row[PushWord.STATE]),
        row[PushWord.SINCE_NS],
        page.read_text(place),
        row[PushWord.SENT],
        row[PushWord.DROPPED],
    )
