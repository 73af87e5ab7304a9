"""Step 3b: what changes a frame, one `Effect` a module.

`EFFECTS` says what there is without loading any of it; see
`ooblexd.effects.catalogue`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol

from ooblexd.effects.catalogue import EFFECTS, EffectKind, Parameter, effect_kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.engines import Engines
    from ooblexd.pixels import Planes
    from ooblexd.plan import EffectPlan

__all__ = [
    "EFFECTS",
    "Effect",
    "EffectKind",
    "FrameTime",
    "Parameter",
    "build_effect",
    "effect_kind",
]


class FrameTime(Protocol):
    """When a frame was taken; a `ooblexd.frame.FrameHeader` is one."""

    @property
    def sequence(self) -> int:
        """Number of the frame in its stream."""
        ...

    @property
    def capture_ns(self) -> int:
        """Monotonic time at which the source handed it over."""
        ...


class Effect(Protocol):
    """One step of a chain: used by one thread of one inference worker, for one stream.

    `tests.support.contracts.EffectContract` tests it.
    """

    def apply(self, planes: Planes, at: FrameTime) -> bool:
        """Change a picture in place.

        Args:
            planes: I420 of any size, in private memory of the caller; the effect may
                write to it during the call and keeps no reference.
            at: Of frames in their order; gaps are allowed.

        Returns:
            Whether the picture may be shown. A privacy effect that is not warm yet
            says no, and what it leaves in ``planes`` must not leave the worker.

        Raises:
            EngineError: The analysis failed; ``on_failure`` decides what is shown. The
                effect stays usable.
        """
        ...

    def close(self) -> None:
        """End what the effect has started; a second call does nothing."""
        ...


def build_effect(plan: EffectPlan, engines: Engines) -> Effect:
    """Return the effect that ``plan`` names, ready for its first frame.

    Args:
        plan: Its parameters may be incomplete; defaults fill the rest.
        engines: Of the worker; must outlive the effect.

    Raises:
        ConfigError: There is no such effect or parameter, or a value is not allowed.
        EngineError: A model cannot be loaded.
    """
    kind = effect_kind(plan.effect)
    # Imported only here: whoever merely validates a configuration needs no numpy.
    build: Callable[[EffectPlan, Engines], Effect] = importlib.import_module(
        kind.module
    ).build
    return build(plan, engines)
