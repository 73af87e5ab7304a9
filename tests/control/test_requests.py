from __future__ import annotations

from ooblexd.board import Board
from ooblexd.control.requests import OTHER, RequestCount, RequestCounts

PATHS = ["/", "/health"]


def test_answers_are_counted_by_method_route_and_status() -> None:
    board = Board()
    counts = RequestCounts(board.page(board.allocate()), PATHS)

    counts.count("GET", "/health", 200)
    counts.count("GET", "/health", 200)
    counts.count("GET", "/health", 503)

    assert counts.read() == [
        RequestCount("GET", "/health", "200", 2),
        RequestCount("GET", "/health", "503", 1),
    ]


def test_counts_go_on_when_control_is_replaced() -> None:
    board = Board()
    page = board.page(board.allocate())
    RequestCounts(page, PATHS).count("GET", "/", 200)

    RequestCounts(page, PATHS).count("GET", "/", 200)

    assert RequestCounts(page, PATHS).read() == [RequestCount("GET", "/", "200", 2)]


def test_what_nobody_serves_is_one_line_however_it_is_called() -> None:
    board = Board()
    counts = RequestCounts(board.page(board.allocate()), PATHS)

    counts.count("BREW", "/wp-admin", 404)
    counts.count("SPY", "/.git", 404)

    assert counts.read() == [RequestCount(OTHER, OTHER, "404", 2)]


def test_a_full_table_still_counts_and_leaves_the_text_alone() -> None:
    board = Board()
    page = board.page(board.allocate())
    page.write_text("why it ended")
    counts = RequestCounts(page, PATHS)

    for status in range(100, 600):
        counts.count("GET", "/", status)

    assert sum(line.answers for line in counts.read()) == 500
    assert counts.read()[-1] == RequestCount(OTHER, OTHER, OTHER, 301)
    assert page.read_text() == "why it ended"
