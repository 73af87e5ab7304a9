"""Where faces are between, and after, their detections: pure, without a clock.

One clear frame is a leak, so every choice here errs towards covering:

- A face is covered from its first sighting on, at once.
- One that the detector no longer sees stays covered for `TrackLimits.hold_ns`, over
  the place where it was seen last *and* where its motion would have taken it, and the
  area grows meanwhile, since nobody knows.
- The covered area follows a face without delay (it always holds the newest detection)
  and only shrinks slowly, which also calms the jitter of the detector.
- To keep a track takes a lower score than to start one.
- Only what a second look (`second_look`) has taken for no face three times, and never
  for one, is left uncovered. Its track lives on as long as any, so that the thing is
  known when it is detected again; but a face that passes before it is not mistaken for
  it, and looks that are not sure make it doubtful again.

After a cut the old covers stay until they have been held long enough, and the new faces
are covered as first sightings. There is no track then that a weak detection could keep,
so in a new scene it may start one, unless a second look sees no face.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_S
from ooblexd.effects.boxes import Opinion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ooblexd.effects.boxes import Box, Found

# All in sizes of the face, or in seconds.
_GROWTH_PER_S = 1.0
_MOST_GROWTH = 0.35
_MOST_SPEED_PER_S = 12.0
_LONGEST_FLIGHT_S = 0.4
_NEWEST_SPEED_SHARE = 0.6
_SHRINK_TIME_S = 0.25
_REACH = 1.0
_SIZE_RATIO = 2.5

SURE_SCORE = 0.6
"""A detection so sure needs no second look: false ones of the demo had 0.54 at most."""

_ENOUGH_REFUSALS, _MOST_REFUSALS, _UNSURE_UNDOES = 3, 6, 2
_SAME_THING = 0.4  # IoU


@dataclass(frozen=True, slots=True)
class TrackLimits:
    """What the configuration says about tracks.

    Attributes:
        start_score: Least score of a detection that starts a track.
        hold_ns: How long a track lives after its last sighting.
    """

    start_score: float = 0.3
    hold_ns: int = NS_PER_S


@dataclass(frozen=True, slots=True)
class Track:
    """One face, as of its last sighting.

    Attributes:
        box: Where the detector saw it, in pixels.
        shown: What was covered then; holds ``box``.
        speed: x and y, in pixels per second.
        seen_ns: Capture time of the frame it was seen in.
        sightings: How often it was seen.
        score: How sure the detector was, the last time.
        is_sure: Whether it was ever known to be a face.
        refusals: How often in a row, about, it was taken for none.
    """

    box: Box
    shown: Box
    speed: tuple[float, float]
    seen_ns: int
    sightings: int = 1
    score: float = 0.0
    is_sure: bool = False
    refusals: int = 0

    @property
    def is_refused(self) -> bool:
        """Whether it is no face, as far as anybody can tell: then it is not covered."""
        return self.refusals >= _ENOUGH_REFUSALS and not self.is_sure

    @property
    def is_settled(self) -> bool:
        """Whether it was taken for no face so often that it need not be asked often."""
        return self.refusals >= _MOST_REFUSALS and not self.is_sure

    def is_of(self, box: Box) -> bool:
        """Say whether ``box`` can only be the same thing, at the same place."""
        return self.box.iou(box) >= _SAME_THING

    def moved_by(self, at_ns: int) -> tuple[float, float]:
        """Return how far it should have come at ``at_ns``, x and y in pixels."""
        flight_s = min(_seconds(self.seen_ns, at_ns), _LONGEST_FLIGHT_S)
        return self.speed[0] * flight_s, self.speed[1] * flight_s

    def area(self, at_ns: int) -> Box:
        """Return what must be covered at ``at_ns``: where it was, and may be by now."""
        unseen_s = _seconds(self.seen_ns, at_ns)
        growth = self.box.size * min(_GROWTH_PER_S * unseen_s, _MOST_GROWTH)
        there = self.shown.moved(*self.moved_by(at_ns))
        return self.shown.joined(there).grown(growth)


def advance(
    tracks: Sequence[Track],
    found: Sequence[Found],
    at_ns: int,
    limits: TrackLimits,
    *,
    is_new_scene: bool = False,
) -> tuple[Track, ...]:
    """Return the tracks after one more frame was analysed.

    Args:
        tracks: What the previous frames left.
        found: Every detection, weak ones included.
        at_ns: Capture time of the analysed frame.
        limits: What the configuration says.
        is_new_scene: Whether weak detections start tracks too.
    """
    pairs = _paired(tracks, found, at_ns)
    seen = [
        _followed(track, found[pairs[i]], at_ns, limits)
        for i, track in enumerate(tracks)
        if i in pairs
    ]
    held = [
        track
        for i, track in enumerate(tracks)
        if i not in pairs and at_ns - track.seen_ns <= limits.hold_ns
    ]
    used = set(pairs.values())
    new = [
        _judged(_started(one, at_ns), one.opinion, one.score)
        for j, one in enumerate(found)
        if j not in used and _may_start(one, limits, is_new_scene=is_new_scene)
    ]
    return (*seen, *held, *new)


def looked_again(
    tracks: Sequence[Track], again: Mapping[Box, Opinion]
) -> tuple[Track, ...]:
    """Return the tracks after a second look at some of them.

    Args:
        tracks: What the previous frames left.
        again: What was seen where tracks are and nothing was found, by their boxes.
    """
    return tuple(
        _judged(track, again[track.box]) if track.box in again else track
        for track in tracks
    )


def _paired(
    tracks: Sequence[Track], found: Sequence[Found], at_ns: int
) -> dict[int, int]:
    """Match each track with at most one detection, the nearest pairs first."""
    near = sorted(
        (distance, i, j)
        for i, track in enumerate(tracks)
        for j, one in enumerate(found)
        if (distance := _distance(track, one.box, at_ns)) <= _REACH
    )
    pairs: dict[int, int] = {}
    for _, i, j in near:
        if i not in pairs and j not in pairs.values():
            pairs[i] = j
    return pairs


def _distance(track: Track, box: Box, at_ns: int) -> float:
    """Return how far ``box`` is from where the face should be, in sizes of the face."""
    size = max(track.box.size, box.size)
    if track.is_refused and not track.is_of(box):
        return math.inf
    if size > _SIZE_RATIO * min(track.box.size, box.size):
        return math.inf
    moved = track.box.moved(*track.moved_by(at_ns))
    return min(math.dist(moved.centre, box.centre), _from(track, box)) / size


def _from(track: Track, box: Box) -> float:
    return math.dist(track.box.centre, box.centre)


def _may_start(one: Found, limits: TrackLimits, *, is_new_scene: bool) -> bool:
    if one.score >= limits.start_score:
        return True
    return is_new_scene and one.opinion is not Opinion.NO_FACE


def _started(one: Found, at_ns: int) -> Track:
    return Track(one.box, one.box, (0.0, 0.0), at_ns, score=one.score)


def _judged(track: Track, opinion: Opinion, score: float = 0.0) -> Track:
    """Return the track after what the newest detection, or another look, has said."""
    if score >= SURE_SCORE or opinion is Opinion.FACE:
        return replace(track, is_sure=True, refusals=0)
    if opinion is Opinion.NO_FACE:
        return replace(track, refusals=min(track.refusals + 1, _MOST_REFUSALS))
    return replace(track, refusals=max(0, track.refusals - _UNSURE_UNDOES))


def _followed(track: Track, one: Found, at_ns: int, limits: TrackLimits) -> Track:
    track = _judged(track, one.opinion, one.score)
    elapsed_s = _seconds(track.seen_ns, at_ns)
    if elapsed_s <= 0:
        joined = track.shown.joined(one.box)
        return replace(track, box=one.box, shown=joined, score=one.score)
    old, new = track.box.centre, one.box.centre
    step = (new[0] - old[0], new[1] - old[1])
    left = math.exp(-elapsed_s / _SHRINK_TIME_S)
    shrunk = _between(one.box, track.shown.moved(*step), left)
    # The boxes of weak detections jump about: they say that a face is there, not how
    # it moves.
    is_weak = one.score < limits.start_score
    speed = track.speed if is_weak else _speed(track, step, elapsed_s)
    return replace(
        track,
        box=one.box,
        shown=one.box.joined(shrunk),
        speed=speed,
        seen_ns=at_ns,
        sightings=track.sightings + 1,
        score=one.score,
    )


def _speed(
    track: Track, step_px: tuple[float, float], elapsed_s: float
) -> tuple[float, float]:
    most = _MOST_SPEED_PER_S * track.box.size
    share = _NEWEST_SPEED_SHARE if track.sightings > 1 else 1.0
    x, y = (
        max(-most, min(most, share * (px / elapsed_s) + (1 - share) * before))
        for px, before in zip(step_px, track.speed, strict=True)
    )
    return x, y


def _between(one: Box, other: Box, share: float) -> Box:
    """Return the box ``share`` of the way from ``one`` to ``other``."""
    return type(one)(*(a + (b - a) * share for a, b in zip(one, other, strict=True)))


def _seconds(from_ns: int, to_ns: int) -> float:
    return max(0, to_ns - from_ns) / NS_PER_S
