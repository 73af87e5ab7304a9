"""The writing end of a ring of encoded pictures, which grows with what goes in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.commands import NeedSlots
from ooblexd.frame import HEADER_BYTES, Step
from ooblexd.renditions import pack_table
from ooblexd.stages.attachment import WriterEnd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ooblexd.commands import AttachWriter, RingKind
    from ooblexd.frame import FrameHeader
    from ooblexd.renditions import Rendition
    from ooblexd.stages.context import StageContext

    Forms = Sequence[tuple[Rendition, NDArray[np.uint8]]]

_ASK_AGAIN_NS = 10 * NS_PER_S


class EncodedRing:
    """One ring of one stream, as output writes it.

    Args:
        context: By which larger slots are asked for.
        kind: Which ring.

    Attributes:
        refusal: Why there is no room for larger pictures; empty where that is not so.
    """

    def __init__(self, context: StageContext, kind: RingKind) -> None:
        self.refusal = ""
        self._context = context
        self._kind = kind
        self._stream = ""
        self._writer: WriterEnd | None = None
        self._asked_bytes = 0
        self._ask_again_ns = 0

    @property
    def is_attached(self) -> bool:
        """Whether there is a ring."""
        return self._writer is not None

    def attach(self, message: AttachWriter, fds: list[int]) -> None:
        """Write this segment from now on."""
        self.close()
        self._stream, self._writer = message.stream, WriterEnd(message, fds)
        self._asked_bytes, self.refusal = 0, ""

    def refuse(self, reason: str) -> None:
        """Take that there is no memory for larger slots; it is asked for again."""
        self._asked_bytes, self.refusal = 0, reason
        self._ask_again_ns = monotonic_ns() + _ASK_AGAIN_NS

    def publish(
        self,
        header: FrameHeader,
        payload: NDArray[np.uint8],
        forms: Forms = (),
    ) -> bool:
        """Put a picture before all readers; False if it does not fit yet.

        Args:
            header: Its own; the number of bytes and the time are written into it.
            payload: One dimension; copied.
            forms: The same picture in other forms; without bytes where they are the
                same. Where there is no memory for them, all are the same.
        """
        end = self._writer
        assert end is not None, "asked by `is_attached`"
        needed_bytes = payload.nbytes + sum(data.nbytes for _, data in forms)
        if HEADER_BYTES + needed_bytes > end.slot_bytes or self._asked_bytes:
            self._ask_for(HEADER_BYTES + 2 * needed_bytes)
            if self._asked_bytes or HEADER_BYTES + payload.nbytes > end.slot_bytes:
                return False
            forms = tuple((one, data[:0]) for one, data in forms)
        loan = end.ring.loan()
        encoded = replace(header, payload_bytes=payload.nbytes).stamped(
            Step.ENCODED, monotonic_ns()
        )
        at = HEADER_BYTES
        for data in (payload, *(data for _, data in forms)):
            np.copyto(np.frombuffer(loan.memory, np.uint8, data.nbytes, at), data)
            at += data.nbytes
        encoded.pack_into(loan.memory)
        pack_table(loan.memory, [(one, data.nbytes) for one, data in forms])
        end.ring.publish(loan)
        return True

    def close(self) -> None:
        """Unmap the ring."""
        if self._writer is not None:
            self._writer.close()

    def _ask_for(self, slot_bytes: int) -> None:
        """Ask for larger slots, unless an answer is due or the last was no."""
        if self._asked_bytes or monotonic_ns() < self._ask_again_ns:
            return
        self._asked_bytes = slot_bytes
        self._context.send(NeedSlots(self._stream, self._kind.value, slot_bytes))
