"""What waits for a push: a second or so of pictures, and then none of them."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from ooblexd.clock import NS_PER_S, monotonic_ns

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.frame import FrameHeader
    from ooblexd.webrtc.exchange import EncodedUnit

LONGEST_NS = 3 * NS_PER_S // 2
MOST_WAITING = 180  # pictures; what is faster than 120 a second is not for a push


class _Waiting(NamedTuple):
    unit: EncodedUnit
    since_ns: int


class Backlog:
    """The pictures between the loop that encodes and the thread of a push.

    Whoever takes them gets each only if it may be shown at that moment, and only what
    refers to nothing that was left out. Where a picture is left out the next is a
    keyframe, which is asked for.

    Args:
        may_show: Says whether a picture may be sent at this very moment.
        want_keyframe: Called when nothing else can be sent.

    Attributes:
        dropped: Pictures that were left out while it was open and they counted.
    """

    def __init__(
        self,
        may_show: Callable[[FrameHeader], bool],
        want_keyframe: Callable[[], None],
    ) -> None:
        self.dropped = 0
        self._may_show = may_show
        self._want_keyframe = want_keyframe
        self._units: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._is_open = False
        self._is_counting = True
        self._is_in_step = False  # what comes next refers only to what was taken

    def open(self, *, is_counting: bool = True) -> None:
        """Begin with the next keyframe; what waits is forgotten without blame.

        Args:
            is_counting: Whether it is a loss when a picture is left out.
        """
        self._is_counting = is_counting
        with self._changed:
            self._is_open, self._is_in_step = True, False
            self._units.clear()
        self._want_keyframe()

    def shut(self) -> None:
        """Take nothing more, and forget what waits."""
        with self._changed:
            self._is_open = False
            self._units.clear()
            self._changed.notify_all()

    def put(self, unit: EncodedUnit, now_ns: int) -> None:
        """Have a picture sent after those before it, if it is not too late for that."""
        with self._changed:
            if not self._is_open:
                return
            units = self._units
            is_late = bool(units) and now_ns - units[0].since_ns > LONGEST_NS
            if is_late or len(units) >= MOST_WAITING:
                self.dropped += len(units) if self._is_counting else 0
                units.clear()
                self._is_in_step = False
            units.append(_Waiting(unit, now_ns))
            self._changed.notify_all()

    def take(self, timeout_s: float) -> EncodedUnit | None:
        """Return the next picture that may be sent now; None if none came in time."""
        deadline_ns = monotonic_ns() + int(timeout_s * NS_PER_S)
        while True:
            with self._changed:
                if not self._units and self._is_open:
                    left_s = (deadline_ns - monotonic_ns()) / NS_PER_S
                    self._changed.wait(max(left_s, 0))
                if not self._units:
                    return None
                unit = self._units.popleft().unit
                if self._admits(unit):
                    self._is_in_step = True
                    return unit
                self._is_in_step = False
                self.dropped += int(self._is_counting)
            self._want_keyframe()

    def _admits(self, unit: EncodedUnit) -> bool:
        if not (self._is_in_step or unit.packet.is_keyframe):
            return False
        return self._may_show(unit.header)
