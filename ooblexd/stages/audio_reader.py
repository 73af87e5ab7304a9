"""The ring of a stream's sound, as output reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ooblexd.audio import unpack_audio
from ooblexd.stages.attachment import ReaderEnd

if TYPE_CHECKING:
    from ooblexd.audio import AudioPacket
    from ooblexd.commands import AttachReader


class AudioReader:
    """Takes every packet of sound while somebody listens."""

    def __init__(self) -> None:
        self._end: ReaderEnd | None = None
        self._is_listening = False

    def attach(self, message: AttachReader, fds: list[int]) -> None:
        """Read this segment from now on."""
        self._end = ReaderEnd(message, fds, self._end)

    @property
    def wake_fds(self) -> tuple[int, ...]:
        """Readable once there is sound that somebody listens to."""
        is_used = self._end is not None and self._is_listening
        return (self._end.wake_fd,) if self._end is not None and is_used else ()

    def heard(self, required_revision: int, *, listens: bool) -> list[AudioPacket]:
        """Return what has come since the last call, where somebody listens.

        What was heard before the configuration came to ask for more is left out.
        """
        begins, self._is_listening = listens and not self._is_listening, listens
        if self._end is None or not listens:
            return []
        ring = self._end.ring
        ring.drain_wake()
        packets: list[AudioPacket] = []
        while True:
            while (lent := ring.next()) is not None:
                with lent:
                    packets.append(unpack_audio(lent.memory))
            if ring.prepare_wait():
                break
        if begins:
            return []  # that was before
        return [packet for packet in packets if packet.revision >= required_revision]

    def close(self) -> None:
        """Unmap the ring."""
        if self._end is not None:
            self._end.close()
