"""Step 4a: pictures to those who look by HTTP, encoded once for all of them.

Control hands the bytes of the encoded ring to every viewer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.commands import NeedSlots, RingKind
from ooblexd.encoders.jpeg import JpegEncoder
from ooblexd.frame import HEADER_BYTES, PixelFormat, Step
from ooblexd.stages.attachment import WriterEnd

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ooblexd.commands import AttachWriter
    from ooblexd.frame import FrameHeader
    from ooblexd.pixels import Planes
    from ooblexd.stages.context import StageContext

_ASK_AGAIN_NS = 10 * NS_PER_S


class JpegOutput:
    """The encoded ring of one stream, and the encoder that fills it.

    Attributes:
        refusal: Why there is no room for larger pictures; empty where that is not so.
    """

    def __init__(self, context: StageContext) -> None:
        self.refusal = ""
        self._context = context
        self._encoder = JpegEncoder(80)
        self._stream = ""
        self._writer: WriterEnd | None = None
        self._asked_bytes = 0
        self._ask_again_ns = 0

    @property
    def is_attached(self) -> bool:
        """Whether there is a ring."""
        return self._writer is not None

    def set_quality(self, quality: int) -> None:
        """Encode with ``quality``, 1..100, from now on."""
        self._encoder.quality = quality

    def attach(self, message: AttachWriter, fds: list[int]) -> None:
        """Write this ring from now on."""
        self.close()
        self._stream, self._writer = message.stream, WriterEnd(message, fds)
        self._asked_bytes, self.refusal = 0, ""

    def refuse(self, reason: str) -> None:
        """Take that there is no memory for larger slots; it is asked for again."""
        self._asked_bytes, self.refusal = 0, reason
        self._ask_again_ns = monotonic_ns() + _ASK_AGAIN_NS

    def encode(self, header: FrameHeader, planes: Planes) -> NDArray[np.uint8]:
        """Return a picture as JPEG bytes, one dimension, uint8."""
        return self._encoder.encode(
            planes, full_range=header.full_range, matrix=header.matrix
        )

    def publish(self, header: FrameHeader, jpeg: NDArray[np.uint8]) -> bool:
        """Put a picture before all viewers; False if it does not fit yet."""
        end = self._writer
        assert end is not None, "asked by `is_attached`"
        if HEADER_BYTES + jpeg.nbytes > end.slot_bytes or self._asked_bytes:
            self._ask_for(HEADER_BYTES + 2 * jpeg.nbytes)
            return False
        loan = end.ring.loan()
        encoded = replace(
            header, payload_bytes=jpeg.nbytes, pixel_format=PixelFormat.JPEG
        ).stamped(Step.ENCODED, monotonic_ns())
        target = np.frombuffer(loan.memory, np.uint8, jpeg.nbytes, HEADER_BYTES)
        np.copyto(target, jpeg)
        encoded.pack_into(loan.memory)
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
        need = NeedSlots(self._stream, RingKind.ENCODED.value, slot_bytes)
        self._context.send(need)
