"""What is kept of a stream, what is taken out, and how it is written down."""

from __future__ import annotations

from typing import Any

import m3u8
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.clock import NS_PER_S
from ooblexd.control.hls.playlist import format_multivariant, format_playlist
from ooblexd.control.hls.timeline import (
    ANY_REVISION,
    KEPT_BYTES,
    KEPT_SEGMENTS,
    LISTED_SEGMENTS,
    Fragment,
    Timeline,
)

FIRST = 1000
PICTURE_NS = NS_PER_S // 25


def fragment(
    revision: int = 1, *, is_keyframe: bool = False, data: bytes = b"x"
) -> Fragment:
    return Fragment(data, PICTURE_NS, revision, is_keyframe)


def begin(timeline: Timeline, width: int = 640, height: int = 360) -> None:
    timeline.begin(b"init", "avc1.42C01E", width, height)


def add_segment(
    timeline: Timeline, revision: int = 1, data: bytes = b"x", parts: int = 5
) -> None:
    timeline.begin_segment(1_800_000_000_000_000 + timeline.next_number * 10**6)
    for part in range(parts):
        for picture in range(5):
            is_first = part == picture == 0
            timeline.add(fragment(revision, is_keyframe=is_first, data=data))
        timeline.end_part()


def timeline_of(*revisions: int) -> Timeline:
    """Return a timeline with a segment a revision, the last of which grows."""
    timeline = Timeline(FIRST)
    begin(timeline)
    for revision in revisions:
        add_segment(timeline, revision)
    return timeline


def parse(text: str) -> Any:
    return m3u8.loads(text)


def numbers(timeline: Timeline) -> list[int]:
    return [segment.number for segment in timeline.listed]


def test_a_playlist_names_parts_segments_and_what_comes_next() -> None:
    playlist = parse(format_playlist(timeline_of(1, 1, 1)))

    assert playlist.media_sequence == FIRST
    assert playlist.target_duration == 2
    assert playlist.server_control.can_block_reload == "YES"
    assert playlist.server_control.part_hold_back == 0.6
    assert playlist.part_inf.part_target == 0.2
    uris = [segment.uri for segment in playlist.segments if segment.uri]
    assert uris == [f"{FIRST}.m4s", f"{FIRST + 1}.m4s"]
    parts = [part for segment in playlist.segments for part in segment.parts]
    assert len(parts) == 15
    assert [part.uri for part in parts[-5:]] == [
        f"{FIRST + 2}.{n}.m4s" for n in range(5)
    ]
    assert [part.independent for part in parts[:2]] == ["YES", None]
    assert playlist.preload_hint.uri == f"{FIRST + 2}.5.m4s"
    assert playlist.segments[0].program_date_time is not None


def test_parts_are_named_only_near_the_edge() -> None:
    playlist = parse(format_playlist(timeline_of(*[1] * 8)))

    assert len(playlist.segments) == 8
    has_parts = [bool(segment.parts) for segment in playlist.segments]
    assert has_parts == [False] * 5 + [True] * 3


def test_the_first_playlist_says_what_it_takes() -> None:
    timeline = timeline_of(1, 1)
    playlist = parse(format_multivariant(timeline, "me"))

    assert playlist.is_variant
    info = playlist.playlists[0].stream_info
    assert playlist.playlists[0].uri == "live.m3u8?session=me"
    assert info.codecs == "avc1.42C01E"
    assert info.resolution == (640, 360)
    assert info.frame_rate == 25.0
    assert info.bandwidth == info.average_bandwidth == 200


def test_another_size_is_a_discontinuity_with_an_init_segment_of_its_own() -> None:
    timeline = timeline_of(1, 1)
    begin(timeline, 360, 640)
    add_segment(timeline)

    text = format_playlist(timeline)
    assert text.count("#EXT-X-DISCONTINUITY\n") == 1
    assert parse(text).discontinuity_sequence == FIRST
    assert f'URI="init.{FIRST}.mp4"' in text
    assert f'URI="init.{FIRST + 2}.mp4"' in text
    for _ in range(LISTED_SEGMENTS + 1):
        add_segment(timeline)
    text = format_playlist(timeline)
    assert "#EXT-X-DISCONTINUITY\n" not in text
    assert parse(text).discontinuity_sequence == FIRST + 1
    shape = timeline.discontinuity(FIRST + 2)
    assert shape is not None
    assert (shape.width, shape.height) == (360, 640)


def test_sequence_numbers_of_discontinuities_are_small() -> None:
    timeline = Timeline(28_067_410)
    begin(timeline)
    add_segment(timeline)

    playlist = parse(format_playlist(timeline))
    assert playlist.media_sequence == 28_067_410
    # hls.js takes seconds over a reload with a sequence of millions.
    assert playlist.discontinuity_sequence < 10_000


