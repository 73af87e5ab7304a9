from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.clock import NS_PER_MS, NS_PER_S
from ooblexd.effects.boxes import Box, Found, Opinion
from ooblexd.effects.tracks import SURE_SCORE, Track, TrackLimits, advance, looked_again

LIMITS = TrackLimits(start_score=0.3, hold_ns=NS_PER_S)
FRAME_NS = 40 * NS_PER_MS

edges = st.floats(-200, 4000)
sizes = st.floats(2, 800)
boxes = st.builds(lambda x, y, s: Box(x, y, x + s, y + s), edges, edges, sizes)
opinions = st.sampled_from(Opinion)
detections = st.lists(
    st.builds(Found, boxes, st.floats(0.2, 1.0), opinions), max_size=8
)


def holds(outer: Box, inner: Box) -> bool:
    return outer.grown(1e-6 * (1 + abs(outer.right) + abs(outer.bottom))).holds(inner)


def follow(box: Box, frames: int, step_px: float) -> tuple[tuple[Track, ...], int]:
    tracks: tuple[Track, ...] = ()
    for frame in range(frames):
        found = [Found(box.moved(step_px * frame, 0), 0.9)]
        tracks = advance(tracks, found, frame * FRAME_NS, LIMITS)
    return tracks, (frames - 1) * FRAME_NS


@given(st.lists(detections, max_size=12))
def test_every_sure_detection_is_covered_at_once(frames: list[list[Found]]) -> None:
    tracks: tuple[Track, ...] = ()
    for number, found in enumerate(frames):
        at_ns = number * FRAME_NS
        tracks = advance(tracks, found, at_ns, LIMITS)

        for one in found:
            if one.score >= LIMITS.start_score:
                assert any(holds(track.area(at_ns), one.box) for track in tracks)


@given(detections)
def test_in_a_new_scene_a_weak_detection_is_covered_too(found: list[Found]) -> None:
    tracks = advance((), found, 0, LIMITS, is_new_scene=True)

    for one in found:
        if one.score >= LIMITS.start_score or one.opinion is not Opinion.NO_FACE:
            assert any(holds(track.area(0), one.box) for track in tracks)


def test_in_a_new_scene_a_weak_detection_that_is_no_face_is_not() -> None:
    weak = [Found(Box(0, 0, 90, 90), 0.25, Opinion.NO_FACE)]

    assert advance((), weak, 0, LIMITS, is_new_scene=True) == ()


@given(detections, st.integers(1, 25))
def test_a_face_no_longer_seen_stays_covered_for_the_hold(
    found: list[Found], missed: int
) -> None:
    tracks = advance((), found, 0, LIMITS)
    started = [one.box for one in found if one.score >= LIMITS.start_score]

    for number in range(1, missed + 1):
        tracks = advance(tracks, [], number * FRAME_NS, LIMITS)

    for box in started:
        assert any(holds(track.area(missed * FRAME_NS), box) for track in tracks)


@given(st.lists(detections, max_size=5))
def test_no_track_outlives_the_hold(frames: list[list[Found]]) -> None:
    tracks: tuple[Track, ...] = ()
    for number, found in enumerate(frames):
        tracks = advance(tracks, found, number * FRAME_NS, LIMITS)

    end_ns = len(frames) * FRAME_NS + LIMITS.hold_ns + 1

    assert advance(tracks, [], end_ns, LIMITS) == ()


@given(st.floats(-40, 40), st.integers(1, 10))
def test_a_moving_face_that_is_missed_is_covered_where_it_goes(
    step_px: float, missed: int
) -> None:
    face = Box(500, 500, 600, 600)
    tracks, last_ns = follow(face, 5, step_px)
    at_ns = last_ns + missed * FRAME_NS
    tracks = advance(tracks, [], at_ns, LIMITS)

    assert holds(tracks[0].area(at_ns), face.moved(step_px * (4 + missed), 0))


@given(st.integers(2, 12), st.floats(-60, 60))
def test_one_face_keeps_one_track(frames: int, step_px: float) -> None:
    tracks, _ = follow(Box(500, 500, 600, 600), frames, step_px)

    assert [track.sightings for track in tracks] == [frames]


