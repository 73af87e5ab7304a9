from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING

import pytest

from ooblexd.board import Board
from ooblexd.counters import DemandWord, StageWord
from ooblexd.stages.demand import Demand

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ooblexd.board import Page


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def page(board: Board) -> Page:
    return board.page(board.allocate())


@pytest.fixture
def output(board: Board) -> Page:
    return board.page(board.allocate())


@pytest.fixture
def ingest(board: Board) -> Page:
    return board.page(board.allocate())


@pytest.fixture
def demand(page: Page, output: Page, ingest: Page) -> Iterator[Demand]:
    made = Demand(page, output, ingest, os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))
    yield made
    made.close()


def is_woken(demand: Demand) -> bool:
    return bool(select.select([demand.wake_fd], [], [], 0)[0])


def test_a_viewer_is_demand_until_it_leaves(page: Page, demand: Demand) -> None:
    assert not demand.is_watched(now_ns=1)

    page.words[DemandWord.VIEWERS] = 1
    assert demand.is_watched(now_ns=1)

    page.words[DemandWord.VIEWERS] = 0
    assert not demand.is_watched(now_ns=1)


def test_a_push_is_demand_for_as_long_as_it_is_configured(
    output: Page, demand: Demand
) -> None:
    output.words[StageWord.PUSHES] = 1

    assert demand.is_watched(now_ns=1)


def test_a_snapshot_is_demand_for_as_long_as_it_waits(
    page: Page, demand: Demand
) -> None:
    page.words[DemandWord.JPEG_WANTED_UNTIL_NS] = 100

    assert demand.is_watched(now_ns=99)
    assert not demand.is_watched(now_ns=100)


def test_a_wake_up_ends_with_the_look_and_the_next_one_comes(demand: Demand) -> None:
    os.eventfd_write(demand.wake_fd, 3)
    assert is_woken(demand)

    demand.is_watched(now_ns=1)

    assert not is_woken(demand)
    os.eventfd_write(demand.wake_fd, 1)
    assert is_woken(demand)


def test_who_watches_by_webrtc_is_demand_but_wants_no_jpeg(
    page: Page, output: Page, demand: Demand
) -> None:
    page.words[DemandWord.PEER_WANTED_UNTIL_NS] = 100
    assert demand.is_watched(now_ns=99)
    assert not demand.is_watched(now_ns=100)

    output.words[StageWord.PEERS] = 1
    assert demand.is_watched(now_ns=100)
    assert not demand.wants_jpeg(now_ns=100)
