"""Covers parts of the picture, always: it analyses nothing and is warm at once.

What others have found there is not told either.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from ooblexd.effects.grayscale import NEUTRAL
from ooblexd.effects.obscure import smoothed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ooblexd.detection import Detection, Detections
    from ooblexd.effects import EffectContext, FrameTime
    from ooblexd.pixels import Plane, Planes
    from ooblexd.plan import EffectPlan

_FILL = 60  # luma; dark, and told from a black picture
_CELLS = 4.0  # means that a blur leaves across the shorter edge of a zone
_RIM_PX = 2
_FINE_BITS = 4  # of OpenCV's fixed point

Points = list[list[float]]


class Zone(NamedTuple):
    """What a polygon covers of one plane.

    Attributes:
        rows: Of the plane.
        columns: Likewise.
        mask: Of that part, 255 where a pixel is covered.
    """

    rows: slice
    columns: slice
    mask: Plane

    def covers_any(self, left: int, top: int, right: int, bottom: int) -> bool:
        """Say whether a pixel of that part of the plane is covered."""
        x, y = self.columns.start, self.rows.start
        part = self.mask[
            max(top - y, 0) : max(bottom - y, 0), max(left - x, 0) : max(right - x, 0)
        ]
        return bool(part.any())


class PrivacyZone:
    """Covers what its polygons touch.

    Args:
        polygons: Corners ``[x, y]`` in shares of the picture.
        cover: ``fill`` or ``blur``.
    """

    def __init__(self, polygons: Sequence[Points], cover: str) -> None:
        self._polygons = polygons
        self._is_blur = cover == "blur"
        self._shape = (0, 0)
        self._zones: list[list[Zone]] = []

    def apply(self, planes: Planes, at: FrameTime) -> bool:  # noqa: ARG002 -- Effect's signature
        """See `ooblexd.effects.Effect.apply`."""
        if planes.y.shape != self._shape:
            self._zones = [_zones(self._polygons, plane) for plane in planes]
            self._shape = planes.y.shape
        for plane, zones, fill in zip(
            planes, self._zones, (_FILL, NEUTRAL, NEUTRAL), strict=True
        ):
            for zone in zones:
                self._cover(plane, zone, fill)
        return True

    def tell(self, found: Detections | None) -> Detections | None:
        """Leave out whatever a zone touches."""
        return tuple(one for one in found if not self._touches(one)) if found else found

    def close(self) -> None:
        """See `ooblexd.effects.Effect.close`."""

    def _touches(self, one: Detection) -> bool:
        height, width = self._shape
        left, top = int(one.x * width), int(one.y * height)
        right = max(math.ceil((one.x + one.width) * width), left + 1)
        bottom = max(math.ceil((one.y + one.height) * height), top + 1)
        luma, _, _ = self._zones
        return any(zone.covers_any(left, top, right, bottom) for zone in luma)

    def _cover(self, plane: Plane, zone: Zone, fill: int) -> None:
        here = plane[zone.rows, zone.columns]
        if self._is_blur:
            soft = smoothed(here, min(here.shape) / _CELLS)
            cv2.copyTo(soft, zone.mask, here)
        else:
            here[zone.mask != 0] = fill


def _zones(polygons: Sequence[Points], plane: Plane) -> list[Zone]:
    """Return what the polygons cover of a plane; the parts may overlap."""
    return [_zone(points, plane) for points in polygons]


def _zone(points: Points, plane: Plane) -> Zone:
    height, width = plane.shape
    corners = np.array(points, np.float64) * (width, height)
    left, top = np.clip(np.floor(corners.min(axis=0)) - 1, 0, (width - 1, height - 1))
    right, bottom = np.clip(np.ceil(corners.max(axis=0)) + 1, 1, (width, height))
    # With a rim, since OpenCV loses lines that run along the very edge of a picture.
    shape = (int(bottom - top) + 2 * _RIM_PX, int(right - left) + 2 * _RIM_PX)
    part = np.zeros(shape, np.uint8)
    # A pixel's middle is at .5 of ours and at whole numbers of OpenCV's. fillPoly draws
    # the outline too; one pixel more all around, and none is half covered.
    places = corners - (left, top) - 0.5 + _RIM_PX
    fixed = np.rint(places * (1 << _FINE_BITS)).astype(np.int32)
    cv2.fillPoly(part, [fixed], 255, cv2.LINE_8, _FINE_BITS)
    grown = cv2.dilate(part, np.ones((3, 3), np.uint8))
    mask = grown[_RIM_PX:-_RIM_PX, _RIM_PX:-_RIM_PX]
    return Zone(
        slice(int(top), int(bottom)),
        slice(int(left), int(right)),
        np.asarray(mask, np.uint8),
    )


def build(plan: EffectPlan, context: EffectContext) -> PrivacyZone:  # noqa: ARG001 -- as every effect's build
    """Return the effect; see `ooblexd.effects.BuildEffect`."""
    return PrivacyZone(plan.parameters["polygons"], plan.parameters["cover"])
