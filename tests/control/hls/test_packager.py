"""What a packager makes of pictures, and what it takes out again."""

from __future__ import annotations

import io
import itertools

import av
import pytest

from ooblexd.control.audio_feed import AudioFeed
from ooblexd.control.hls.packager import LINGER_NS, Packager, parameter_sets
from ooblexd.counters import DemandWord
from ooblexd.frame import Verdict
from tests.support.feed import LoneFeed, video_unit
from tests.support.h264 import NS_PER_PICTURE, Unit, units


@pytest.fixture
def lone() -> LoneFeed:
    return LoneFeed()


@pytest.fixture
def packager(lone: LoneFeed) -> Packager:
    packager = Packager(lone.feed, AudioFeed("door"), lambda: None)
    packager.note_use()
    return packager


def put(packager: Packager, pictures: list[Unit], revision: int = 1) -> None:
    for unit in pictures:
        packager.take(video_unit(unit, revision=revision))


def pictures_in(packager: Packager) -> int:
    """Return how many pictures all that is listed has, each decoded."""
    timeline, count = packager.timeline, 0
    for number, run in itertools.groupby(timeline.listed, lambda s: s.discontinuity):
        shape = timeline.discontinuity(number)
        assert shape is not None
        media = b"".join(part.data for segment in run for part in segment.parts)
        data = io.BytesIO(shape.init + media)
        with av.open(data, "r", format="mp4") as container:
            count += len(list(container.decode(video=0)))
    return count


def test_parts_are_short_and_segments_begin_with_keyframes(packager: Packager) -> None:
    put(packager, units(101, keyframe_every=25))

    listed = packager.timeline.listed
    assert [len(segment.parts) for segment in listed] == [5, 5, 5, 5]
    assert all(segment.is_complete for segment in listed[:3])
    assert all(part.pictures == 5 for segment in listed for part in segment.parts)
    firsts = [segment.parts[0].is_independent for segment in listed]
    assert all(firsts)
    assert pictures_in(packager) == 100  # the last is in the muxer


def test_a_keyframe_is_asked_for_when_a_segment_is_long_enough(
    packager: Packager, lone: LoneFeed
) -> None:
    pictures = units(12, keyframe_every=100)
    before = lone.demand(DemandWord.KEYFRAMES_ASKED)

    put(packager, pictures[:11])
    assert lone.demand(DemandWord.KEYFRAMES_ASKED) == before
    put(packager, pictures[11:])
    assert lone.demand(DemandWord.KEYFRAMES_ASKED) == before + 1


def test_a_keyframe_that_others_asked_for_makes_no_short_segment(
    packager: Packager,
) -> None:
    put(packager, units(60, keyframe_every=5))

    durations = [s.duration_ns for s in packager.timeline.listed if s.is_complete]
    assert durations[0] == 10 * NS_PER_PICTURE  # the first is short
    assert min(durations[1:]) >= 20 * NS_PER_PICTURE


def test_what_is_required_takes_out_what_has_not_passed_it(
    packager: Packager, lone: LoneFeed
) -> None:
    pictures = units(160, keyframe_every=25)
    put(packager, pictures[:60])
    assert pictures_in(packager) > 50
    old = packager.timeline.listed[-1].parts[0]
    assert packager.may_send(old)

    lone.require(2)
    assert not packager.may_send(old)
    packager.withdraw()
    assert packager.timeline.listed == []
    put(packager, pictures[60:70], revision=1)  # too late
    assert packager.timeline.listed == []
    put(packager, pictures[70:], revision=2)
    assert packager.timeline.listed
    assert all(part.revision == 2 for s in packager.timeline.listed for part in s.parts)
    assert pictures_in(packager) == 80  # from the keyframe at 75 on, but the last five


def test_covers_stay_whatever_is_required(packager: Packager, lone: LoneFeed) -> None:
    for unit in units(60, keyframe_every=25):
        packager.take(video_unit(unit, revision=0, verdict=Verdict.COVERED))
    listed = packager.timeline.listed

    lone.require(7)
    packager.withdraw()

    assert packager.timeline.listed == listed


def test_another_size_begins_anew_and_loses_no_picture(packager: Packager) -> None:
    put(packager, units(30, keyframe_every=25))
    later = units(90, size=(180, 320), keyframe_every=25)[50:]
    for unit in later:
        packager.take(video_unit(unit, size=(180, 320)))

    discontinuities = {segment.discontinuity for segment in packager.timeline.listed}
    assert len(discontinuities) == 2
    assert pictures_in(packager) >= 30 + 35


def test_the_frame_rate_alone_changes_no_parameter_set_that_counts() -> None:
    sets = parameter_sets(units(1)[0].data)

    assert len(sets) == 2
    assert len(sets[0]) == 8
    assert sets != parameter_sets(units(1, size=(640, 360))[0].data)
    assert parameter_sets(units(2)[1].data) == ()


def test_it_ends_with_the_stream(packager: Packager, lone: LoneFeed) -> None:
    put(packager, units(30))
    lone.feed.close()

    assert packager.has_ended
    assert lone.feed.viewers["hls"] == 0


def test_it_ends_when_nobody_has_asked_for_a_while(
    packager: Packager, lone: LoneFeed
) -> None:
    pictures = units(2)
    packager.take(video_unit(pictures[0]))
    assert lone.demand(DemandWord.VIDEO_WANTED_UNTIL_NS) > 0

    packager._used_ns -= LINGER_NS
    packager.take(video_unit(pictures[1]))

    assert packager.has_ended
    assert lone.demand(DemandWord.VIDEO_WANTED_UNTIL_NS) == 0
