"""A clip keeps its beat: no drift, no burst."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ooblexd.sources.pace import Pace

PERIOD_NS = 40_000_000
SECOND_NS = 1_000_000_000


class SteppedTime:
    """A clock that only moves when somebody sleeps, or by hand."""

    def __init__(self) -> None:
        self.now_ns = 5 * SECOND_NS

    def read(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.now_ns += round(seconds * SECOND_NS)


def paced() -> tuple[SteppedTime, Pace]:
    time = SteppedTime()
    return time, Pace(PERIOD_NS, time.read, time.sleep)


def test_first_picture_is_due_at_once() -> None:
    time, pace = paced()

    assert pace.wait_until(900) == time.now_ns == 5 * SECOND_NS


def test_pictures_come_at_their_times_without_drift() -> None:
    time, pace = paced()

    for number in range(1000):
        time.now_ns += number % 30 * 1_000_000
        pace.wait_until(number * PERIOD_NS)

    assert time.now_ns == 5 * SECOND_NS + 999 * PERIOD_NS
    assert pace.missed == 0


def test_late_reader_misses_ticks_and_keeps_the_beat() -> None:
    time, pace = paced()
    pace.wait_until(0)
    time.now_ns += 10 * PERIOD_NS + 7

    handed_ns = [pace.wait_until(number * PERIOD_NS) for number in (1, 2, 3)]

    assert [at_ns - 5 * SECOND_NS for at_ns in handed_ns] == [
        11 * PERIOD_NS,
        12 * PERIOD_NS,
        13 * PERIOD_NS,
    ]
    assert pace.missed == 10


def test_gap_in_a_clip_is_cut_to_two_seconds() -> None:
    time, pace = paced()
    pace.wait_until(0)

    pace.wait_until(3600 * SECOND_NS)

    assert time.now_ns == 7 * SECOND_NS


@given(st.lists(st.integers(0, SECOND_NS), max_size=40))
def test_never_a_burst_whatever_the_reader_does(pauses_ns: list[int]) -> None:
    time, pace = paced()
    last_ns = before_ns = 0

    for number, pause_ns in enumerate(pauses_ns):
        time.now_ns += pause_ns
        last_ns, before_ns = pace.wait_until(number * PERIOD_NS), last_ns

        assert before_ns == 0 or last_ns - before_ns >= 0
        ticks = (last_ns - 5 * SECOND_NS - (pauses_ns[0])) / PERIOD_NS
        assert number + pace.missed <= ticks <= number + pace.missed + 1
