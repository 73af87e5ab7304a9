"""The supervisor's and ingest's side of a ring of uploads that control writes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ooblexd.commands import AttachWriter, send
from ooblexd.frame import HEADER_BYTES, FrameHeader, unpack_header
from ooblexd.ring import RingReader, RingSpec, create_segment, open_reader

if TYPE_CHECKING:
    from tests.support.control import ControlBench


class UploadRing:
    """A ring that takes the place of the one before."""

    def __init__(self, bench: ControlBench, stream: str = "desk") -> None:
        self._bench = bench
        self._stream = stream
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._reader: RingReader | None = None

    def attach(self, slot_bytes: int) -> None:
        """Hand control a ring of this size, in place of the one before."""
        spec = RingSpec.newest_only(slot_bytes=slot_bytes, readers=1)
        segment = create_segment(spec)
        self.close()
        self._reader = open_reader(segment.fd, spec, 0, self._wake)
        message = AttachWriter(
            stream=self._stream,
            kind="uploaded",
            slots=spec.slots,
            slot_bytes=spec.slot_bytes,
            readers=1,
            history=0,
            generation=7,
        )
        send(self._bench.end, message, (segment.fd, self._wake))
        segment.close()

    def newest(self) -> tuple[FrameHeader, bytes] | None:
        """Return what control has published, if it was not taken yet."""
        assert self._reader is not None
        lent = self._reader.newest()
        if lent is None:
            return None
        with lent:
            header = unpack_header(lent.memory)
            return header, bytes(lent.memory[HEADER_BYTES:][: header.payload_bytes])

    def close(self) -> None:
        """Unmap the ring."""
        if self._reader is not None:
            self._reader.close()
