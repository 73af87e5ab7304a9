"""A chain of effects, and what the failure of one means for the frame."""

from __future__ import annotations

import logging
from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ooblexd.clock import NS_PER_MS, NS_PER_S, monotonic_ns
from ooblexd.detection import surest
from ooblexd.effects import build_effect, telling_of
from ooblexd.effects.bgr import OnBgr, Picture
from ooblexd.errors import EffectError, EffectRestsError, WorkerSpentError
from ooblexd.frame import Verdict
from ooblexd.reminders import Reminders
from ooblexd.stages.calls import Resting, is_too_slow

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ooblexd.detection import Detections
    from ooblexd.effects import Effect, EffectContext, FrameTime, Telling
    from ooblexd.pixels import Planes
    from ooblexd.plan import EffectPlan
    from ooblexd.stages.calls import Rest

BUILD_S = 60.0
"""How long an effect may take to be built: an engine is started, a package imported."""

_FAILURE_VERDICT = {"cover": Verdict.COVERED, "hold": Verdict.HELD}
_REPEATED = 3  # failures; then they are told until there was none for _QUIET_NS
_QUIET_NS = 10 * NS_PER_S

logger = logging.getLogger(__name__)


class Watch(Protocol):
    """Who is told which effect is being called; `ooblexd.stages.calls.Calls` is one."""

    def of(
        self, plan: EffectPlan, within_s: float | None = None
    ) -> AbstractContextManager[None]:
        """Return what to put around each call of an effect."""
        ...

    def rest_of(self, plan: EffectPlan) -> Rest | None:
        """Return how long an effect is not to be called; None if it may be."""
        ...


class Unwatched:
    """Watches nothing."""

    def of(
        self,
        plan: EffectPlan,  # noqa: ARG002 # Watch's signature
        within_s: float | None = None,  # noqa: ARG002 # likewise
    ) -> AbstractContextManager[None]:
        """See `Watch.of`."""
        return nullcontext()

    def rest_of(self, plan: EffectPlan) -> Rest | None:  # noqa: ARG002 # likewise
        """See `Watch.rest_of`."""
        return None


_UNWATCHED = Unwatched()


class Link(NamedTuple):
    """One effect of a chain, with what belongs to each of its calls.

    Attributes:
        plan: Of the effect.
        effect: It changes the picture.
        call: Is put around each call.
        telling: The effect again, where it says what is in the picture.
    """

    plan: EffectPlan
    effect: Effect
    call: AbstractContextManager[None]
    telling: Telling | None


def build_chain(
    plans: tuple[EffectPlan, ...],
    context: EffectContext,
    revision: int,
    watch: Watch = _UNWATCHED,
) -> Chain:
    """Return the chain of ``plans``, ready for its first frame.

    Args:
        plans: The effects.
        context: What effects are built with.
        revision: Of the configuration that names these effects.
        watch: Told of each call; an effect that it wants to rest is not built yet.

    Raises:
        ConfigError: There is no such effect; nothing stays open.
        EngineError: A model cannot be loaded; nothing stays open.
        EffectError: An effect cannot be built; nothing stays open.
    """
    with ExitStack() as opened:
        effects: list[tuple[EffectPlan, Effect]] = []
        for plan in plans:
            effect = _built(plan, context, watch)
            opened.callback(_close, plan, effect)
            effects.append((plan, effect))
        opened.pop_all()  # the chain's from here
    return Chain(tuple(effects), revision, watch)


def _built(plan: EffectPlan, context: EffectContext, watch: Watch) -> Effect:
    def build() -> Effect:
        with watch.of(plan, BUILD_S):
            return build_effect(plan, context)

    rest = watch.rest_of(plan)
    return build() if rest is None else Resting(plan, rest, build)


