from __future__ import annotations

from dataclasses import replace

import pytest

from ooblexd.board import Board, Page
from ooblexd.clock import NS_PER_MS, NS_PER_S, monotonic_ns
from ooblexd.control.readings import Picture, StreamPages, StreamState, WorkerReading
from ooblexd.counters import (
    DropReason,
    SourceState,
    StageCounters,
    StageWord,
    StreamWord,
)
from ooblexd.heartbeat import WorkerState
from ooblexd.layout import StreamLayout


@pytest.fixture
def pages() -> StreamPages:
    board = Board()
    at = [board.allocate() for _ in range(5)]
    layout = StreamLayout("door", "", at[0], at[1], at[2], at[3], at[4], ())
    found = StreamPages(board, layout)
    ingest = found.stages["ingest"]
    ingest.words[StageWord.STATE] = SourceState.RUNNING
    ingest.words[StageWord.LAST_FRAME_NS] = monotonic_ns()
    return found


def workers(**states: WorkerState) -> list[WorkerReading]:
    names = {"ingest": "ingest:door", "inference": "inference:0"}
    return [
        WorkerReading(name, states.get(key, WorkerState.UP), "killed by SIGKILL")
        for key, name in names.items()
    ]


def test_a_stream_that_delivers_is_running_and_live(pages: StreamPages) -> None:
    verdict = pages.judge(workers(), is_enabled=True)

    assert verdict == (StreamState.RUNNING, "", Picture.LIVE)


def test_a_stream_that_is_switched_off_is_stopped(pages: StreamPages) -> None:
    assert pages.judge(workers(), is_enabled=False).state == StreamState.STOPPED


def test_a_source_that_is_down_says_why(pages: StreamPages) -> None:
    ingest = pages.stages["ingest"]
    StageCounters(ingest).report(SourceState.DOWN, "the camera refused the login")

    verdict = pages.judge(workers(), is_enabled=True)

    assert verdict[:2] == (StreamState.DOWN, "the camera refused the login")
    assert verdict.picture == Picture.SLATE


def test_a_source_that_fell_silent_is_down(pages: StreamPages) -> None:
    last_ns = monotonic_ns() - 4 * NS_PER_S
    pages.stages["ingest"].words[StageWord.LAST_FRAME_NS] = last_ns

    verdict = pages.judge(workers(), is_enabled=True)

    assert verdict.state == StreamState.DOWN
    assert verdict.reason == "the source delivers nothing for 4 s"


def test_who_begins_to_look_is_told_how_fast_it_is_now(pages: StreamPages) -> None:
    inference, output = pages.stages["inference"], pages.stages["output"]
    for second in range(14):
        inference.words[StageWord.IS_IDLE] = int(second < 10)
        output.words[StageWord.FRAMES_OUT] += 30 if second >= 10 else 0
        pages.sample(second * NS_PER_S)

    assert pages.rates().fps_out == 30


def test_a_stream_at_rest_is_told_how_fast_it_was(pages: StreamPages) -> None:
    inference, output = pages.stages["inference"], pages.stages["output"]
    for second in range(11):
        inference.words[StageWord.IS_IDLE] = int(second > 5)
        output.words[StageWord.FRAMES_OUT] += 30 if second <= 5 else 0
        pages.sample(second * NS_PER_S)

    assert pages.rates().fps_out == 15


def test_what_nobody_wanted_is_counted_apart_too(pages: StreamPages) -> None:
    StageCounters(pages.stages["inference"]).drop(DropReason.IDLE, 5)
    StageCounters(pages.stages["output"]).drop(DropReason.STALE)

    assert pages.dropped() == 6
    assert pages.dropped_idle() == 5


def test_it_is_told_for_how_long_a_source_is_down(pages: StreamPages) -> None:
    ingest = pages.stages["ingest"]
    ingest.words[StageWord.LAST_FRAME_NS] = 0
    ingest.words[StageWord.STATE_SINCE_NS] = 2 * NS_PER_S
    assert pages.down_for_ns(5 * NS_PER_S) == 3 * NS_PER_S

    ingest.words[StageWord.LAST_FRAME_NS] = 4 * NS_PER_S
    assert pages.down_for_ns(5 * NS_PER_S) == NS_PER_S


def test_a_worker_that_was_given_up_fails_its_stream(pages: StreamPages) -> None:
    found = workers(inference=WorkerState.GIVEN_UP)

    verdict = pages.judge(found, is_enabled=True)

    assert verdict.state == StreamState.FAILED
    assert verdict.reason == "inference:0 was given up: killed by SIGKILL"


def test_a_replaced_inference_worker_leaves_the_stream_covered(
    pages: StreamPages,
) -> None:
    verdict = pages.judge(workers(inference=WorkerState.WAITING), is_enabled=True)

    assert verdict.state == StreamState.RUNNING
    assert verdict.picture == Picture.COVERED
    assert "inference:0 is being restarted" in verdict.reason


def test_a_chain_that_fails_is_named(pages: StreamPages) -> None:
    inference = pages.stages["inference"]
    inference.words[StageWord.FAILING_SINCE_NS] = 1
    inference.words[StageWord.STATE] = SourceState.DOWN
    inference.write_text("blur_faces: no such model")

    verdict = pages.judge(workers(), is_enabled=True)

    assert verdict.reason == "covered: blur_faces: no such model"
    assert verdict.picture == Picture.COVERED


def test_an_effect_that_fails_is_named_where_the_picture_is_shown_without_it(
    pages: StreamPages,
) -> None:
    inference = pages.stages["inference"]
    inference.words[StageWord.FAILING_SINCE_NS] = 1
    inference.words[StageWord.STATE] = SourceState.RUNNING
    inference.write_text("overlay: took 300 ms, at most 200 ms")

    verdict = pages.judge(workers(), is_enabled=True)

    assert verdict.reason == (
        "shown without an effect that fails: overlay: took 300 ms, at most 200 ms"
    )
    assert verdict.picture == Picture.LIVE


def test_a_new_chain_that_is_not_warm_is_covered(pages: StreamPages) -> None:
    pages.stream.words[StreamWord.REQUIRED_REVISION] = 2

    verdict = pages.judge(workers(), is_enabled=True)

    assert verdict.picture == Picture.COVERED


def test_rates_are_over_the_last_ten_seconds(pages: StreamPages) -> None:
    for second in range(20):
        count(pages.stages["ingest"], 30, 1)
        count(pages.stages["output"], 15, 500 if second < 9 else 45)
        pages.sample(second * NS_PER_S)

    rates = pages.rates()

    assert rates.fps_in == pytest.approx(30)
    assert rates.fps_out == pytest.approx(15)
    assert rates.age_p99_ms is not None
    assert 40 <= rates.age_p99_ms <= 50  # what was slow is over ten seconds ago


def test_another_plan_keeps_the_numbers_and_other_pages_do_not(
    pages: StreamPages,
) -> None:
    for second in range(3):
        count(pages.stages["output"], 15, 45)
        pages.sample(second * NS_PER_S)
    workers = ("ingest:door", "inference:0")

    assert pages.take(replace(pages.layout, plan="another", workers=workers))
    assert pages.layout.workers == workers
    assert pages.rates().fps_out == pytest.approx(15)
    assert not pages.take(replace(pages.layout, output_page=99))


def count(page: Page, frames: int, age_ms: int) -> None:
    counters = StageCounters(page)
    counters.add(StageWord.FRAMES_OUT, frames)
    counters.observe(StageWord.AGE, age_ms * NS_PER_MS)
