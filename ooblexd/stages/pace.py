"""The rhythm of a stream, and how old its pictures may become by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_S
from ooblexd.frame import Step

if TYPE_CHECKING:
    from ooblexd.frame import FrameHeader

_LEAST_MAX_AGE_NS = NS_PER_S
_CHAIN_TIMES = 3
_LONGEST_INTERVAL_NS = 10 * NS_PER_S


class Pace:
    """The stream's own rhythm: between frames, and through the chain.

    Attributes:
        interval_ns: Between frames: the smaller of the last two, so that one gap (a
            worker was replaced, the camera was away) is not taken for a slow camera,
            whose pictures may be held for longer.
        configured_max_age_ns: 0 where the bound follows the chain.
    """

    def __init__(self) -> None:
        self.interval_ns = 0
        self.configured_max_age_ns = 0
        self._last_interval_ns = 0
        self._chain_ns = 0.0

    def note(self, header: FrameHeader, before: FrameHeader, frames: int) -> None:
        """Learn from a frame and the one seen before it, ``frames`` earlier."""
        interval_ns = (header.capture_ns - before.capture_ns) // max(frames, 1)
        interval_ns = min(max(interval_ns, 0), _LONGEST_INTERVAL_NS)
        self.interval_ns = min(interval_ns, self._last_interval_ns or interval_ns)
        self._last_interval_ns = interval_ns
        chain_ns = header.steps_ns[Step.PROCESSED] - header.steps_ns[Step.PICKED]
        self._chain_ns += (chain_ns - self._chain_ns) / 8

    def max_age_ns(self) -> int:
        """Return the bound beyond which a picture is not shown."""
        automatic = max(_LEAST_MAX_AGE_NS, int(_CHAIN_TIMES * self._chain_ns))
        return self.configured_max_age_ns or automatic
