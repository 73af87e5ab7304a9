from __future__ import annotations

from itertools import pairwise

from ooblexd.clock import NS_PER_MS, NS_PER_S
from ooblexd.frame import FrameHeader, Step
from ooblexd.stages.output import Pace


def pace_of(*captures_ms: int, chain_ms: int = 20) -> Pace:
    """Return the pace after frames that were taken at ``captures_ms``."""
    pace = Pace()
    frames = [
        FrameHeader(sequence=1, width=2, height=2, capture_ns=at_ms * NS_PER_MS)
        .stamped(Step.PICKED, at_ms * NS_PER_MS)
        .stamped(Step.PROCESSED, (at_ms + chain_ms) * NS_PER_MS)
        for at_ms in captures_ms
    ]
    for before, frame in pairwise(frames):
        pace.note(frame, before, 1)
    return pace


def test_a_slow_camera_is_known_from_its_second_picture_on() -> None:
    assert pace_of(0).interval_ns == 0
    assert pace_of(0, 2000).interval_ns == 2 * NS_PER_S
    assert pace_of(0, 2000, 3900, 6000).interval_ns == 1900 * NS_PER_MS


def test_one_gap_makes_no_slow_camera() -> None:
    assert pace_of(0, 33, 66, 9000).interval_ns == 33 * NS_PER_MS
    assert pace_of(0, 33, 66, 9000, 9033, 9066).interval_ns == 33 * NS_PER_MS


def test_frames_passed_over_do_not_make_a_camera_slow() -> None:
    pace = Pace()
    frame, later = (
        FrameHeader(sequence=n, width=2, height=2, capture_ns=n * 40 * NS_PER_MS)
        for n in (1, 6)
    )

    pace.note(later, frame, 5)

    assert pace.interval_ns == 40 * NS_PER_MS


def test_a_slow_chain_moves_the_bound_of_age() -> None:
    assert pace_of(0, 33).max_age_ns() == NS_PER_S
    slow = pace_of(*range(0, 60_000, 1000), chain_ms=800)
    assert 2.3 * NS_PER_S < slow.max_age_ns() <= 2.4 * NS_PER_S


def test_a_configured_bound_stands() -> None:
    pace = pace_of(0, 1000, chain_ms=900)
    pace.configured_max_age_ns = 500 * NS_PER_MS

    assert pace.max_age_ns() == 500 * NS_PER_MS
