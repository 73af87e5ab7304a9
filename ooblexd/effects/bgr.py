"""A picture as BGR and back, for the effects that want it so.

OpenCV's own conversion is BT.601 of limited range; a picture of full range goes the
same way by YCrCb. Colours of BT.709 look a little off to the effect, but come back as
they were, since the way back is the way there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from ooblexd.effects import telling_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ooblexd.detection import Detections
    from ooblexd.effects import BgrEffect, FrameTime
    from ooblexd.pixels import Plane, Planes


class Picture:
    """A picture that is converted only when somebody wants it otherwise than it is.

    Args:
        planes: Where the picture is now, and where `planes` leaves it.
        full_range: Whether its luma is 0..255.
    """

    def __init__(self, planes: Planes, *, full_range: bool) -> None:
        self._planes = planes
        self._full_range = full_range
        self._bgr: NDArray[np.uint8] | None = None

    def planes(self) -> Planes:
        """Return the picture as I420; what `bgr` returned is not used any more."""
        if self._bgr is not None:
            store_bgr(self._bgr, self._planes, full_range=self._full_range)
            self._bgr = None
        return self._planes

    def bgr(self) -> NDArray[np.uint8]:
        """Return the picture as BGR; it is written to until the next `planes`."""
        if self._bgr is None:
            self._bgr = bgr_of(self._planes, full_range=self._full_range)
        return self._bgr


class OnBgr:
    """A `BgrEffect` as an effect like any other.

    Args:
        effect: Closed with this one.
    """

    def __init__(self, effect: BgrEffect) -> None:
        self._effect = effect
        self._telling = telling_of(effect)

    def apply(self, planes: Planes, at: FrameTime) -> bool:
        """See `ooblexd.effects.Effect.apply`; converts there and back."""
        picture = Picture(planes, full_range=at.full_range)
        may_be_shown = self.apply_to(picture, at)
        picture.planes()
        return may_be_shown

    def apply_to(self, picture: Picture, at: FrameTime) -> bool:
        """Change a picture that stays BGR for a neighbour that wants it so too."""
        return self._effect.apply(picture.bgr(), at)

    def tell(self, found: Detections | None) -> Detections | None:
        """See `ooblexd.effects.Telling.tell`."""
        return found if self._telling is None else self._telling.tell(found)

    def close(self) -> None:
        """See `ooblexd.effects.Effect.close`."""
        self._effect.close()


def bgr_of(planes: Planes, *, full_range: bool) -> NDArray[np.uint8]:
    """Return the picture as ``(height, width, 3)``, BGR, uint8, contiguous, new."""
    height, width = planes.y.shape
    if full_range:
        size = (width, height)
        u, v = (cv2.resize(plane, size) for plane in (planes.u, planes.v))
        merged = cv2.merge((planes.y, v, u))
        return np.asarray(cv2.cvtColor(merged, cv2.COLOR_YCrCb2BGR), np.uint8)
    bgr = cv2.cvtColor(_joined(planes), cv2.COLOR_YUV2BGR_I420)
    return np.ascontiguousarray(bgr[:height, :width], np.uint8)


def store_bgr(bgr: NDArray[np.uint8], planes: Planes, *, full_range: bool) -> None:
    """Write a picture of the size of ``planes`` back to them."""
    height, width = planes.y.shape
    if full_range:
        y, v, u = cv2.split(cv2.cvtColor(bgr, cv2.COLOR_BGR2YCrCb))
        half = (planes.u.shape[1], planes.u.shape[0])
        np.copyto(planes.y, y)
        np.copyto(planes.u, cv2.resize(u, half, interpolation=cv2.INTER_AREA))
        np.copyto(planes.v, cv2.resize(v, half, interpolation=cv2.INTER_AREA))
        return
    below, beside = height % 2, width % 2
    if below or beside:
        edge = cv2.BORDER_REPLICATE
        bgr = np.asarray(cv2.copyMakeBorder(bgr, 0, below, 0, beside, edge), np.uint8)
    flat = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420), np.uint8).reshape(-1)
    luma = (height + below) * (width + beside)
    shape = (height + below, width + beside)
    np.copyto(planes.y, flat[:luma].reshape(shape)[:height, :width])
    np.copyto(planes.u, flat[luma : luma + planes.u.size].reshape(planes.u.shape))
    np.copyto(planes.v, flat[luma + planes.u.size :].reshape(planes.v.shape))


def _joined(planes: Planes) -> Plane:
    """Return the planes as OpenCV wants them: one behind another, of even size."""
    height, width = planes.y.shape
    even = np.pad(planes.y, ((0, height % 2), (0, width % 2)), mode="edge")
    flat = np.concatenate(
        [even.reshape(-1), planes.u.reshape(-1), planes.v.reshape(-1)]
    )
    return flat.reshape(-1, even.shape[1])
