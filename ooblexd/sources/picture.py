"""A picture in the decoder's memory, and its way into a slot.

The samples stay as the decoder gave them: limited range stays limited, full range stays
full, and the picture says which it is. Only what is not planar 4:2:0 with 8 bits is
converted, by swscale, within its own range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from ooblexd.frame import Matrix
from ooblexd.pixels import Planes, copy_planes

if TYPE_CHECKING:
    import av
    from av.video.plane import VideoPlane

    from ooblexd.pixels import Plane

_HD_HEIGHT_PX = 720  # players take BT.709 from here on where the stream does not say
_MATRIX_CODES = {1: Matrix.BT709, 5: Matrix.BT601, 6: Matrix.BT601}  # H.273, table 4
_FULL_RANGE_FORMATS = ("yuvj", "gray", "ya")
_COLORSPACES = {Matrix.BT601: Colorspace.ITU601, Matrix.BT709: Colorspace.ITU709}


@dataclass(frozen=True, slots=True)
class DecodedPicture:
    """A `ooblexd.sources.Picture` that PyAV decoded.

    It is valid until it is dropped, whatever its source does meanwhile.
    """

    frame: av.VideoFrame
    width: int
    height: int
    full_range: bool
    matrix: Matrix
    pts_ns: int
    capture_ns: int
    decoded_ns: int

    def copy_to(self, planes: Planes) -> None:
        """Write the picture as I420 into ``planes``, which have its size."""
        copy_planes(self.planes(), planes)

    def planes(self) -> Planes:
        """Lend the decoder's own planes, without a copy."""
        return Planes(*(_samples(decoded) for decoded in self.frame.planes))


def picture_of(
    frame: av.VideoFrame, *, pts_ns: int, capture_ns: int, decoded_ns: int
) -> DecodedPicture:
    """Wrap a decoded frame, converted to 4:2:0 where it is not that yet."""
    matrix, full_range = matrix_of(frame), is_full_range(frame)
    if frame.format.name not in ("yuv420p", "yuvj420p"):
        frame = _as_i420(frame, matrix, full_range=full_range)
    return DecodedPicture(
        frame=frame,
        width=frame.width,
        height=frame.height,
        full_range=full_range,
        matrix=matrix,
        pts_ns=pts_ns,
        capture_ns=capture_ns,
        decoded_ns=decoded_ns,
    )


def matrix_of(frame: av.VideoFrame) -> Matrix:
    """Return the frame's coefficients; by its height where it does not say."""
    by_height = Matrix.BT709 if frame.height >= _HD_HEIGHT_PX else Matrix.BT601
    if frame.format.name.startswith("yuvj"):
        by_height = Matrix.BT601  # JFIF knows no other
    return _MATRIX_CODES.get(int(frame.colorspace), by_height)


def is_full_range(frame: av.VideoFrame) -> bool:
    """Say whether black is 0 rather than 16; limited where the frame does not say."""
    if frame.format.name.startswith(_FULL_RANGE_FORMATS):
        return True
    return not frame.format.is_rgb and frame.color_range == ColorRange.JPEG


def _as_i420(
    frame: av.VideoFrame, matrix: Matrix, *, full_range: bool
) -> av.VideoFrame:
    kept = ColorRange.JPEG if full_range else ColorRange.MPEG
    return frame.reformat(
        format="yuv420p",
        src_colorspace=_COLORSPACES[matrix],
        dst_colorspace=_COLORSPACES[matrix],
        src_color_range=ColorRange.JPEG if frame.format.is_rgb else kept,
        dst_color_range=kept,
    )


def _samples(decoded: VideoPlane) -> Plane:
    """View a decoder's plane without its padding."""
    lines = np.frombuffer(memoryview(decoded), np.uint8).reshape(-1, decoded.line_size)
    return lines[: decoded.height, : decoded.width]
