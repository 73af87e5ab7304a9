"""Packets are taken from the network when they come, whatever the decoder is at.

Read only when the decoder is done with the one before, packets of a camera that is too
fast for it would wait where nobody sees them: in the kernel's buffers and the camera's.
At 4 Mb/s these hold ten seconds and more, every picture would be that old, and nothing
would say so. Here a thread takes each packet and notes when it came, and what a newer
one has made needless is thrown away.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from ooblexd.clock import NS_PER_MS
from ooblexd.errors import SourceError, SourceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import av

CATCH_UP_NS = 500 * NS_PER_MS
"""What decoding all that waits may take; else it is given up up to a keyframe."""

_MOST_BYTES = 64 << 20  # of packets that nobody takes: two of the largest pictures
_ENDS_WITHIN_S = 5.0  # more than a read may take


class Arrival(NamedTuple):
    """A packet and when it came, in monotonic ns."""

    packet: av.Packet[av.VideoStream]
    at_ns: int


class Arrivals:
    """What has come of a source, read by a thread that owns and closes it.

    Args:
        packets: Blocks until the next one, for a few seconds at most.
        close: Called by the thread, when it has ended.
    """

    def __init__(self, packets: Iterator[Arrival], close: Callable[[], None]) -> None:
        self._packets = packets
        self._close = close
        self._changed = threading.Condition()
        self._waiting: list[Arrival] = []
        self._waiting_bytes = 0
        self._end: Exception | None = None
        self._is_closed = False
        self._thread = threading.Thread(target=self._read, name="arrivals", daemon=True)
        self._thread.start()

    def take(self) -> list[Arrival]:
        """Return all that has come since the last call; blocks until something has.

        Raises:
            SourceUnavailableError: It ended, or nothing came in time.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._end)
            waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
            if waiting:
                return waiting
            assert self._end is not None
            raise self._end

    def close(self) -> None:
        """Close the source, after the packet that is being waited for."""
        self._is_closed = True
        self._thread.join(_ENDS_WITHIN_S)

    def _read(self) -> None:
        end: Exception = RuntimeError("the thread that reads has ended")  # of a bug
        try:
            for arrival in self._packets:
                if self._is_closed:
                    break
                self._note(arrival)
            end = SourceUnavailableError("the stream ended")
        except SourceError as error:
            end = error
        finally:
            self._close()
            with self._changed:
                self._end = end
                self._changed.notify()

    def _note(self, arrival: Arrival) -> None:
        with self._changed:
            if self._waiting_bytes > _MOST_BYTES:
                self._waiting, self._waiting_bytes = [], 0
            self._waiting.append(arrival)
            self._waiting_bytes += arrival.packet.size
            self._changed.notify()


def first_of_use(
    waiting: Sequence[Arrival],
    begins_anew: Callable[[av.Packet[av.VideoStream]], bool],
    *,
    is_intra_only: bool,
    cost_ns: float,
) -> int:
    """Say from which packet on what waits is worth decoding; its length if none is.

    Args:
        waiting: In the order it came; not empty.
        begins_anew: Says of a packet whether it needs nothing that came before it.
        is_intra_only: Each picture can be decoded without any other.
        cost_ns: What decoding a packet takes.
    """
    if is_intra_only:
        return len(waiting) - 1
    for at in reversed(range(len(waiting))):
        if begins_anew(waiting[at].packet):
            return at
    return 0 if len(waiting) * cost_ns <= CATCH_UP_NS else len(waiting)
