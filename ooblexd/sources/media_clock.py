"""When a source's packets were taken, told from its own timestamps and their arrival.

A network only ever delays. So the least that arrival was behind a timestamp, of late,
is how the source's clock stands to ours; sound that arrives in bursts gets the time at
which it was heard by the pictures of that moment.
"""

from __future__ import annotations

from ooblexd.clock import NS_PER_MS, NS_PER_S

_DRIFT = NS_PER_MS  # a second: more than clocks differ, less than one hears
_JUMP_NS = NS_PER_S  # further off, the source has begun to count anew


class MediaClock:
    """How the clock of a source stands to the monotonic one."""

    def __init__(self) -> None:
        self._offset_ns: int | None = None
        self._noted_ns = 0

    def note(self, pts_ns: int, arrival_ns: int) -> None:
        """Learn from a picture that has arrived."""
        offset_ns = arrival_ns - pts_ns
        known_ns = self._offset_ns
        if known_ns is None or abs(offset_ns - known_ns) > _JUMP_NS:
            self._offset_ns = offset_ns
        else:
            passed_ns = max(arrival_ns - self._noted_ns, 0)
            drifted_ns = known_ns + passed_ns * _DRIFT // NS_PER_S
            self._offset_ns = min(drifted_ns, offset_ns)
        self._noted_ns = arrival_ns

    def at(self, pts_ns: int, arrival_ns: int) -> int:
        """Return when what has the time ``pts_ns`` was taken, in monotonic ns."""
        if self._offset_ns is None:
            return arrival_ns
        at_ns = pts_ns + self._offset_ns
        return at_ns if abs(arrival_ns - at_ns) <= _JUMP_NS else arrival_ns
