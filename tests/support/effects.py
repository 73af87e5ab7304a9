"""Effects as the daemon has them: their plans complete, by the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ooblexd.config.plans import plan_of_effect
from ooblexd.config.schema import EffectConfig
from ooblexd.effects import EffectContext, build_effect
from ooblexd.engines import Engines

if TYPE_CHECKING:
    from ooblexd.effects import Effect
    from ooblexd.plan import EffectPlan


def effect_plan(effect: str, **said: object) -> EffectPlan:
    """Return the plan of ``{ effect = …, … }`` in a chain.

    Raises:
        ValidationError: The configuration would refuse it.
    """
    return plan_of_effect(EffectConfig.model_validate({"effect": effect, **said}))


def built(effect: str, **said: object) -> Effect:
    """Return an effect of the stream ``door``, ready for its first frame."""
    return build_effect(effect_plan(effect, **said), EffectContext(Engines(), "door"))
