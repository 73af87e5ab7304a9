from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ooblexd.clock import NS_PER_S
from ooblexd.supervisor.restart import (
    FIRST_S,
    GIVEN_UP_S,
    LONGEST_S,
    MAX_DEATHS,
    WITHIN_S,
    Restart,
    next_life,
)

jitters = st.floats(0, 1, allow_nan=False)


def lives(deaths_s: list[float], jitter: float = 0.0) -> list[Restart]:
    """Return what follows each of the deaths at ``deaths_s``."""
    found: list[Restart] = []
    for at_s in deaths_s:
        earlier = found[-1].deaths_ns if found else ()
        found.append(next_life(earlier, int(at_s * NS_PER_S), jitter))
    return found


def test_pauses_double_to_less_than_a_second() -> None:
    pauses = [life.delay_s for life in lives([10, 11, 12, 13])]

    assert pauses == [0.25, 0.5, 0.8, 0.8]


@given(st.integers(1, MAX_DEATHS - 1), jitters)
def test_a_pause_is_between_a_quarter_second_and_a_second(
    deaths: int, jitter: float
) -> None:
    life = lives([100 + n for n in range(deaths)], jitter)[-1]

    assert FIRST_S <= life.delay_s <= LONGEST_S
    assert not life.is_exhausted


@given(st.integers(1, MAX_DEATHS - 1))
def test_chance_spreads_every_pause(deaths: int) -> None:
    deaths_s = [100.0 + n for n in range(deaths)]

    shortest, longest = (lives(deaths_s, jitter)[-1].delay_s for jitter in (0.0, 1.0))

    assert longest > 1.2 * shortest


@given(jitters)
def test_the_eighth_death_within_half_a_minute_gives_up(jitter: float) -> None:
    found = lives([3.0 * n for n in range(8)], jitter)

    assert [life.is_exhausted for life in found] == [False] * 7 + [True]
    assert GIVEN_UP_S <= found[-1].delay_s <= 1.25 * GIVEN_UP_S


def test_deaths_far_apart_never_give_up() -> None:
    assert not any(life.is_exhausted for life in lives([5.0 * n for n in range(100)]))


def test_a_worker_that_was_given_up_begins_anew_after_its_pause() -> None:
    given_up = lives([float(n) for n in range(8)])[-1]
    later_ns = int((7 + given_up.delay_s + 0.1) * NS_PER_S)

    life = next_life(given_up.deaths_ns, later_ns, 0.0)

    assert life == Restart(FIRST_S, is_exhausted=False, deaths_ns=(later_ns,))


@given(st.lists(st.floats(0, 20), min_size=1, max_size=50), jitters)
def test_no_more_deaths_are_remembered_than_count(
    gaps_s: list[float], jitter: float
) -> None:
    at_s, deaths_s = 0.0, []
    for gap_s in gaps_s:
        at_s += gap_s
        deaths_s.append(at_s)

    last = lives(deaths_s, jitter)[-1]

    assert len(last.deaths_ns) <= MAX_DEATHS
    assert last.deaths_ns[-1] - last.deaths_ns[0] <= WITHIN_S * NS_PER_S
