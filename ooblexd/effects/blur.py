"""Blurs the whole picture, from soft to a few patches of colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ooblexd.effects.obscure import smoothed

if TYPE_CHECKING:
    from ooblexd.effects import EffectContext, FrameTime
    from ooblexd.pixels import Planes
    from ooblexd.plan import EffectPlan

_FINEST, _COARSEST = 120.0, 6.0  # cells across the shorter edge, at strength 0 and 1


class Blur:
    """Paints each plane anew from the means of its cells.

    Args:
        strength: 0..1; each step makes the cells larger by the same factor.
    """

    def __init__(self, strength: float) -> None:
        self._cells = _FINEST * (_COARSEST / _FINEST) ** strength

    def apply(self, planes: Planes, at: FrameTime) -> bool:  # noqa: ARG002 -- Effect's signature
        """See `ooblexd.effects.Effect.apply`."""
        for plane in planes:
            np.copyto(plane, smoothed(plane, min(plane.shape) / self._cells))
        return True

    def close(self) -> None:
        """See `ooblexd.effects.Effect.close`."""


def build(plan: EffectPlan, context: EffectContext) -> Blur:  # noqa: ARG001 -- as every effect's build
    """Return the effect; see `ooblexd.effects.BuildEffect`."""
    return Blur(plan.parameters["strength"])
