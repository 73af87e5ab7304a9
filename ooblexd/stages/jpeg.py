"""Step 4a: pictures to those who look by HTTP, encoded once for all of them.

Control hands the bytes of the encoded ring to every viewer. Smaller forms that somebody
wants are encoded beside the picture, out of the same BGR, and lie behind it in its slot
(`ooblexd.renditions`). So the ring still has one newest picture, and what is decided of
that one is decided of all its forms.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ooblexd.commands import RingKind
from ooblexd.encoders.jpeg import JpegEncoder, decode_bgr, encode_bgr
from ooblexd.frame import PixelFormat
from ooblexd.stages.encoded_ring import EncodedRing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ooblexd.frame import FrameHeader
    from ooblexd.pixels import Planes
    from ooblexd.renditions import Rendition
    from ooblexd.stages.context import StageContext

_NOTHING = np.empty(0, np.uint8)


class _Encoded(NamedTuple):
    """A picture, and what it was encoded from."""

    jpeg: NDArray[np.uint8]
    bgr: NDArray[np.uint8]


class JpegOutput:
    """The encoded ring of one stream, and the encoder that fills it.

    Attributes:
        ring: Where the pictures go.
    """

    def __init__(self, context: StageContext) -> None:
        self.ring = EncodedRing(context, RingKind.ENCODED)
        self._encoder = JpegEncoder(80)
        self._renditions: tuple[Rendition, ...] = ()
        self._encoded: _Encoded | None = None

    def set_quality(self, quality: int) -> None:
        """Encode with ``quality``, 1..100, from now on."""
        self._encoder.quality = quality

    def set_renditions(self, renditions: tuple[Rendition, ...]) -> None:
        """Publish each picture in these forms too, from now on."""
        self._renditions = renditions

    def encode(self, header: FrameHeader, planes: Planes) -> NDArray[np.uint8]:
        """Return a picture as JPEG bytes, one dimension, uint8."""
        bgr = self._encoder.to_bgr(
            planes, full_range=header.full_range, matrix=header.matrix
        )
        jpeg = encode_bgr(bgr, self._encoder.quality)
        self._encoded = _Encoded(jpeg, bgr) if self._renditions else None
        return jpeg

    def publish(self, header: FrameHeader, jpeg: NDArray[np.uint8]) -> bool:
        """Put a picture before all viewers; False if it does not fit yet."""
        own = replace(header, pixel_format=PixelFormat.JPEG)
        forms = zip(self._renditions, self._make_smaller(jpeg), strict=True)
        return self.ring.publish(own, jpeg, tuple(forms))

    def _make_smaller(self, jpeg: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        """Return a picture in each form that is wanted; nothing for one that it has."""
        if not self._renditions:
            return []
        encoded = self._encoded
        if encoded is None or encoded.jpeg is not jpeg:  # a stand-in, made of a JPEG
            encoded = _Encoded(jpeg, decode_bgr(jpeg))
        made = [
            self._encoder.encode_rendition(encoded.bgr, one) for one in self._renditions
        ]
        return [_NOTHING if one is None else one for one in made]
