"""Step 6: a picture as output encoded it, out of its slot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ooblexd.frame import HEADER_BYTES, PixelFormat, Step, unpack_header
from ooblexd.renditions import AS_IT_IS, unpack_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ooblexd.frame import FrameHeader
    from ooblexd.renditions import Rendition
    from ooblexd.ring import Lent


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """A picture as output encoded it.

    Attributes:
        header: Its ledger and verdict.
        jpeg: The bytes that every viewer gets.
        sequence: Of the encoded ring; a gap between two is what was passed over.
        smaller: The bytes of those who want less; none where they are the same.
    """

    header: FrameHeader
    jpeg: bytes
    sequence: int
    smaller: Mapping[Rendition, bytes] = field(default_factory=dict)

    @property
    def encoded_ns(self) -> int:
        """Monotonic time at which output published it."""
        return self.header.steps_ns[Step.ENCODED]

    def jpeg_as(self, rendition: Rendition) -> bytes | None:
        """Return the bytes of a rendition; None where it was not made in this form."""
        if rendition == AS_IT_IS:
            return self.jpeg
        smaller = self.smaller.get(rendition)
        return self.jpeg if smaller == b"" else smaller


def copy_out(lent: Lent) -> EncodedPicture:
    """Return what is in a slot.

    Raises:
        ValueError: It is no JPEG of ours.
    """
    header = unpack_header(lent.memory)
    if header.pixel_format != PixelFormat.JPEG:
        raise ValueError(f"expected a JPEG, found {header.pixel_format.name}")
    end = HEADER_BYTES + header.payload_bytes
    jpeg = bytes(lent.memory[HEADER_BYTES:end])
    smaller = {}
    for rendition, size in unpack_table(lent.memory):
        smaller[rendition] = bytes(lent.memory[end : end + size])
        end += size
    return EncodedPicture(header, jpeg, lent.sequence, smaller)
