"""A chain of effects, and what the failure of one means for the frame."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.effects import build_effect
from ooblexd.effects.bgr import OnBgr, Picture
from ooblexd.frame import Verdict

if TYPE_CHECKING:
    from ooblexd.effects import Effect, EffectContext, FrameTime
    from ooblexd.pixels import Planes
    from ooblexd.plan import EffectPlan

_FAILURE_VERDICT = {"cover": Verdict.COVERED, "hold": Verdict.HELD}
_LOG_EVERY_NS = 10 * NS_PER_S

logger = logging.getLogger(__name__)


def build_chain(
    plans: tuple[EffectPlan, ...], context: EffectContext, revision: int
) -> Chain:
    """Return the chain of ``plans``, ready for its first frame.

    Args:
        plans: The effects.
        context: What effects are built with.
        revision: Of the configuration that names these effects.

    Raises:
        ConfigError: There is no such effect; nothing stays open.
        EngineError: A model cannot be loaded; nothing stays open.
        EffectError: An effect cannot be built; nothing stays open.
    """
    with ExitStack() as opened:
        effects: list[tuple[EffectPlan, Effect]] = []
        for plan in plans:
            effect = build_effect(plan, context)
            opened.callback(effect.close)
            effects.append((plan, effect))
        opened.pop_all()  # the chain's from here
    return Chain(tuple(effects), revision)


class Chain:
    """The effects of one stream, in their order, under one revision.

    Args:
        effects: With the plans that they were built from; the chain closes them.
        revision: Of the configuration that names them.

    Attributes:
        plans: Of the effects.
        revision: That a picture has passed when it comes out.
        failing_since_ns: Monotonic time of the first of the failures that go on; 0
            without one.
        failure: The newest of them, in words.
        failures: All of them so far.
    """

    def __init__(
        self, effects: tuple[tuple[EffectPlan, Effect], ...], revision: int
    ) -> None:
        self.plans = tuple(plan for plan, _ in effects)
        self.revision = revision
        self.failing_since_ns = 0
        self.failure = ""
        self.failures = 0
        self._logged_ns = 0
        self._effects = effects

    def run(self, planes: Planes, at: FrameTime) -> Verdict:
        """Change ``planes`` in place, and say what has become of the picture.

        A verdict that is not LIVE means that ``planes`` must not be shown.
        """
        verdict, has_failed = Verdict.LIVE, False
        picture = Picture(planes, full_range=at.full_range)
        for plan, effect in self._effects:
            try:
                may_be_shown = _apply(effect, picture, at)
            except Exception as error:  # noqa: BLE001 # anybody's code: on_failure decides
                self._note_failure(plan, error)
                has_failed = True
                if plan.on_failure != "pass":
                    verdict = max(verdict, _FAILURE_VERDICT[plan.on_failure])
                continue
            if not may_be_shown:
                verdict = Verdict.COVERED
        picture.planes()
        if not has_failed:
            self.failing_since_ns, self.failure = 0, ""
        return verdict

    def close(self) -> None:
        """Close the effects."""
        effects, self._effects = self._effects, ()
        for _, effect in effects:
            effect.close()

    def _note_failure(self, plan: EffectPlan, error: Exception) -> None:
        now_ns = monotonic_ns()
        self.failures += 1
        self.failing_since_ns = self.failing_since_ns or now_ns
        self.failure = f"{plan.effect}: {type(error).__name__}: {error}"
        if now_ns - self._logged_ns >= _LOG_EVERY_NS:
            self._logged_ns = now_ns
            logger.error(
                "effect %s fails (%d times), on_failure = %s",
                plan.effect,
                self.failures,
                plan.on_failure,
                exc_info=error,
            )


def _apply(effect: Effect, picture: Picture, at: FrameTime) -> bool:
    """Let an effect work on the picture, as it wants it."""
    if isinstance(effect, OnBgr):
        return effect.apply_to(picture, at)
    return effect.apply(picture.planes(), at)
