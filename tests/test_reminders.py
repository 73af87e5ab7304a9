from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ooblexd.clock import NS_PER_S
from ooblexd.reminders import FORGOTTEN_NS, Reminders


def told_at(seconds: range, what: str = "away") -> list[tuple[int, int]]:
    """Return the seconds at which it is told, each with its count."""
    reminders = Reminders()
    counts = [(at, reminders.due(what, at * NS_PER_S)) for at in seconds]
    return [(at, count) for at, count in counts if count]


def test_a_night_without_a_camera_is_a_few_lines() -> None:
    night = told_at(range(0, 8 * 3600, 10))

    assert night[:3] == [(0, 1), (60, 6), (660, 60)]
    assert [count for _, count in night[3:]] == [360] * 7


def test_another_reason_is_told_at_once_and_does_not_hide_the_first() -> None:
    reminders = Reminders()

    told = [reminders.due(f"reason {n % 2}", n * NS_PER_S) for n in range(20)]

    assert told == [1, 1] + [0] * 18


def test_what_has_not_happened_for_long_is_news() -> None:
    reminders = Reminders()
    reminders.due("away", 0)

    assert reminders.due("away", FORGOTTEN_NS) == 1
    assert reminders.due("away", FORGOTTEN_NS + 1) == 0
    assert reminders.due("away", 2 * FORGOTTEN_NS + 2) == 1


@given(st.lists(st.text(max_size=3), max_size=200))
def test_what_is_new_is_never_kept_back(whats: list[str]) -> None:
    reminders = Reminders()
    seen: set[str] = set()

    for second, what in enumerate(whats):
        count = reminders.due(what, second)
        assert count or what in seen
        seen.add(what)
