"""Shows the picture as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ooblexd.effects import EffectContext, FrameTime
    from ooblexd.pixels import Planes
    from ooblexd.plan import EffectPlan


class Nothing:
    """Changes nothing and may always be shown."""

    def apply(self, planes: Planes, at: FrameTime) -> bool:  # noqa: ARG002 -- Effect's signature
        """See `ooblexd.effects.Effect.apply`."""
        return True

    def close(self) -> None:
        """See `ooblexd.effects.Effect.close`."""


def build(plan: EffectPlan, context: EffectContext) -> Nothing:  # noqa: ARG001 -- as every effect's build
    """Return the effect; see `ooblexd.effects.build_effect`."""
    return Nothing()
