"""The word by which a worker is known to be alive."""

from __future__ import annotations

from ooblexd.board import Board, Page
from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.heartbeat import LOOP_S, STARVED_S, Heartbeat, WorkerWord, is_overdue


def a_page() -> Page:
    board = Board()
    return board.page(board.allocate())


def alive_for_s(page: Page) -> float:
    return (page.words[WorkerWord.ALIVE_UNTIL_NS] - monotonic_ns()) / NS_PER_S


def test_a_beat_promises_one_round_of_the_loop() -> None:
    page = a_page()

    Heartbeat(page).beat()

    assert LOOP_S - 0.5 < alive_for_s(page) <= LOOP_S


def test_a_foreign_call_gets_its_own_deadline_and_gives_it_back() -> None:
    page = a_page()
    heartbeat = Heartbeat(page)

    with heartbeat.foreign_call(60):
        during_s = alive_for_s(page)

    assert 59 < during_s <= 60
    assert alive_for_s(page) <= LOOP_S


def test_a_worker_is_overdue_only_past_its_word() -> None:
    assert not is_overdue(alive_until_ns=100, now_ns=100)
    assert is_overdue(alive_until_ns=100, now_ns=101)


def test_a_worker_that_waits_for_a_processor_has_more_time() -> None:
    late_ns = int(STARVED_S * NS_PER_S)

    assert not is_overdue(100, 100 + late_ns, wants_processor=True)
    assert is_overdue(100, 101 + late_ns, wants_processor=True)
