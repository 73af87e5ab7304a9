"""Takes the colours away: both chroma planes become neutral, luma stays untouched."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ooblexd.effects import EffectContext, FrameTime
    from ooblexd.pixels import Planes
    from ooblexd.plan import EffectPlan

NEUTRAL = 128
"""Chroma without colour."""


class Grayscale:
    """Fills the chroma."""

    def apply(self, planes: Planes, at: FrameTime) -> bool:  # noqa: ARG002 -- Effect's signature
        """See `ooblexd.effects.Effect.apply`."""
        planes.u.fill(NEUTRAL)
        planes.v.fill(NEUTRAL)
        return True

    def close(self) -> None:
        """See `ooblexd.effects.Effect.close`."""


def build(plan: EffectPlan, context: EffectContext) -> Grayscale:  # noqa: ARG001 -- as every effect's build
    """Return the effect; see `ooblexd.effects.BuildEffect`."""
    return Grayscale()
