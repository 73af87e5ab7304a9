from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ooblexd.board import Board
from ooblexd.clock import NS_PER_S
from ooblexd.counters import SourceState, StageCounters, StageWord
from ooblexd.heartbeat import WorkerWord
from ooblexd.plan import StreamPlan
from ooblexd.supervisor.notify import Notifier
from ooblexd.supervisor.report import CONTROL_LOST_NS, Report
from ooblexd.supervisor.states import Event
from ooblexd.supervisor.streams import Streams
from tests.support.systemd_socket import NotifySocket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WATCHDOG_NS = 20 * NS_PER_S
DOOR = StreamPlan("door", "demo:")


class Told:
    """A report over streams whose workers have no processes, and what systemd hears.

    Args:
        socket: That hears.
        plans: Of the streams.
    """

    def __init__(self, socket: NotifySocket, *plans: StreamPlan) -> None:
        self.board = Board()
        self.streams = Streams(self.board, self.board.allocate(), 1, lambda _: None)
        self.report = Report(
            Notifier(socket.address, WATCHDOG_NS), self.board, self.streams
        )
        self.now_ns = 1_000 * NS_PER_S
        self._socket = socket
        self.streams.start(plans)

    def control_comes_up(self) -> None:
        self.streams.workers.step(self.streams.workers["control"], Event.READY)
        self.control_beats_for(1)

    def control_beats_for(self, seconds: int) -> None:
        words = self.streams.workers["control"].page.words
        words[WorkerWord.ALIVE_UNTIL_NS] = self.now_ns + seconds * NS_PER_S

    def source_says(self, state: SourceState, reason: str = "") -> None:
        page = self.board.page(next(iter(self.streams)).pages.ingest)
        StageCounters(page).report(state, reason)
        page.words[StageWord.LAST_FRAME_NS] = self.now_ns

    def after(self, seconds: float) -> list[str]:
        """Come round once, later; return what systemd heard."""
        self.now_ns += int(seconds * NS_PER_S)
        self.report.turn(self.now_ns)
        return self._socket.heard()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[NotifySocket]:
    with NotifySocket(tmp_path / "notify") as listening:
        yield listening


@pytest.fixture
def door(systemd: NotifySocket) -> Iterator[Told]:
    told = Told(systemd, DOOR)
    yield told
    told.streams.close()


@pytest.fixture
def ready(door: Told) -> Told:
    door.control_comes_up()
    door.source_says(SourceState.RUNNING)
    assert "READY=1" in door.after(1)
    return door


def test_without_streams_it_is_ready_as_soon_as_control_answers(
    systemd: NotifySocket,
) -> None:
    told = Told(systemd)
    assert "READY=1" not in told.after(1)

    told.control_comes_up()

    assert told.after(1) == ["READY=1"]


@pytest.mark.parametrize("state", [SourceState.RUNNING, SourceState.DOWN])
def test_it_is_ready_when_a_source_delivers_or_is_known_to_be_down(
    door: Told, state: SourceState
) -> None:
    door.control_comes_up()
    assert "READY=1" not in door.after(0.9)

    door.source_says(state, "no route to host" if state is SourceState.DOWN else "")

    door.control_beats_for(2)
    assert "READY=1" in door.after(1)
    assert "READY=1" not in door.after(1)


def test_it_is_not_ready_while_control_is_not(door: Told) -> None:
    door.source_says(SourceState.RUNNING)

    assert "READY=1" not in door.after(1)


def test_the_status_is_told_when_it_changes(ready: Told) -> None:
    assert ready.after(1) == []

    ready.source_says(SourceState.DOWN, "no route to host")

    assert ready.after(1) == ["STATUS=1 stream: 1 down (door: no route to host)"]


def test_the_watchdog_is_fed_several_times_within_its_period(ready: Told) -> None:
    ready.source_says(SourceState.DOWN, "a dead camera changes nothing")
    fed = 0
    for _ in range(40):
        ready.control_beats_for(2)
        fed += ready.after(0.5).count("WATCHDOG=1")

    assert fed in (3, 4, 5)


def test_it_is_not_fed_any_more_once_control_does_not_come_back(ready: Told) -> None:
    ready.after(5)
    assert "WATCHDOG=1" in ready.after(CONTROL_LOST_NS / NS_PER_S - 10)
    assert "WATCHDOG=1" not in ready.after(10)

    ready.control_beats_for(10)

    assert "WATCHDOG=1" in ready.after(5)


def test_it_is_fed_while_control_ends_with_everything_else(ready: Told) -> None:
    ready.report.stopping()

    heard = ready.after(2 * CONTROL_LOST_NS / NS_PER_S)
    assert heard == ["STOPPING=1", "STATUS=stopping", "WATCHDOG=1"]


def test_a_reload_begins_and_ends(ready: Told) -> None:
    ready.report.reloading()
    ready.report.reloaded()

    reloading, done = ready.after(0)
    assert reloading.startswith("RELOADING=1\n")
    assert done == "READY=1"


def test_why_a_reload_changed_nothing_stays_in_the_status(ready: Told) -> None:
    ready.report.reloading()
    ready.report.reloaded("ooblexd.toml:3: no valid TOML")

    fault = "not reloaded: ooblexd.toml:3: no valid TOML"
    assert ready.after(0)[1:] == ["READY=1", f"STATUS={fault}; 1 stream: 1 live"]

    ready.report.reloaded()

    assert ready.after(0) == ["READY=1", "STATUS=1 stream: 1 live"]


def test_a_reload_during_the_start_is_not_taken_for_its_end(door: Told) -> None:
    door.report.reloading()
    door.report.reloaded()

    assert door.after(0) == ["STATUS=1 stream: 1 starting", "WATCHDOG=1"]
