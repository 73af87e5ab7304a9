"""The ring of a stream's sound, as ingest writes it.

Sound goes past inference: its way is short, and pictures never wait for it. Whether it
may pass is decided here by the plan, and once more wherever it leaves, by the revision
that it carries.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from ooblexd.audio import AudioCodec
from ooblexd.clock import monotonic_ns
from ooblexd.counters import StageWord
from ooblexd.stages.attachment import WriterEnd

if TYPE_CHECKING:
    from ooblexd.audio import AudioPacket
    from ooblexd.commands import AttachWriter
    from ooblexd.counters import StageCounters

_LEAST_BYTES = 2  # of AAC


class AudioRing:
    """Takes sound from the thread that reads the source."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._end: WriterEnd | None = None
        self._revision = 0
        self._passes = False
        self._counters: StageCounters | None = None

    def configure(
        self, revision: int, counters: StageCounters, *, passes: bool
    ) -> None:
        """Let sound pass from now on, or none; either way note what is heard."""
        with self._lock:
            self._revision, self._passes = revision, passes
            self._counters = counters

    def attach(self, message: AttachWriter, fds: list[int]) -> None:
        """Write this segment from now on."""
        with self._lock:
            former, self._end = self._end, WriterEnd(message, fds)
        if former is not None:
            former.close()

    def put(self, packet: AudioPacket) -> None:
        """Have a packet heard by all who listen, if it may pass."""
        with self._lock:
            if self._counters is not None:
                self._counters.set(StageWord.SOUND_CODEC, packet.codec)
                self._counters.set(StageWord.SOUND_NS, monotonic_ns())
            end = self._end
            if end is None or not self._passes:
                return
            if packet.packed_bytes > end.slot_bytes:
                return  # no codec that we know has such
            if packet.codec is AudioCodec.AAC and len(packet.data) < _LEAST_BYTES:
                return  # which no muxer takes
            loan = end.ring.loan()
            replace(packet, revision=self._revision).pack_into(loan.memory)
            end.ring.publish(loan)

    def close(self) -> None:
        """Unmap the ring."""
        with self._lock:
            if self._end is not None:
                self._end.close()
                self._end = None
