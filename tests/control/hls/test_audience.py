"""A player is one, however often it asks, until it asks no more."""

from __future__ import annotations

from ooblexd.control.hls.audience import AWAY_NS, Audience


def test_who_asks_no_more_is_gone() -> None:
    now = [0]
    audience = Audience(lambda: now[0])

    audience.note("one")
    now[0] += AWAY_NS // 2
    for _ in range(3):
        audience.note("other")
    assert audience.count() == 2
    now[0] += AWAY_NS // 2 + 1
    assert audience.count() == 1
    audience.note("other")
    now[0] += AWAY_NS
    assert audience.count() == 1
    now[0] += 1
    assert audience.count() == 0


def test_made_up_sessions_cost_little() -> None:
    audience = Audience(lambda: 0)
    for n in range(5000):
        audience.note(str(n))

    assert audience.count() == 1000
