"""One bad connection does not spoil the picture for all."""

from __future__ import annotations

import pytest

from ooblexd.clock import NS_PER_MS, NS_PER_S
from ooblexd.webrtc.estimates import (
    FIRST_PAUSE_NS,
    LONGEST_PAUSE_NS,
    PATIENCE_NS,
    Thinning,
    shared_estimate,
)

RATE = 2_400_000
PICTURE_BYTES = RATE // 8 // 30
PERIOD_NS = 33 * NS_PER_MS


@pytest.mark.parametrize(
    ("estimates", "shared"),
    [
        ([], 0),
        ([0, 0], 0),
        ([0, 500], 500),
        ([300, 2400], 300),  # of two nobody is the odd one
        ([300, 2400, 2400], 2400),
        ([1300, 2400, 2400], 1300),
        ([300, 400, 2400, 2400], 300),  # half of them are no outliers
        ([300, 2000, 2400, 2400, 2400], 2000),
    ],
)
def test_who_can_take_far_less_than_most_is_left_out(
    estimates: list[int], shared: int
) -> None:
    assert shared_estimate(estimates) == shared


class Viewer:
    """A viewer by a clock of its own, who is sent a stream of `RATE`."""

    def __init__(self, estimate: int, loss: float) -> None:
        self.now_ns = 100 * NS_PER_S
        self.thinning = Thinning()
        self.thinning.note_estimate(estimate)
        self.loss = loss

    def watch(self, span_ns: int) -> list[bool]:
        """Return for each picture of a span whether it was one of the thin."""
        found = []
        end_ns = self.now_ns + span_ns
        while self.now_ns < end_ns:
            self.now_ns += PERIOD_NS
            is_thin = self.thinning.is_thin(self.now_ns)
            if not is_thin:
                self.thinning.note_sent(PICTURE_BYTES, self.now_ns, is_keyframe=False)
                self.thinning.note_loss(self.loss, self.now_ns)
            found.append(is_thin)
        return found


def test_who_takes_it_all_is_sent_it_all() -> None:
    assert not any(Viewer(RATE, loss=0.3).watch(20 * NS_PER_S))


def test_a_low_estimate_alone_is_no_trouble() -> None:
    assert not any(Viewer(RATE // 10, loss=0.01).watch(20 * NS_PER_S))


def test_who_loses_what_is_too_much_for_it_gets_less_after_some_patience() -> None:
    viewer = Viewer(RATE // 4, loss=0.2)

    assert not any(viewer.watch(PATIENCE_NS))
    assert viewer.watch(2 * NS_PER_S)[-1]


def test_it_is_tried_again_less_and_less_often() -> None:
    viewer = Viewer(RATE // 4, loss=0.2)

    thin = viewer.watch(400 * NS_PER_S)

    spans = "".join("t" if one else "-" for one in thin).replace("-", " ").split()
    pauses_s = [round(len(span) * PERIOD_NS / NS_PER_S) for span in spans]
    longest_s = LONGEST_PAUSE_NS // NS_PER_S
    first_s = FIRST_PAUSE_NS // NS_PER_S
    assert pauses_s[:4] == [first_s, 2 * first_s, 4 * first_s, longest_s]
    assert max(pauses_s) == longest_s


def test_a_connection_that_has_recovered_is_sent_all_again() -> None:
    viewer = Viewer(RATE // 4, loss=0.2)
    assert any(viewer.watch(10 * NS_PER_S))
    viewer.loss = 0.0
    viewer.thinning.note_estimate(RATE)

    viewer.watch(FIRST_PAUSE_NS)

    assert not any(viewer.watch(60 * NS_PER_S))


def test_it_gets_as_many_keyframes_as_fit() -> None:
    thinning = Thinning()
    thinning.note_estimate(80_000)
    assert thinning.is_keyframe_due(0)

    thinning.note_sent(40_000, 0, is_keyframe=True)  # four seconds' worth

    assert not thinning.is_keyframe_due(3 * NS_PER_S)
    assert thinning.is_keyframe_due(4 * NS_PER_S)
