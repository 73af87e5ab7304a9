from __future__ import annotations

from itertools import pairwise

from ooblexd.clock import NS_PER_MS, NS_PER_S
from ooblexd.sources.playout import FASTER, SPARE_NS, Playout

PERIOD_NS = 40 * NS_PER_MS


def steps_ms(playout: Playout, times_ns: list[int | None]) -> list[int]:
    """Return the pauses between what is due, all of it there already."""
    due = [playout.due_ns(at_ns, NS_PER_S) for at_ns in times_ns]
    return [(b - a) // NS_PER_MS for a, b in pairwise(due)]


def test_what_comes_at_once_is_shown_at_its_pace() -> None:
    assert steps_ms(Playout(is_live=True), [0, PERIOD_NS, 3 * PERIOD_NS]) == [40, 80]


def test_a_jump_of_the_clock_is_a_short_step() -> None:
    times = [0, PERIOD_NS, 3600 * NS_PER_S, 3600 * NS_PER_S + PERIOD_NS, 0, None]

    assert steps_ms(Playout(is_live=True), times) == [40, 40, 40, 40, 0]


def test_after_a_pause_it_goes_on_from_now() -> None:
    playout = Playout(is_live=True)
    playout.due_ns(0, NS_PER_S)

    late = playout.due_ns(PERIOD_NS, 9 * NS_PER_S)
    after = playout.due_ns(2 * PERIOD_NS, 9 * NS_PER_S)

    assert (late, after) == (9 * NS_PER_S, 9 * NS_PER_S + PERIOD_NS)


def test_what_is_left_when_more_comes_is_made_up_for() -> None:
    live, film = Playout(is_live=True), Playout(is_live=False)
    for playout in (live, film):
        playout.note_spare(2 * SPARE_NS)
        assert steps_ms(playout, [0, PERIOD_NS]) == [40]  # one proves nothing
        playout.note_spare(2 * SPARE_NS)

    assert steps_ms(live, [0, NS_PER_S]) == [int(1000 / FASTER)]
    assert steps_ms(film, [0, NS_PER_S]) == [1000]