def test_a_weak_detection_keeps_a_face_but_starts_none() -> None:
    face = Box(10, 10, 60, 60)

    started = advance((), [Found(face, 0.25)], 0, LIMITS)
    kept = advance(
        advance((), [Found(face, 0.9)], 0, LIMITS),
        [Found(face, 0.25)],
        FRAME_NS,
        LIMITS,
    )

    assert started == ()
    assert kept[0].sightings == 2
    assert kept[0].score == 0.25


def test_the_covered_area_shrinks_slowly() -> None:
    large, small = Box(0, 0, 200, 200), Box(50, 50, 150, 150)
    tracks = advance((), [Found(large, 0.9)], 0, LIMITS)

    tracks = advance(tracks, [Found(small, 0.9)], FRAME_NS, LIMITS)

    area = tracks[0].area(FRAME_NS)
    assert small.size < area.size < large.size


def test_after_a_cut_both_the_old_and_the_new_face_are_covered() -> None:
    old, new = Box(0, 0, 100, 100), Box(800, 400, 900, 500)
    tracks = advance((), [Found(old, 0.9)], 0, LIMITS)

    tracks = advance(tracks, [Found(new, 0.9)], FRAME_NS, LIMITS)

    assert {track.box for track in tracks} == {old, new}


def test_a_clock_that_stands_still_loses_no_face() -> None:
    first, second = Box(0, 0, 100, 100), Box(30, 0, 130, 100)
    tracks = advance((), [Found(first, 0.9)], 0, LIMITS)

    tracks = advance(tracks, [Found(second, 0.9)], 0, LIMITS)

    assert tracks[0].area(0).holds(first.joined(second))


VAN = Box(1100, 80, 1150, 130)


def judged(*opinions: Opinion, score: float = 0.4) -> tuple[Track, ...]:
    """Return what is known of one thing of which these opinions were had in turn."""
    tracks: tuple[Track, ...] = ()
    for number, opinion in enumerate(opinions):
        found = [Found(VAN, score, opinion)]
        tracks = advance(tracks, found, number * FRAME_NS, LIMITS)
    return tracks


@given(st.lists(opinions, min_size=1, max_size=12))
def test_only_what_is_refused_thrice_and_was_never_a_face_is_left_uncovered(
    had: list[Opinion],
) -> None:
    (track,) = judged(*had)

    if track.is_refused:
        assert had.count(Opinion.NO_FACE) >= 3
        assert Opinion.FACE not in had


@pytest.mark.parametrize(
    ("before", "is_covered"),
    [
        ("RR", True),
        ("RRR", False),
        ("RRU", True),
        ("RRURR", True),
        ("RRRRRRU", False),
        ("RRRRRRUU", True),
        ("RRRRRRF", True),
        ("FRRRRRR", True),
    ],
)
def test_opinions_add_up(before: str, *, is_covered: bool) -> None:
    letters = {"R": Opinion.NO_FACE, "U": Opinion.UNSURE, "F": Opinion.FACE}

    (track,) = judged(*(letters[letter] for letter in before))

    assert track.is_refused != is_covered


def test_a_sure_detection_of_what_was_refused_is_covered() -> None:
    tracks = judged(*[Opinion.NO_FACE] * 6)

    (track,) = advance(tracks, [Found(VAN, SURE_SCORE)], 6 * FRAME_NS, LIMITS)

    assert not track.is_refused


def test_a_face_beside_what_was_refused_is_not_taken_for_it() -> None:
    tracks = judged(*[Opinion.NO_FACE] * 6)
    face = Found(VAN.moved(25, 0), 0.4)

    tracks = advance(tracks, [face], 6 * FRAME_NS, LIMITS)

    assert [track.box for track in tracks if not track.is_refused] == [face.box]


def test_a_doubtful_track_that_nothing_confirms_ends_before_the_hold() -> None:
    tracks, other = judged(Opinion.UNSURE), Box(0, 0, 50, 50)

    for number in range(1, 4):
        assert not tracks[0].is_refused
        again = {VAN: Opinion.NO_FACE, other: Opinion.NO_FACE}
        tracks = looked_again(tracks, again)
        tracks = advance(tracks, [], number * FRAME_NS, LIMITS)

    assert tracks[0].is_refused
