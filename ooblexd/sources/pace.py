"""Hands the pictures of a clip over at their own pace, as a camera would.

When a picture is due follows from its time in the clip alone, so no error adds up. A
reader that comes more than a period late has missed ticks, as it would of a camera:
the schedule moves on by whole periods, so there is never a burst and the beat stays.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_WAIT_NS = 2 * NS_PER_S  # a gap in a clip must not look like a dead source


class Pace:
    """When pictures are due.

    Args:
        period_ns: From one picture to the next, as the clip announces it.
        now_ns: The monotonic clock.
        sleep_s: Pauses the thread; tests give one that moves ``now_ns``.

    Attributes:
        missed: Ticks that passed while nobody read.
    """

    def __init__(
        self,
        period_ns: int,
        now_ns: Callable[[], int],
        sleep_s: Callable[[float], None] = time.sleep,  # noqa: TID251 - a pace is pauses
    ) -> None:
        self.missed = 0
        self._period_ns = period_ns
        self._now_ns = now_ns
        self._sleep_s = sleep_s
        self._origin_ns: int | None = None

    def at(self, clip_ns: int) -> int:
        """Return the monotonic time at which a time of the clip is, or was, due.

        Args:
            clip_ns: Near that of the picture that was waited for last.
        """
        assert self._origin_ns is not None, "a picture was waited for"
        return self._origin_ns + clip_ns

    def wait_until(self, clip_ns: int) -> int:
        """Pause until the picture at ``clip_ns`` of the clip is due.

        Args:
            clip_ns: Time in the clip, going on over its repetitions.

        Returns:
            The monotonic time now, in ns: the moment the picture is handed over.
        """
        now_ns = self._now_ns()
        if self._origin_ns is None:
            self._origin_ns = now_ns - clip_ns
        ahead_ns = self._origin_ns + clip_ns - now_ns
        if ahead_ns < -self._period_ns:
            missed = -ahead_ns // self._period_ns + 1
            self.missed += missed
            ahead_ns += missed * self._period_ns
        ahead_ns = min(ahead_ns, _LONGEST_WAIT_NS)
        self._origin_ns = now_ns + ahead_ns - clip_ns
        if ahead_ns > 0:
            self._sleep_s(ahead_ns / NS_PER_S)
        return self._now_ns()
