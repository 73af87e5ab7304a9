"""Who plays a stream by HLS: nobody connects for long, so who asked of late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

AWAY_NS = 10 * NS_PER_S
_MOST = 1000


class Audience:
    """The players of one stream, by the session that each was given.

    Args:
        now_ns: The monotonic clock.
    """

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._asked_ns: dict[str, int] = {}  # in the order of the last request

    def note(self, session: str) -> None:
        """Take note that a player has asked for the playlist of parts."""
        self._asked_ns.pop(session, None)
        self._asked_ns[session] = self._now_ns()
        while len(self._asked_ns) > _MOST:
            del self._asked_ns[next(iter(self._asked_ns))]

    def count(self) -> int:
        """Return how many have asked within the last ten seconds."""
        since_ns = self._now_ns() - AWAY_NS
        while self._asked_ns:
            first = next(iter(self._asked_ns))
            if self._asked_ns[first] >= since_ns:
                break
            del self._asked_ns[first]
        return len(self._asked_ns)
