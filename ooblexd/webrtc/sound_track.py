"""Sound on its way to one viewer, no earlier than the picture of its moment."""

from __future__ import annotations

import asyncio
from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from ooblexd.clock import NS_PER_MS, NS_PER_S, monotonic_ns
from ooblexd.encoders.sound import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from av.stream import Stream

    from ooblexd.audio import AudioPacket

_EARLY_NS = 40 * NS_PER_MS  # what nobody notices: a picture's period and less
_LATE_NS = NS_PER_S  # then it is sent without a picture
_MOST_WAITING = 100  # packets


class SoundTrack(MediaStreamTrack):
    """A track of Opus whose packets need no encoder.

    Effects take their time for pictures, and sound waits for them: a viewer plays both
    as they come.

    Args:
        may_hear: Says whether a packet may be sent at this very moment.
    """

    kind = "audio"

    def __init__(self, may_hear: Callable[[AudioPacket], bool]) -> None:
        super().__init__()
        self._may_hear = may_hear
        self._packets: deque[AudioPacket] = deque(maxlen=_MOST_WAITING)
        self._shown_ns = 0
        self._is_due = asyncio.Event()

    def put(self, packet: AudioPacket) -> None:
        """Have a packet sent, after those before it."""
        self._packets.append(packet)
        self._look()

    def note_shown(self, capture_ns: int) -> None:
        """Take that a picture of this time is on its way to the viewer."""
        self._shown_ns = capture_ns
        self._look()

    async def recv(self) -> av.Packet[Stream]:
        """Return the next packet that is due.

        Raises:
            MediaStreamError: The track has ended.
        """
        while self.readyState == "live":
            self._look()
            if not self._is_due.is_set():
                await self._is_due.wait()
                continue
            sound = self._packets.popleft()
            if not self._may_hear(sound):
                continue
            packet = av.Packet(sound.data)
            packet.pts = sound.at_ns * SAMPLE_RATE // NS_PER_S
            packet.time_base = Fraction(1, SAMPLE_RATE)
            return packet
        raise MediaStreamError

    def stop(self) -> None:
        """End; `recv` returns nothing more."""
        super().stop()
        self._is_due.set()

    def _look(self) -> None:
        if self.readyState != "live":
            return
        first = self._packets[0] if self._packets else None
        due_ns = max(self._shown_ns + _EARLY_NS, monotonic_ns() - _LATE_NS)
        if first is not None and first.at_ns <= due_ns:
            self._is_due.set()
        else:
            self._is_due.clear()
