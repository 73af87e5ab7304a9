from __future__ import annotations

import pytest

from ooblexd.board import Board, Page
from ooblexd.clock import NS_PER_S
from ooblexd.counters import SourceState, StageCounters, StageWord
from ooblexd.heartbeat import WorkerState
from ooblexd.supervisor.standing import (
    Standing,
    StreamStanding,
    is_any_settled,
    standing_of,
    status_line,
)

NOW_NS = 1_000 * NS_PER_S
UP = WorkerState.UP
DOOR = StreamStanding("door", Standing.LIVE)
YARD = StreamStanding("yard", Standing.DOWN, "no route to host")
ATTIC = StreamStanding("attic", Standing.STARTING)
BARN = StreamStanding("barn", Standing.DOWN)
SHED = StreamStanding("shed", Standing.STOPPED)


def ingest(state: SourceState, reason: str = "", silent_s: int = 0) -> Page:
    board = Board()
    page = board.page(board.allocate())
    StageCounters(page).report(state, reason)
    page.words[StageWord.LAST_FRAME_NS] = NOW_NS - silent_s * NS_PER_S
    return page


@pytest.mark.parametrize(
    ("page", "worker", "standing"),
    [
        (ingest(SourceState.STARTING), WorkerState.STARTING, (Standing.STARTING, "")),
        (ingest(SourceState.STARTING), UP, (Standing.STARTING, "")),
        (ingest(SourceState.RUNNING, "", 1), UP, (Standing.LIVE, "")),
        (ingest(SourceState.WAITING, "for frames"), UP, (Standing.WAITING, "")),
        (ingest(SourceState.DOWN, "no answer"), UP, (Standing.DOWN, "no answer")),
        (ingest(SourceState.DOWN, "no memory"), None, (Standing.DOWN, "no memory")),
        (
            ingest(SourceState.RUNNING, "", 4),
            UP,
            (Standing.DOWN, "the source delivers nothing"),
        ),
        *(
            (
                ingest(SourceState.RUNNING),
                state,
                (Standing.DOWN, "its ingest worker is being restarted"),
            )
            for state in (
                WorkerState.KILLING,
                WorkerState.WAITING,
                WorkerState.GIVEN_UP,
            )
        ),
    ],
)
def test_a_stream_stands_as_its_source_and_its_worker_do(
    page: Page, worker: WorkerState | None, standing: tuple[Standing, str]
) -> None:
    assert standing_of(page, worker, NOW_NS) == standing


@pytest.mark.parametrize("streams", [[], [SHED], [ATTIC, DOOR], [ATTIC, YARD]])
def test_one_stream_that_delivers_or_is_known_to_be_down_settles_it(
    streams: list[StreamStanding],
) -> None:
    assert is_any_settled(streams)


@pytest.mark.parametrize("streams", [[ATTIC], [ATTIC, SHED]])
def test_nothing_is_settled_while_all_are_starting(
    streams: list[StreamStanding],
) -> None:
    assert not is_any_settled(streams)


@pytest.mark.parametrize(
    ("streams", "line"),
    [
        ([], "no streams yet"),
        ([DOOR], "1 stream: 1 live"),
        ([YARD, DOOR], "2 streams: 1 live, 1 down (yard: no route to host)"),
        (
            [DOOR, YARD._replace(reason="off"), ATTIC, SHED, BARN],
            "5 streams: 1 live, 1 starting, 2 down, 1 stopped (yard: off; barn)",
        ),
    ],
)
def test_the_status_is_a_line_that_names_what_is_down(
    streams: list[StreamStanding], line: str
) -> None:
    assert status_line(streams) == line
