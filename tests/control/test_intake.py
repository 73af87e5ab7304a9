from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ooblexd.clock import NS_PER_S
from ooblexd.control.intake import RateLimit


def admitted(limit: RateLimit, rate_hz: float, times_s: list[float]) -> int:
    start_ns = 1000 * NS_PER_S
    return sum(
        limit.wait_ns(rate_hz, start_ns + int(at_s * NS_PER_S)) == 0 for at_s in times_s
    )


@given(
    st.integers(1, 120),
    st.lists(st.floats(-0.004, 0.004), min_size=40, max_size=40),
)
def test_who_keeps_the_rate_is_never_refused(
    rate_hz: int, jitters_s: list[float]
) -> None:
    times_s = [1 + n / rate_hz + jitter for n, jitter in enumerate(jitters_s)]

    assert admitted(RateLimit(), rate_hz, sorted(times_s)) == 40


def test_who_comes_twice_as_often_is_refused_every_other_time() -> None:
    times_s = [n / 60 for n in range(600)]

    assert 300 <= admitted(RateLimit(), 30, times_s) <= 310


def test_a_rate_below_one_a_second_holds() -> None:
    assert admitted(RateLimit(), 0.2, [0, 1, 2, 3, 4.6, 6, 9.6, 11]) == 3


def test_a_refusal_says_when_the_turn_is() -> None:
    limit = RateLimit()
    now_ns = 1000 * NS_PER_S
    limit.wait_ns(0.5, now_ns)

    wait_ns = limit.wait_ns(0.5, now_ns)

    assert limit.wait_ns(0.5, now_ns + wait_ns - 1) == 1
    assert limit.wait_ns(0.5, now_ns + wait_ns) == 0
