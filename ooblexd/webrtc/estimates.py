"""One encoder, many viewers: which rate it keeps to, and who gets less of it.

A viewer says what it thinks it can receive (REMB). The encoder keeps to the least of
these, with two bounds, so that one bad connection does not spoil the picture for all:

- Whoever can take less than half of what the median viewer can is left out of it (of
  two, both count).
- There is a rate below which the encoder never goes (`stages.video`).

Who thereby gets more than it can take loses packets, asks for keyframes, which cost all
the others, and sees little in between. So it gets keyframes alone, as many as fit, and
after some time another try; its own words could not say when, since an estimate grows
only with what is received.

An estimate alone is no sign of trouble: of a scene without motion little is received,
so little is estimated. Loss must come with it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from ooblexd.clock import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable

_OUTLIER_SHARE = 2  # less than the median by this factor is left out
_EXCESS = 1.2  # of what is sent over what is estimated
LEAST_LOSS = 0.05  # of the packets of one report
PATIENCE_NS = 3 * NS_PER_S  # for the encoder to follow
_WINDOW_NS = 2 * NS_PER_S
_LOSS_HOLDS_NS = 2 * NS_PER_S  # reports come each second or so
FIRST_PAUSE_NS = 10 * NS_PER_S
LONGEST_PAUSE_NS = 60 * NS_PER_S
_LEAST_GAP_NS = NS_PER_S  # between the keyframes of such a viewer
_LONGEST_GAP_NS = 10 * NS_PER_S
_BITS = 8


def shared_estimate(estimates: Iterable[int]) -> int:
    """Return the rate that all viewers together want, in bits a second.

    Args:
        estimates: Of each; 0 of one that has said nothing.

    Returns:
        0 where nobody has said anything.
    """
    known = sorted(filter(None, estimates))
    if not known:
        return 0
    median = known[(len(known) - 1) // 2]
    return next(one for one in known if one * _OUTLIER_SHARE >= median)


class _Sent(NamedTuple):
    at_ns: int
    bits: int


class Thinning:
    """Whether a viewer gets keyframes alone; each call says what time it is."""

    def __init__(self) -> None:
        self._estimate = 0
        self._lost_ns: int | None = None
        self._sent: deque[_Sent] = deque()
        self._over_since_ns: int | None = None
        self._until_ns = 0
        self._pause_ns = FIRST_PAUSE_NS
        self._keyframe: _Sent | None = None

    def note_estimate(self, bit_rate: int) -> None:
        """Take what the viewer thinks that it can receive, in bits a second."""
        self._estimate = bit_rate

    def note_loss(self, share: float, now_ns: int) -> None:
        """Take which share of the packets was lost since the last report."""
        if share >= LEAST_LOSS:
            self._lost_ns = now_ns

    def note_sent(self, payload_bytes: int, now_ns: int, *, is_keyframe: bool) -> None:
        """Take that a picture was sent."""
        sent = _Sent(now_ns, payload_bytes * _BITS)
        if is_keyframe:
            self._keyframe = sent
        self._sent.append(sent)
        while self._sent[0].at_ns < now_ns - _WINDOW_NS:
            self._sent.popleft()

    def is_thin(self, now_ns: int) -> bool:
        """Say whether the viewer is to get keyframes alone."""
        if now_ns < self._until_ns:
            return True
        if not self._is_over(now_ns):
            self._over_since_ns = None
            if now_ns - self._until_ns > LONGEST_PAUSE_NS:
                self._pause_ns = FIRST_PAUSE_NS  # it has recovered
            return False
        if self._over_since_ns is None:
            self._over_since_ns = now_ns
        if now_ns - self._over_since_ns < PATIENCE_NS:
            return False
        self._over_since_ns = None
        self._until_ns = now_ns + self._pause_ns
        self._pause_ns = min(2 * self._pause_ns, LONGEST_PAUSE_NS)
        return True

    def is_keyframe_due(self, now_ns: int) -> bool:
        """Say whether a viewer who gets nothing else can take the next keyframe."""
        if self._keyframe is None:
            return True
        gap_ns = self._keyframe.bits * NS_PER_S // max(self._estimate, 1)
        gap_ns = min(max(gap_ns, _LEAST_GAP_NS), _LONGEST_GAP_NS)
        return now_ns - self._keyframe.at_ns >= gap_ns

    def _is_over(self, now_ns: int) -> bool:
        if not self._estimate or self._lost_ns is None:
            return False
        if now_ns - self._lost_ns > _LOSS_HOLDS_NS:
            return False
        bits = sum(one.bits for one in self._sent if one.at_ns >= now_ns - _WINDOW_NS)
        return bits * NS_PER_S > _EXCESS * self._estimate * _WINDOW_NS
