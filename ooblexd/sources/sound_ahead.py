"""Sound that was read ahead, handed on with the pictures of its moment.

Who knows when a picture is due knows when sound is, by the time between the two in the
source's own clock. That clock may begin anew, as where a playlist goes on with another
encoder, and then says nothing about what came before: so sound belongs to the
*stretch* of pictures in which it was read, a stretch ending where their time jumps.

While play is a tenth faster, so as to be as young as the playlist allows, there is more
sound than time: those who hand it out leave out a packet now and then.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from ooblexd.audio import SLOT_BYTES
from ooblexd.clock import NS_PER_MS, NS_PER_S
from ooblexd.sources.left_out import NOT_OF_ITS_TIME
from ooblexd.sources.playout import JUMP_NS

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.audio import AudioPacket

_MOST_WAITING = 8192  # packets: more than there are of the pictures that may wait
_BEHIND_NS = 100 * NS_PER_MS  # which those who hand it out do not mind
_LATE_NS = NS_PER_S
_FAR_NS = 60 * NS_PER_S  # a segment is shorter
_MANY_FAR = 256


class _Waiting(NamedTuple):
    stretch: int
    packet: AudioPacket


class _Played(NamedTuple):
    stretch: int
    time_ns: int
    due_ns: int


class _Stretches:
    """Counts the stretches of one run of pictures."""

    def __init__(self) -> None:
        self.number = 0
        self.last_ns: int | None = None
        self.step_ns = 0
        self.former_end_ns: int | None = None

    def note(self, time_ns: int) -> None:
        """Go on to the next picture."""
        if self.last_ns is not None:
            self.step_ns = time_ns - self.last_ns
            if not 0 <= self.step_ns <= JUMP_NS:
                self.number += 1
                self.step_ns, self.former_end_ns = 0, self.last_ns
        self.last_ns = time_ns

    def number_of(self, time_ns: int) -> int:
        """Return the stretch that sound of this time is of: this, or the former."""
        if self.last_ns is None or self.former_end_ns is None:
            return self.number
        is_late = abs(time_ns - self.former_end_ns) < abs(time_ns - self.last_ns)
        return self.number - is_late


class SoundAhead:
    """Keeps sound until it is due; one thread reads, another plays the same pictures.

    Args:
        tell: Told of each packet, and at which monotonic time it is heard.
        on_left_out: Told why sound is never due.
    """

    def __init__(
        self,
        tell: Callable[[AudioPacket, int], None],
        on_left_out: Callable[[str], None],
    ) -> None:
        self._tell = tell
        self._on_left_out = on_left_out
        self._read, self._played = _Stretches(), _Stretches()
        self._waiting: deque[_Waiting] = deque(maxlen=_MOST_WAITING)
        self._first: _Waiting | None = None
        self._former: _Played | None = None
        self._far = 0  # packets in a row

    def note_picture(self, time_ns: int) -> None:
        """Take that a picture of this time, as it is decoded, was read."""
        self._read.note(time_ns)

    def put(self, packet: AudioPacket) -> None:
        """Keep sound that was read; its time is the source's own."""
        if len(packet.data) > SLOT_BYTES:
            return  # which nobody would take
        number, last_ns = self._read.number_of(packet.at_ns), self._read.last_ns
        is_far = last_ns is not None and abs(packet.at_ns - last_ns) > _FAR_NS
        if is_far and number == self._read.number:
            self._far += 1
            if self._far == _MANY_FAR:
                self._on_left_out(NOT_OF_ITS_TIME)
            return
        self._far = 0
        self._waiting.append(_Waiting(number, packet))

    def play(self, time_ns: int, due_ns: int) -> None:
        """Hand on what is heard by then, where the next picture is far off even before.

        Sound that is told too early would not wait if the next segment is late.

        Args:
            time_ns: Of the picture, as it is decoded.
            due_ns: Monotonic time at which it is due.
        """
        played, former = self._played, self._former
        played.note(time_ns)
        self._former = _Played(played.number, time_ns, due_ns)
        early_ns = max(played.step_ns - _BEHIND_NS, 0)
        while (first := self._first or self._next()) is not None:
            ahead_ns = first.packet.at_ns - time_ns
            is_of_now = first.stretch == played.number
            if first.stretch > played.number or (is_of_now and ahead_ns > early_ns):
                self._first = first
                return
            self._first = None
            if is_of_now and ahead_ns > -_LATE_NS:
                self._tell(first.packet, due_ns + ahead_ns)
            elif former is not None and first.stretch == former.stretch:
                self._tell_end(first.packet, former)

    def _tell_end(self, packet: AudioPacket, last: _Played) -> None:
        """Hand on what is heard behind the last picture of a stretch."""
        ahead_ns = packet.at_ns - last.time_ns
        if 0 < ahead_ns < _BEHIND_NS:
            self._tell(packet, last.due_ns + ahead_ns)

    def _next(self) -> _Waiting | None:
        try:
            return self._waiting.popleft()
        except IndexError:
            return None
