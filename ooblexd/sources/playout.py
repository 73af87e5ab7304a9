"""When pictures that come in bursts are due: pure.

HLS hands out a whole segment at once, and then nothing for as long as it lasts. Played
as it comes, it would show one picture a segment. So each packet is due at its own time
after the one before, and what comes early waits. What is there when the next segment
comes has waited needlessly: then play is a tenth faster, until just a little is left,
and the picture is as young as the playlist allows.
"""

from __future__ import annotations

from collections import deque

from ooblexd.clock import NS_PER_MS, NS_PER_S

SPARE_NS = NS_PER_S // 2  # servers and networks are not punctual
FASTER = 1.1
JUMP_NS = 2 * NS_PER_S
"""A longer step is no step: the source's clock was set anew."""

_UNKNOWN_NS = 40 * NS_PER_MS
_LATE_NS = 100 * NS_PER_MS
_REMEMBERED = 2  # one early segment proves nothing


class Playout:
    """The schedule of one source.

    Args:
        is_live: More is to come; else nothing is gained by haste.
    """

    def __init__(self, *, is_live: bool) -> None:
        self._is_live = is_live
        self._last_ns: int | None = None
        self._due_ns = 0
        self._spare_ns: deque[int] = deque([0], maxlen=_REMEMBERED)

    def note_spare(self, spare_ns: int) -> None:
        """Take note of how much was left to play when more came."""
        self._spare_ns.append(spare_ns)

    def due_ns(self, time_ns: int | None, now_ns: int) -> int:
        """Return the monotonic time at which a packet is due.

        After a pause of the source play goes on from now; a jump of its clock, as where
        its encoder was started anew, is a short step.

        Args:
            time_ns: In the source's own time, as it is decoded; None where it has none.
            now_ns: Monotonic time.
        """
        step_ns = 0
        if time_ns is not None:
            if self._last_ns is not None:
                step_ns = time_ns - self._last_ns
            self._last_ns = time_ns
        if not 0 <= step_ns <= JUMP_NS:
            step_ns = _UNKNOWN_NS
        is_early = self._is_live and min(self._spare_ns) > SPARE_NS
        due_ns = self._due_ns + int(step_ns / (FASTER if is_early else 1))
        self._due_ns = due_ns if due_ns >= now_ns - _LATE_NS else now_ns
        return self._due_ns
