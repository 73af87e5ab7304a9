"""Step 3b: what changes a frame, one `Effect` a module.

`EFFECTS` says what there is without loading any of it; see
`ooblexd.effects.catalogue`, and `ooblexd.effects.packages` for those of others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from ooblexd.effects.catalogue import EFFECTS, EffectKind, named_object
from ooblexd.effects.packages import effect_kind
from ooblexd.errors import EffectError, OoblexdError

if TYPE_CHECKING:
    from numpy import uint8
    from numpy.typing import NDArray

    from ooblexd.detection import Detections
    from ooblexd.engines import Engines
    from ooblexd.pixels import Planes
    from ooblexd.plan import EffectPlan

__all__ = [
    "EFFECTS",
    "BgrEffect",
    "BuildEffect",
    "Effect",
    "EffectContext",
    "EffectKind",
    "FrameTime",
    "Telling",
    "build_effect",
    "effect_kind",
    "telling_of",
]


class FrameTime(Protocol):
    """When a frame was taken, and how; a `ooblexd.frame.FrameHeader` is one."""

    @property
    def sequence(self) -> int:
        """Number of the frame in its stream."""
        ...

    @property
    def capture_ns(self) -> int:
        """Monotonic time at which the source handed it over."""
        ...

    @property
    def full_range(self) -> bool:
        """Whether luma is 0..255, not 16..235."""
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
            Exception: Whatever it raises, ``on_failure`` decides what is shown, and the
                effect is asked again at the next frame.
        """
        ...

    def close(self) -> None:
        """End what the effect has started; a second call does nothing."""
        ...


class BgrEffect(Protocol):
    """An `Effect` whose kind says ``pixels = "bgr"``."""

    def apply(self, bgr: NDArray[uint8], at: FrameTime) -> bool:
        """Change a picture in place, as `Effect.apply` does.

        Args:
            bgr: ``(height, width, 3)``, uint8, as OpenCV has it; contiguous. It was
                made of the frame's I420 and will be made I420 again.
            at: Of frames in their order; gaps are allowed.
        """
        ...

    def close(self) -> None:
        """See `Effect.close`."""
        ...


@runtime_checkable
class Telling(Protocol):
    """What an effect, on I420 or BGR, may also be: it says what is in the picture.

    That travels with the picture to its viewers (`ooblexd.detection`). An effect that
    has no `tell` adds nothing and hides nothing.
    """

    def tell(self, found: Detections | None) -> Detections | None:
        """Return what viewers may be told of the picture of the last `Effect.apply`.

        Asked right after each `apply` that has returned, within the same deadline.

        Args:
            found: What the effects before it have found in this picture; None where
                none of them looks for anything.

        Returns:
            The same with what it has found itself, or without what it has hidden.

        Raises:
            Exception: As of `Effect.apply`.
        """
        ...


def telling_of(effect: object) -> Telling | None:
    """Return ``effect`` if it says what is in the picture; slow, not for each frame."""
    return effect if isinstance(effect, Telling) else None


@dataclass(frozen=True, slots=True)
class EffectContext:
    """What an effect is built with beside its plan.

    Attributes:
        engines: Of the worker; they outlive the effect.
        stream: The name of the stream that it is for.
    """

    engines: Engines
    stream: str = ""


class BuildEffect(Protocol):
    """What `EffectKind.build` names."""

    def __call__(self, plan: EffectPlan, context: EffectContext) -> Effect | BgrEffect:
        """Return the effect that ``plan`` names, ready for its first frame.

        Args:
            plan: Complete: every parameter is there, checked by the kind's model.
            context: See there.
        """
        ...


def build_effect(plan: EffectPlan, context: EffectContext) -> Effect:
    """Return the effect that ``plan`` names, ready for its first frame.

    One that works on BGR comes as an `ooblexd.effects.bgr.OnBgr`, which is an effect on
    I420 too.

    Raises:
        ConfigError: There is no such effect.
        EngineError: A model cannot be loaded.
        EffectError: It cannot be built for any other reason.
    """
    kind = effect_kind(plan.effect)
    # Imported only here: whoever merely validates a configuration needs no numpy.
    try:
        build: BuildEffect = named_object(kind.build)
        effect = build(plan, context)
    except OoblexdError:
        raise
    except (Exception, SystemExit) as error:
        raise EffectError(plan.effect, f"{type(error).__name__}: {error}") from error
    if kind.pixels == "bgr":
        from ooblexd.effects.bgr import OnBgr  # noqa: PLC0415 # heavy

        return OnBgr(cast("BgrEffect", effect))
    return cast("Effect", effect)
