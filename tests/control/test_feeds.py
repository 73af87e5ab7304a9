from __future__ import annotations

import asyncio
import os
from contextlib import closing

import pytest

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.commands import AttachReader
from ooblexd.control.feeds import Feed
from ooblexd.counters import Watching
from ooblexd.frame import FrameHeader, PixelFormat, Step, Verdict, may_show
from ooblexd.ring import RingSpec, create_segment, open_writer

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


class Looker:
    """A viewer who notes what there was to see."""

    watching = Watching.MJPEG

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self.seen: list[int] = []

    def look(self) -> None:
        assert self._feed.picture is not None
        self.seen.append(self._feed.picture.sequence)

    def end_if_stalled(self, now_ns: int) -> None:
        pass


def test_who_comes_takes_no_picture_away_from_those_who_look() -> None:
    assert asyncio.run(_seen_when_another_comes()) == [1]


async def _seen_when_another_comes() -> list[int]:
    spec = RingSpec(slots=3, slot_bytes=4096, readers=1)
    attach = AttachReader("door", "encoded", 3, 4096, 1, spec.history, 0)
    header = FrameHeader(1, 64, 36, NOW_NS, pixel_format=PixelFormat.JPEG)
    wake_fd = os.eventfd(0, os.EFD_NONBLOCK)
    feed = Feed("door")
    looker = Looker(feed)
    with (
        closing(create_segment(spec)) as segment,
        closing(open_writer(segment.fd, spec, [wake_fd], 1)) as writer,
        closing(feed),
    ):
        feed.attach(attach, os.dup(segment.fd), wake_fd)
        with feed.joined(looker):
            loan = writer.loan()
            header.pack_into(loan.memory)
            writer.publish(loan)
            feed.fresh_from(monotonic_ns())  # as whoever comes asks first
    return looker.seen
