"""Counters and histograms on a page."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ooblexd.board import Board, Page
from ooblexd.clock import NS_PER_MS, NS_PER_S
from ooblexd.counters import (
    BUCKETS_S,
    DropReason,
    Histogram,
    SourceState,
    StageCounters,
    StageWord,
    read_histogram,
)

DURATIONS_NS = st.lists(st.integers(0, 20 * NS_PER_S), min_size=1, max_size=60)


def a_page() -> Page:
    board = Board()
    return board.page(board.allocate())


def histogram_of(durations_ns: list[int]) -> Histogram:
    page = a_page()
    counters = StageCounters(page)
    for duration_ns in durations_ns:
        counters.observe(StageWord.AGE, duration_ns)
    return read_histogram(page, StageWord.AGE)


def test_no_two_words_of_a_stage_overlap() -> None:
    buckets = len(BUCKETS_S) + 2
    sizes = {
        StageWord.DROPPED: len(DropReason),
        StageWord.AGE: buckets,
        StageWord.DURATION: buckets,
    }
    taken = [word + place for word in StageWord for place in range(sizes.get(word, 1))]

    assert len(taken) == len(set(taken))


@given(DURATIONS_NS)
def test_every_observation_is_counted_once(durations_ns: list[int]) -> None:
    histogram = histogram_of(durations_ns)

    assert sum(histogram.counts) == len(durations_ns)
    assert abs(histogram.sum_s - sum(durations_ns) / NS_PER_S) < 1e-6


@given(DURATIONS_NS, st.floats(0, 1))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(
    durations_ns: list[int], share: float
) -> None:
    told_s = histogram_of(durations_ns).quantile_s(share)

    ordered = sorted(durations_ns)
    rank = max(round(share * len(ordered) + 0.4999999), 1)
    true_s = ordered[min(rank, len(ordered)) - 1] / NS_PER_S
    below = max((bound for bound in BUCKETS_S if bound < true_s), default=0.0)
    above = min(
        (bound for bound in BUCKETS_S if bound >= true_s), default=BUCKETS_S[-1]
    )
    assert told_s is not None
    assert min(below, BUCKETS_S[-1]) <= told_s <= above


@given(DURATIONS_NS, st.floats(0, 1), st.floats(0, 1))
def test_a_higher_share_is_never_a_smaller_quantile(
    durations_ns: list[int], one: float, other: float
) -> None:
    histogram = histogram_of(durations_ns)

    low, high = (histogram.quantile_s(share) for share in sorted((one, other)))

    assert low is not None
    assert high is not None
    assert low <= high


def test_an_empty_histogram_has_no_quantile() -> None:
    assert histogram_of([]).quantile_s(0.5) is None


@given(DURATIONS_NS, DURATIONS_NS)
def test_the_difference_of_two_snapshots_is_what_came_between(
    before: list[int], after: list[int]
) -> None:
    between = histogram_of(before + after).since(histogram_of(before))

    assert between.counts == histogram_of(after).counts


def test_drops_are_counted_by_their_reason() -> None:
    page = a_page()
    counters = StageCounters(page)

    counters.drop(DropReason.STALE, 3)
    counters.drop(DropReason.RATE)

    assert page.words[StageWord.DROPPED + DropReason.STALE] == 3
    assert page.words[StageWord.DROPPED + DropReason.RATE] == 1
    assert page.words[StageWord.DROPPED + DropReason.PASSED_OVER] == 0


def test_the_time_of_a_state_stands_while_the_state_does() -> None:
    page = a_page()
    counters = StageCounters(page)

    counters.report(SourceState.DOWN, "no route to host")
    since_ns = page.words[StageWord.STATE_SINCE_NS]
    counters.report(SourceState.DOWN, "connection refused")
    still_ns = page.words[StageWord.STATE_SINCE_NS]
    counters.report(SourceState.RUNNING)

    assert since_ns == still_ns < page.words[StageWord.STATE_SINCE_NS]
    assert not page.read_text()


def test_a_duration_before_its_start_counts_as_none() -> None:
    histogram = histogram_of([-5 * NS_PER_MS])

    assert histogram.sum_s == 0
    assert histogram.counts[0] == 1
