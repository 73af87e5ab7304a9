"""What happens again and again is told once, and then less and less often: pure.

A camera that is away for a night, or an effect that fails at each frame, must not fill
the log; nor may it fall silent for ever, or whoever looks in the morning sees nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from ooblexd.clock import NS_PER_S

INTERVALS_NS = tuple(seconds * NS_PER_S for seconds in (60, 600, 3600))
FORGOTTEN_NS = 600 * NS_PER_S
_MOST = 32


@dataclass(slots=True)
class _Known:
    told: int = 0
    told_ns: int = 0
    happened_ns: int = 0
    count: int = 0


class Reminders:
    """The times at which things that happen again and again are to be told.

    What is new, or has not happened for ten minutes, is told at once; it is told again
    after a minute, after ten, and then each hour. Of more than 32 different things at
    the same time the one that has not happened for longest counts as new.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def due(self, what: str, now_ns: int) -> int:
        """Take note that ``what`` has happened.

        Args:
            what: In words; other words are another thing.
            now_ns: Monotonic time.

        Returns:
            How often it has happened since it was told last, this time included; 0
            where it is not to be told now.
        """
        known = self._known.pop(what, None)
        if known is None or now_ns - known.happened_ns > FORGOTTEN_NS:
            known = _Known()
        self._known[what] = known  # as the youngest
        if len(self._known) > _MOST:
            del self._known[next(iter(self._known))]
        known.happened_ns = now_ns
        known.count += 1
        interval_ns = INTERVALS_NS[min(max(known.told - 1, 0), len(INTERVALS_NS) - 1)]
        if known.told and now_ns - known.told_ns < interval_ns:
            return 0
        count, known.count = known.count, 0
        known.told, known.told_ns = known.told + 1, now_ns
        return count
