"""Packets that come in bursts, taken when they come and handed on when they are due."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_MS, NS_PER_S
from ooblexd.errors import SourceError, SourceUnavailableError
from ooblexd.sources.arrivals import Arrival

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import av

    from ooblexd.sources.playout import Playout

_MOST_BYTES = 32 << 20
_MOST_NS = 30 * NS_PER_S
_BURST_NS = 200 * NS_PER_MS  # without a packet for longer, the next begins a burst


class ReadAhead:
    """Reads in a thread of its own, which closes the source when it ends.

    What is read and not due yet is bounded: a film would be loaded as a whole.

    Args:
        packets: Blocks until the next one; ends where no more will come.
        close: Called by the thread, when it has ended.
        playout: Says when each is due.
        now_ns: The monotonic clock.
    """

    def __init__(
        self,
        packets: Iterator[Arrival],
        close: Callable[[], None],
        playout: Playout,
        now_ns: Callable[[], int],
    ) -> None:
        self._packets = packets
        self._close = close
        self._playout = playout
        self._now_ns = now_ns
        self._changed = threading.Condition()
        self._waiting: deque[Arrival] = deque()
        self._waiting_bytes = 0
        self._came_ns = 0
        self._end: Exception | None = None
        self._is_stopped = False
        thread = threading.Thread(target=self._read, name="read ahead", daemon=True)
        thread.start()

    def due(self) -> Iterator[tuple[Arrival, int]]:
        """Yield each packet when it is due, as if it came then, and when that was.

        Raises:
            SourceUnavailableError: It ended, or could not be read any more.
        """
        while True:
            arrival = self._take()
            if arrival is None:
                return
            due_ns = self._playout.due_ns(time_of(arrival.packet), self._now_ns())
            with self._changed:
                left_s = (due_ns - self._now_ns()) / NS_PER_S
                self._changed.wait_for(lambda: self._is_stopped, max(left_s, 0))
            yield Arrival(arrival.packet, self._now_ns()), due_ns

    def stop(self) -> None:
        """Hand on nothing more, and have the thread end after what it waits for."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def _take(self) -> Arrival | None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._waiting or self._end or self._is_stopped
            )
            if self._is_stopped:
                return None
            if not self._waiting:
                assert self._end is not None
                raise self._end
            arrival = self._waiting.popleft()
            self._waiting_bytes -= arrival.packet.size
            self._changed.notify_all()
            return arrival

    def _read(self) -> None:
        end: Exception = RuntimeError("the thread that reads has ended")  # of a bug
        try:
            for arrival in self._packets:
                if not self._note(arrival):
                    break
            end = SourceUnavailableError("the playlist lists nothing new")
        except SourceError as error:
            end = error
        finally:
            self._close()
            with self._changed:
                self._end = end
                self._changed.notify_all()

    def _note(self, arrival: Arrival) -> bool:
        """Keep a packet, once there is room; False when nobody wants it any more."""
        with self._changed:
            if arrival.at_ns - self._came_ns > _BURST_NS and self._came_ns:
                self._playout.note_spare(self._spread_ns())
            self._came_ns = arrival.at_ns
            self._changed.wait_for(lambda: self._is_stopped or self._has_room())
            self._waiting.append(arrival)
            self._waiting_bytes += arrival.packet.size
            self._changed.notify_all()
            return not self._is_stopped

    def _has_room(self) -> bool:
        return self._waiting_bytes < _MOST_BYTES and self._spread_ns() < _MOST_NS

    def _spread_ns(self) -> int:
        """How long what waits will be played."""
        if not self._waiting:
            return 0
        ends = self._waiting[0], self._waiting[-1]
        first, last = (time_of(arrival.packet) for arrival in ends)
        return abs(last - first) if first is not None and last is not None else 0


def time_of(packet: av.Packet[av.VideoStream]) -> int | None:
    """Return when a packet is to be decoded, in the source's own time, in ns."""
    if packet.dts is None or packet.time_base is None:
        return None
    return int(packet.dts * packet.time_base * NS_PER_S)
