"""Pictures into the frames that FFmpeg converts and encodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import av

    from ooblexd.pixels import Plane, Planes


def copy_to_frame(planes: Planes, frame: av.VideoFrame) -> None:
    """Copy an I420 picture into a frame of its size, whose rows may be padded."""
    for plane, target in zip(planes, frame.planes, strict=True):
        np.copyto(_rows_of(target, plane), plane)


def _rows_of(target: av.video.plane.VideoPlane, plane: Plane) -> Plane:
    """View the part of a padded plane that the picture fills."""
    flat = np.frombuffer(memoryview(target), np.uint8)
    rows = flat.reshape(-1, target.line_size)
    return rows[: plane.shape[0], : plane.shape[1]]