def test_what_is_kept_is_bounded_in_number_and_in_bytes() -> None:
    timeline = timeline_of(*[1] * 50)
    assert timeline.segment(FIRST + 49 - KEPT_SEGMENTS) is not None
    assert timeline.segment(FIRST + 49 - KEPT_SEGMENTS - 1) is None
    assert len(timeline.listed) == LISTED_SEGMENTS + 1

    large = bytes(KEPT_BYTES // 100)  # four segments' worth
    for _ in range(10):
        add_segment(timeline, data=large)
    kept = [n for n in range(FIRST, timeline.next_number) if timeline.segment(n)]
    assert len(kept) <= 5


def test_a_rare_picture_makes_no_promise_false() -> None:
    timeline = timeline_of(1)
    timeline.begin_segment(0)
    for _ in range(3):
        timeline.add(Fragment(b"x", NS_PER_S, 1, is_keyframe=False))
        timeline.end_part()
    timeline.end_segment()

    playlist = parse(format_playlist(timeline))
    assert playlist.target_duration == 3
    assert playlist.part_inf.part_target == 1.0
    assert playlist.server_control.part_hold_back == 3.0


def test_what_has_not_passed_enough_is_taken_out_and_all_before_it() -> None:
    timeline = timeline_of(ANY_REVISION, 1, ANY_REVISION, 2, 2)

    assert not timeline.withdraw_below(2)
    assert numbers(timeline) == [FIRST + 2, FIRST + 3, FIRST + 4]
    assert timeline.segment(FIRST) is None
    assert timeline.has(FIRST, 0)  # it has been there

    assert timeline.withdraw_below(3), "the one that grows as well"
    assert timeline.listed == []
    begin(timeline)
    add_segment(timeline, 3)
    assert numbers(timeline) == [FIRST + 5]


def test_a_playlist_tells_where_something_was_taken_out() -> None:
    timeline = timeline_of(1, 1, 1, 1)
    timeline.withdraw_below(2)
    assert not timeline.has_whole
    begin(timeline)
    add_segment(timeline, 2)

    text = format_playlist(timeline)
    playlist = parse(text)
    assert playlist.media_sequence == FIRST + 2, "no number is left out"
    assert playlist.discontinuity_sequence == FIRST
    gaps = [(one.uri, one.gap_tag, one.duration) for one in playlist.segments[:2]]
    assert gaps == [(f"{FIRST + n}.m4s", True, 1.0) for n in (2, 3)]
    assert text.count("#EXT-X-DISCONTINUITY\n") == 1
    assert f'URI="init.{FIRST}.mp4"' not in text
    assert timeline.segment(FIRST + 3) is None
    for _ in range(LISTED_SEGMENTS + 1):
        add_segment(timeline, 2)
    text = format_playlist(timeline)
    assert "#EXT-X-GAP" not in text
    assert parse(text).discontinuity_sequence == FIRST + 1


def test_an_unfinished_part_is_taken_out_too() -> None:
    timeline = timeline_of(2)
    timeline.add(fragment(1))

    assert timeline.withdraw_below(2)
    assert timeline.listed == []


def test_what_nobody_was_told_of_leaves_no_gap() -> None:
    timeline = timeline_of(1)
    timeline.begin_segment(0)
    timeline.add(fragment(1))

    timeline.withdraw_below(2)

    assert timeline.next_number == FIRST + 1
    assert [gap.number for gap in timeline.gaps] == [FIRST]


def test_init_segments_stay_a_while_since_ffmpeg_gives_up_for_want_of_one() -> None:
    timeline = timeline_of(1)
    timeline.withdraw_below(2)

    begin(timeline)
    assert timeline.discontinuity(FIRST) is not None
    for _ in range(20):
        add_segment(timeline, 2)
        begin(timeline)
    assert timeline.discontinuity(FIRST) is None


@given(
    revisions=st.lists(st.sampled_from([1, 2, 3, ANY_REVISION]), max_size=8),
    pending=st.sampled_from([None, 1, 2, 3]),
    required=st.integers(1, 4),
)
def test_nothing_that_is_left_shows_too_much(
    revisions: list[int], pending: int | None, required: int
) -> None:
    timeline = timeline_of(1, *revisions)
    if pending is not None:
        timeline.add(fragment(pending))

    was_cut = timeline.withdraw_below(required)

    left = [timeline.segment(n) for n in range(FIRST, timeline.next_number)]
    assert all(segment.revision >= required for segment in left if segment)
    assert was_cut == (timeline.growing is None)
    if timeline.growing is None:
        begin(timeline)
        add_segment(timeline, required)
    timeline.end_part()
    assert all(part.revision >= required for s in timeline.listed for part in s.parts)
