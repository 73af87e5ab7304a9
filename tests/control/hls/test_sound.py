"""The sound beside the pictures: the same times, nothing withdrawn, never a gap."""

from __future__ import annotations

import io
from itertools import groupby
from typing import TYPE_CHECKING

import av
import pytest

from ooblexd.clock import NS_PER_S
from ooblexd.control.hls.packager import Packager
from ooblexd.muxer import RATE_HZ
from tests.support.feed import LoneFeed, sound_until, video_unit
from tests.support.h264 import FIRST_NS, NS_PER_PICTURE, units

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ooblexd.control.hls.timeline import Timeline

PERIOD_NS = 1024 * NS_PER_S // 48_000


class Show:
    """Pictures and sound of one stream, in their order."""

    def __init__(self) -> None:
        self.lone = LoneFeed()
        self.packager = Packager(self.lone.feed, self.lone.audio, lambda: None)
        self.packager.note_use()
        self._units = iter(units(400, keyframe_every=10))
        self._pictures = self._packets = 0

    def go_on(
        self,
        pictures: int,
        *,
        revision: int = 1,
        hears: bool = True,
        mono: bool = False,
    ) -> None:
        for _ in range(pictures):
            self._pictures += 1
            end_ns = self._pictures * NS_PER_PICTURE
            while (at_ns := self._packets * PERIOD_NS) < end_ns:
                self._packets += 1
                (packet,) = sound_until(
                    *(FIRST_NS + at_ns, FIRST_NS + at_ns + 1, revision),
                    channels=1 if mono else 2,
                )
                if hears:
                    self.lone.audio.hear(packet)
            self.packager.take(video_unit(next(self._units), revision=revision))

    def heard_s(self) -> list[tuple[float, float]]:
        """Return start and end of the sound of each discontinuity that is listed."""
        found = []
        for times in times_of(self.packager.sound.timeline):
            assert times == list(range(times[0], times[-1] + 1, 1024)), "no gap"
            found.append((times[0] / 48_000, (times[-1] + 1024) / 48_000))
        return found


def times_of(timeline: Timeline) -> list[list[int]]:
    """Return the ticks of all that is listed, one list a discontinuity."""
    found = []
    for number, run in groupby(timeline.listed, lambda one: one.discontinuity):
        shape = timeline.discontinuity(number)
        assert shape is not None
        media = b"".join(part.data for segment in run for part in segment.parts)
        with av.open(io.BytesIO(shape.init + media), "r", format="mp4") as container:
            found.append([packet.pts or 0 for packet in container.demux()][:-1])
    return found


@pytest.fixture
def show() -> Iterator[Show]:
    made = Show()
    yield made
    made.packager.end()


def test_sound_has_the_times_of_the_pictures(show: Show) -> None:
    show.go_on(100)

    ((start_s, end_s),) = show.heard_s()
    assert start_s == 0
    assert 3.7 < end_s <= 4.0
    parts = [p for s in show.packager.sound.timeline.listed for p in s.parts]
    assert all(0.17 <= part.duration_ns / NS_PER_S <= 0.2 for part in parts)


def test_a_source_that_falls_silent_leaves_no_gap(show: Show) -> None:
    show.go_on(50)
    show.go_on(50, hears=False)

    ((_, end_s),) = show.heard_s()
    assert end_s > 3.7


def test_what_was_heard_before_a_stricter_chain_is_withdrawn(show: Show) -> None:
    show.go_on(60)
    former = [s.number for s in show.packager.sound.timeline.listed]

    show.lone.require(2)
    show.packager.withdraw()

    timeline = show.packager.sound.timeline
    assert timeline.listed == []
    assert all(timeline.segment(number) is None for number in former)
    show.go_on(40, revision=2)
    assert all(segment.revision >= 2 for segment in timeline.listed)
    assert timeline.listed[0].number > former[-1]


def test_time_goes_on_where_something_was_withdrawn(show: Show) -> None:
    show.go_on(55)

    show.lone.require(2)
    show.go_on(40, revision=2)

    ((start_s, _),) = show.heard_s()
    ((first, *_),) = times_of(show.packager.timeline)
    assert first / RATE_HZ == pytest.approx(60 * NS_PER_PICTURE / NS_PER_S)
    assert start_s == pytest.approx(first / RATE_HZ, abs=0.022)


def test_another_kind_of_sound_begins_anew_with_the_pictures(show: Show) -> None:
    show.go_on(60)
    show.go_on(60, mono=True)

    assert len(show.heard_s()) == 2
    pictures, sound = (
        timeline.discontinuity(timeline.listed[-1].discontinuity)
        for timeline in (show.packager.timeline, show.packager.sound.timeline)
    )
    assert pictures is not None
    assert sound is not None
    assert pictures.sequence == sound.sequence
