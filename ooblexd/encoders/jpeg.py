"""JPEG from I420, right in range and matrix.

A JPEG (JFIF) is full range and BT.601, while most cameras give limited range and, in
HD, BT.709. Planes handed to an encoder as they are lose 7 dB; so swscale turns them
into BGR by what the header says (0.2 ms for 720p, where OpenCV's own conversion takes
0.3 and knows BT.601 limited alone) and OpenCV encodes (2 ms, the fastest of those
measured).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from ooblexd.encoders.av_frame import copy_to_frame
from ooblexd.frame import Matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ooblexd.pixels import Planes
    from ooblexd.renditions import Rendition

_COLORSPACE = {Matrix.BT601: Colorspace.ITU601, Matrix.BT709: Colorspace.ITU709}


class JpegEncoder:
    """Encodes the pictures of one stream, in one thread.

    Args:
        quality: 1..100, as in libjpeg.
    """

    def __init__(self, quality: int) -> None:
        self.quality = quality
        self._frame: av.VideoFrame | None = None
        self._reformatter = VideoReformatter()

    def encode(
        self, planes: Planes, *, full_range: bool, matrix: Matrix
    ) -> NDArray[np.uint8]:
        """Return the picture as JPEG bytes, one dimension, uint8.

        Args:
            planes: Not modified; not used after the return.
            full_range: Whether luma is 0..255.
            matrix: The YUV coefficients of ``planes``.
        """
        bgr = self.to_bgr(planes, full_range=full_range, matrix=matrix)
        return encode_bgr(bgr, self.quality)

    def encode_rendition(
        self, bgr: NDArray[np.uint8], rendition: Rendition
    ) -> NDArray[np.uint8] | None:
        """Return a smaller form of a picture as JPEG bytes; None if it is none.

        Args:
            bgr: The picture, ``(height, width, 3)``.
            rendition: What is asked for.
        """
        height, width = bgr.shape[:2]
        quality = rendition.quality or self.quality
        if 0 < rendition.width < width:
            rows = max(round(height * rendition.width / width / 2), 1) * 2
            small = cv2.resize(
                bgr, (rendition.width, rows), interpolation=cv2.INTER_AREA
            )
            return encode_bgr(np.asarray(small, np.uint8), quality)
        return encode_bgr(bgr, quality) if quality != self.quality else None

    def to_bgr(
        self, planes: Planes, *, full_range: bool, matrix: Matrix
    ) -> NDArray[np.uint8]:
        """Return the picture as ``(height, width, 3)``, BGR, uint8, full range."""
        frame = self._frame_like(planes)
        copy_to_frame(planes, frame)
        bgr = self._reformatter.reformat(
            frame,
            format="bgr24",
            src_colorspace=_COLORSPACE[matrix],
            dst_colorspace=Colorspace.ITU601,
            src_color_range=ColorRange.JPEG if full_range else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=Interpolation.BILINEAR,
        )
        return np.asarray(bgr.to_ndarray(), np.uint8)

    def _frame_like(self, planes: Planes) -> av.VideoFrame:
        frame = self._frame
        if frame is None or (frame.width, frame.height) != (
            planes.width,
            planes.height,
        ):
            frame = av.VideoFrame(planes.width, planes.height, "yuv420p")
            self._frame = frame
        return frame


def decode_bgr(jpeg: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a JPEG of our own as ``(height, width, 3)``, BGR, uint8."""
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)


def encode_bgr(bgr: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Return ``(height, width, 3)`` BGR as JPEG bytes, 4:2:0.

    Raises:
        ValueError: OpenCV cannot encode it, larger than 65535 pixels a side.
    """
    done, data = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, quality))
    if not done:
        raise ValueError(f"no JPEG of {bgr.shape[1]}x{bgr.shape[0]}")
    return np.asarray(data, np.uint8).reshape(-1)
