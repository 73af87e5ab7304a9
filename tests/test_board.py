"""The board of pages that outlive their writers."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.board import MOST_TEXTS, PAGES, TEXT_BYTES, Board


def test_a_page_reads_as_its_child_process_wrote_it() -> None:
    board = Board()
    index = board.allocate()

    pid = os.fork()
    if pid == 0:
        board.page(index).words[7] = 2**64 - 1
        board.page(index).write_text("from the child")
        os._exit(0)
    os.waitpid(pid, 0)

    assert board.page(index).words[7] == 2**64 - 1
    assert board.page(index).read_text() == "from the child"


def test_what_a_killed_worker_wrote_stays() -> None:
    board = Board()
    index = board.allocate()

    pid = os.fork()
    if pid == 0:
        board.page(index).words[0] = 41
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)

    assert board.page(index).words[0] == 41


def test_no_two_pages_share_a_word() -> None:
    board = Board()
    first, second = (board.page(board.allocate()) for _ in range(2))

    first.words[-1] = first.words[0] = 1
    second.words[-1] = second.words[0] = 2

    assert (first.words[0], first.words[-1]) == (1, 1)


def test_a_page_holds_texts_side_by_side() -> None:
    board = Board()
    page = board.page(board.allocate())
    for place in range(MOST_TEXTS):
        page.write_text(str(place) * TEXT_BYTES, place)
    page.words[0] = 1

    texts = [page.read_text(place) for place in range(MOST_TEXTS)]
    assert texts == [str(place) * TEXT_BYTES for place in range(MOST_TEXTS)]


def test_a_page_taken_again_is_empty() -> None:
    board = Board()
    index = board.allocate()
    board.page(index).words[3] = 9
    board.page(index).write_text("the stream before")
    board.free(index)

    assert index in [board.allocate() for _ in range(PAGES)]
    assert board.page(index).words[3] == 0
    assert not board.page(index).read_text()


def test_a_page_just_given_back_is_not_the_next_one_taken() -> None:
    board = Board()
    index = board.allocate()

    board.free(index)

    assert board.allocate() != index


def test_a_board_that_is_full_says_so() -> None:
    board = Board()
    for _ in range(PAGES):
        board.allocate()

    with pytest.raises(RuntimeError, match=f"all {PAGES} pages"):
        board.allocate()


BOARD = Board()
PAGE = BOARD.page(BOARD.allocate())


@given(st.text(max_size=2 * TEXT_BYTES))
def test_a_text_is_read_as_it_was_written_up_to_its_limit(text: str) -> None:
    PAGE.write_text(text)

    told = PAGE.read_text()

    shown = text.encode("utf-8", "replace").decode()
    assert shown.startswith(told)
    assert told == shown or len(told.encode()) > TEXT_BYTES - 4


def test_a_text_is_never_read_half_written() -> None:
    """A writer changes the text without pause while it is read 3000 times."""
    board = Board()
    page = board.page(board.allocate())
    texts = ["a" * TEXT_BYTES, "b" * 13, "c" * 200]
    pid = os.fork()
    if pid == 0:
        while True:
            for text in texts:
                page.write_text(text)

    try:
        told = {page.read_text() for _ in range(3000)}
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    assert told <= {"", *texts}
