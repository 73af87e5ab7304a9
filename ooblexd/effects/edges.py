"""Draws the outlines of what is there, on black or white."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from ooblexd.effects.grayscale import NEUTRAL

if TYPE_CHECKING:
    from ooblexd.effects import EffectContext, FrameTime
    from ooblexd.pixels import Planes
    from ooblexd.plan import EffectPlan

_BLACK, _WHITE = 16, 235  # of limited range; a full-range picture is a little grey
_LEAST, _MOST = 20.0, 320.0  # gradient of an outline, at threshold 0 and 1
_GOES_ON = 0.5  # of it: enough for an outline to go on


class Edges:
    """Finds outlines by Canny's method in luma that was smoothed a little.

    Args:
        threshold: 0..1.
        is_light: Whether the ground is white.
    """

    def __init__(self, threshold: float, *, is_light: bool) -> None:
        self._high = _LEAST * (_MOST / _LEAST) ** threshold
        outline, ground = (_BLACK, _WHITE) if is_light else (_WHITE, _BLACK)
        self._levels = np.full(256, outline, np.uint8)
        self._levels[0] = ground

    def apply(self, planes: Planes, at: FrameTime) -> bool:  # noqa: ARG002 -- Effect's signature
        """See `ooblexd.effects.Effect.apply`."""
        calm = cv2.blur(planes.y, (3, 3))
        outlines = cv2.Canny(calm, self._high * _GOES_ON, self._high)
        np.copyto(planes.y, cv2.LUT(outlines, self._levels))
        planes.u.fill(NEUTRAL)
        planes.v.fill(NEUTRAL)
        return True

    def close(self) -> None:
        """See `ooblexd.effects.Effect.close`."""


def build(plan: EffectPlan, context: EffectContext) -> Edges:  # noqa: ARG001 -- as every effect's build
    """Return the effect; see `ooblexd.effects.BuildEffect`."""
    said = plan.parameters
    return Edges(said["threshold"], is_light=said["ground"] == "white")
