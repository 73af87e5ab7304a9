"""Opens the end of a ring that the supervisor hands to a stage."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ooblexd.ring import RingSpec, open_reader, open_writer

if TYPE_CHECKING:
    from ooblexd.commands import AttachReader, AttachWriter
    from ooblexd.ring import RingReader, RingWriter


class WriterEnd:
    """A ring's writer, and the descriptors it wakes its readers by."""

    def __init__(self, message: AttachWriter, fds: list[int]) -> None:
        segment_fd, *self._wake_fds = fds
        spec = _spec_of(message)
        self.slot_bytes = spec.slot_bytes
        self.ring: RingWriter = open_writer(
            segment_fd, spec, self._wake_fds, message.generation
        )
        os.close(segment_fd)

    def close(self) -> None:
        """Unmap the ring."""
        self.ring.close()
        for fd in self._wake_fds:
            os.close(fd)


class ReaderEnd:
    """A ring's reader, and the descriptor that wakes it.

    Args:
        message: Which ring.
        fds: The segment and the eventfd.
        former: The reader of the memory that this one replaces: it is closed, and the
            count of its frames goes on here.
    """

    def __init__(
        self, message: AttachReader, fds: list[int], former: ReaderEnd | None
    ) -> None:
        segment_fd, self.wake_fd = fds
        spec = _spec_of(message)
        self.ring: RingReader = open_reader(
            segment_fd, spec, message.place, self.wake_fd
        )
        os.close(segment_fd)
        if former is not None:
            self.ring.resume(former.ring.seen)
            former.close()

    def close(self) -> None:
        """Unmap the ring."""
        self.ring.close()
        os.close(self.wake_fd)


def _spec_of(message: AttachReader | AttachWriter) -> RingSpec:
    return RingSpec(
        slots=message.slots,
        slot_bytes=message.slot_bytes,
        readers=message.readers,
        history=message.history,
    )