class Chain:
    """The effects of one stream, in their order, under one revision.

    Args:
        effects: With the plans that they were built from; the chain closes them.
        revision: Of the configuration that names them.
        watch: Told of each call.

    Attributes:
        plans: Of the effects.
        revision: That a picture has passed when it comes out.
        failing_since_ns: Monotonic time of the first of the failures that go on; 0
            without one. Those that come again and again go on between.
        failure: The newest of them, in words.
        has_passed: Whether the picture was shown without the effect that failed.
        failures: All of them so far.
        detections: What viewers may be told of the newest picture, if that is shown;
            None where no effect looks for anything, or all that do have failed.
    """

    def __init__(
        self,
        effects: tuple[tuple[EffectPlan, Effect], ...],
        revision: int,
        watch: Watch = _UNWATCHED,
    ) -> None:
        self.plans = tuple(plan for plan, _ in effects)
        self.revision = revision
        self.failing_since_ns = 0
        self.failure = ""
        self.has_passed = False
        self.failures = 0
        self.detections: Detections | None = None
        self._in_a_row = 0
        self._failed_ns = 0
        self._memory_errors = 0
        self._has_worked = False
        self._reminders = Reminders()
        self._links = tuple(
            Link(plan, effect, watch.of(plan), telling_of(effect))
            for plan, effect in effects
        )

    def run(self, planes: Planes, at: FrameTime) -> Verdict:
        """Change ``planes`` in place, and say what has become of the picture.

        A verdict that is not LIVE means that ``planes`` must not be shown.

        Raises:
            WorkerSpentError: There is no memory, not for the first time. In a new
                process there is; this one would fail frames for ever.
        """
        verdict, has_failed = Verdict.LIVE, False
        picture = Picture(planes, full_range=at.full_range)
        self.detections = None
        for link in self._links:
            try:
                may_be_shown = self._apply(link, picture, at)
            except BaseException as error:  # noqa: BLE001 # anybody's code: on_failure decides
                self._end_without_memory(link, error)
                self._note_failure(link.plan, error)
                has_failed = True
                verdict = max(verdict, _verdict_of(link.plan, error))
                continue
            if not may_be_shown:
                verdict = Verdict.COVERED
        picture.planes()
        if not has_failed:
            self._note_success()
        return verdict

    def _apply(self, link: Link, picture: Picture, at: FrameTime) -> bool:
        """Let an effect work on the picture, as it wants it, and say what is there.

        Raises:
            EffectError: It took longer than its deadline; what it has raised itself.
        """
        found = self.detections
        start_ns = monotonic_ns()
        with link.call:
            if isinstance(link.effect, OnBgr):
                may_be_shown = link.effect.apply_to(picture, at)
            else:
                may_be_shown = link.effect.apply(picture.planes(), at)
            if link.telling is not None:
                found = surest(link.telling.tell(found))  # whoever made it
        took_ns = monotonic_ns() - start_ns
        if is_too_slow(link.plan, took_ns):
            words = (
                f"took {took_ns // NS_PER_MS} ms, at most {link.plan.deadline_ms} ms"
            )
            raise EffectError(link.plan.effect, words)
        self.detections = found
        return may_be_shown

    def close(self) -> None:
        """Close the effects."""
        links, self._links = self._links, ()
        for link in links:
            _close(link.plan, link.effect)

    def _note_success(self) -> None:
        self._has_worked = True
        is_over = monotonic_ns() - self._failed_ns > _QUIET_NS
        if self.failing_since_ns and (self._in_a_row < _REPEATED or is_over):
            self.failing_since_ns, self.failure, self._in_a_row = 0, "", 0

    def _end_without_memory(self, link: Link, error: BaseException) -> None:
        self._memory_errors += isinstance(error, MemoryError)
        if self._memory_errors >= _REPEATED:
            # An effect that wants too much wants it at once, and is to rest if it goes
            # on in the next life. Later, whoever meets the want may be the victim.
            with nullcontext() if self._has_worked else link.call:
                raise WorkerSpentError("memory") from error

    def _note_failure(self, plan: EffectPlan, error: BaseException) -> None:
        now_ns = monotonic_ns()
        self.failures += 1
        self._in_a_row += 1
        self._failed_ns = now_ns
        self.failing_since_ns = self.failing_since_ns or now_ns
        self.failure = _words(plan, error)
        self.has_passed = _verdict_of(plan, error) is Verdict.LIVE
        if isinstance(error, EffectRestsError):
            return  # said when it began to rest
        what = f"{plan.effect} {type(error).__name__}"
        if times := self._reminders.due(what, now_ns):
            logger.error(
                "effect %s fails (%d times), on_failure = %s: %s",
                plan.effect,
                times,
                plan.on_failure,
                self.failure,
                # Of what we have raised ourselves, the place says nothing.
                exc_info=None if isinstance(error, EffectError) else error,
            )


def _verdict_of(plan: EffectPlan, error: BaseException) -> Verdict:
    """Say what a failure makes of the frame.

    ``pass`` is for frames that fail now and then; what protects privacy and is switched
    off altogether covers, whatever the configuration says.
    """
    if isinstance(error, EffectRestsError) and plan.is_privacy:
        return Verdict.COVERED
    return _FAILURE_VERDICT.get(plan.on_failure, Verdict.LIVE)


def _close(plan: EffectPlan, effect: Effect) -> None:
    try:
        effect.close()
    except BaseException as error:  # anybody's code, and the others' turn
        words = _words(plan, error)
        logger.error("effect %s does not close: %s", plan.effect, words, exc_info=error)


def _words(plan: EffectPlan, error: BaseException) -> str:
    """Say in one line what an effect has raised, which may be anybody's too."""
    try:
        said = str(error)
    except BaseException:  # noqa: BLE001 # its own words fail as well
        said = "(it cannot say why)"
    clean = "".join(letter if letter.isprintable() else " " for letter in said)
    if isinstance(error, EffectError):
        return clean
    return f"{plan.effect}: {type(error).__name__}: {clean}"
