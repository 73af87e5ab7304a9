from __future__ import annotations

import asyncio

import pytest

from ooblexd.clock import NS_PER_S
from ooblexd.control.feeds import STALLED_S, Feed, may_show
from ooblexd.frame import FrameHeader, Step, Verdict

NOW_NS = 100 * NS_PER_S


def picture(verdict: Verdict, age_s: float = 0.1, revision: int = 3) -> FrameHeader:
    captured_ns = NOW_NS - int(age_s * NS_PER_S)
    header = FrameHeader(1, 64, 36, captured_ns, verdict=verdict, revision=revision)
    return header.stamped(Step.ENCODED, NOW_NS)


@pytest.mark.parametrize("verdict", [Verdict.COVERED, Verdict.SLATE])
def test_covers_and_slates_are_always_shown(verdict: Verdict) -> None:
    assert may_show(picture(verdict, age_s=90, revision=0), 3, NS_PER_S, NOW_NS)


@pytest.mark.parametrize("verdict", [Verdict.LIVE, Verdict.HELD])
def test_nothing_of_an_older_chain_is_shown(verdict: Verdict) -> None:
    assert may_show(picture(verdict, revision=3), 3, NS_PER_S, NOW_NS)
    assert not may_show(picture(verdict, revision=2), 3, NS_PER_S, NOW_NS)


def test_a_live_picture_is_shown_up_to_its_age() -> None:
    assert may_show(picture(Verdict.LIVE, age_s=1.0), 3, NS_PER_S, NOW_NS)
    assert not may_show(picture(Verdict.LIVE, age_s=1.01), 3, NS_PER_S, NOW_NS)


def test_a_held_picture_is_shown_while_output_stands_by_it() -> None:
    held = picture(Verdict.HELD, age_s=2)

    assert may_show(held, 3, NS_PER_S, NOW_NS)
    assert not may_show(held, 3, NS_PER_S, NOW_NS + 2 * NS_PER_S)


class Unread(asyncio.WriteTransport):
    """The transport of a peer that never reads."""

    is_aborted = False

    def abort(self) -> None:
        self.is_aborted = True


def test_a_viewer_that_takes_nothing_for_half_a_minute_is_dropped() -> None:
    feed, transport = Feed("door"), Unread()
    with feed.joined(transport) as viewer:
        viewer.blocked_since_ns = NOW_NS

        feed.tick(NOW_NS + int(STALLED_S * NS_PER_S))
        assert not transport.is_aborted

        feed.tick(NOW_NS + int(STALLED_S * NS_PER_S) + 1)
        assert transport.is_aborted
