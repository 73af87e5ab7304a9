"""When the chain of a stream is idle: pure.

Reading never stops and `ooblexd.sources.decoding` keeps pictures at hand; analysis is
for those who look. The rules are these.

1. While somebody looks, every frame is worked on, and for two seconds more: who loads a
   page again, or asks for a snapshot each second, finds the tracks still warm.
2. A chain has to show that it works: though nobody looks it sees frames until a picture
   comes out of it. So a model that cannot run is known before the first viewer comes.
3. A chain that fails is tried once a second, so that its state stays true.
4. Else it is idle. What it has tracked is worth nothing by the time it goes on, so a
   new one is built at once, and waits, cold, for the first viewer.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_S

if TYPE_CHECKING:
    from ooblexd.plan import EffectPlan

LINGER_NS = 2 * NS_PER_S
TRY_AGAIN_NS = NS_PER_S

Plans = tuple["EffectPlan", ...]


class Work(enum.Enum):
    """What is due for the newest frame."""

    FRAME = "frame"  # the chain works on it
    NOTHING = "nothing"  # it is left alone
    NEW_CHAIN = "new chain"  # likewise, and the chain is to be built anew


class Idle:
    """Decides for one stream, frame by frame."""

    def __init__(self) -> None:
        self._wanted_ns = -LINGER_NS
        self._tried_ns = -TRY_AGAIN_NS
        self._proven: Plans | None = None
        self._is_idle = False

    def prove(self, plans: Plans) -> None:
        """Take note that a picture came out of a chain of ``plans``."""
        self._proven = plans

    def note_try(self, now_ns: int) -> None:
        """Take note that the chain has worked on a frame."""
        self._tried_ns = now_ns

    def work_due(
        self, plans: Plans, now_ns: int, *, is_wanted: bool, is_failing: bool
    ) -> Work:
        """Say what to do with the newest frame.

        Args:
            plans: Of the chain that is to show it in the end.
            now_ns: Monotonic time; it never goes back between calls.
            is_wanted: Somebody looks, or an effect of the chain works for itself.
            is_failing: The chain failed at the frame before.
        """
        if is_wanted:
            self._wanted_ns = now_ns
        if now_ns - self._wanted_ns < LINGER_NS:
            due = Work.FRAME
        elif is_failing:
            is_due = now_ns - self._tried_ns >= TRY_AGAIN_NS
            due = Work.FRAME if is_due else Work.NOTHING
        elif plans != self._proven:
            due = Work.FRAME
        else:
            due = Work.NOTHING if self._is_idle else Work.NEW_CHAIN
        self._is_idle = not is_failing and due is not Work.FRAME
        return due
