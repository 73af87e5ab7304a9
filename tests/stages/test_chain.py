from __future__ import annotations

import logging
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ooblexd.detection import Detection, Detections, Label
from ooblexd.effects import EffectContext
from ooblexd.effects.bgr import OnBgr
from ooblexd.errors import ConfigError, EngineError, WorkerSpentError
from ooblexd.frame import FrameHeader, Verdict
from ooblexd.pixels import Planes, new_planes
from ooblexd.plan import EffectPlan
from ooblexd.stages.calls import Rest, Resting
from ooblexd.stages.chain import Chain, build_chain

if TYPE_CHECKING:
    from ooblexd.effects import Effect, FrameTime

FRAME = FrameHeader(sequence=1, width=32, height=18, capture_ns=1)


@dataclass
class Brighten:
    """Adds one to the luma, so that a picture says how many effects it has passed."""

    is_warm: bool = True
    closed: int = 0

    def apply(self, planes: Planes, at: FrameTime) -> bool:
        assert at.sequence >= 0
        planes.y[:] += 1
        return self.is_warm

    def close(self) -> None:
        self.closed += 1


@dataclass
class Fail:
    """Raises until it is mended."""

    error: Exception | None = field(default_factory=lambda: EngineError("no device"))

    def apply(self, planes: Planes, at: FrameTime) -> bool:
        assert planes.width == FRAME.width
        assert at.capture_ns >= 0
        if self.error is not None:
            raise self.error
        return True

    def close(self) -> None:
        """Nothing was started."""


class Leave:
    """Calls sys.exit."""

    def apply(self, planes: Planes, at: FrameTime) -> bool:
        assert planes.width == FRAME.width
        sys.exit(3 if at.sequence else 4)

    def close(self) -> None:
        """Nothing was started."""


def plan(on_failure: str = "cover", effect: str = "blur_faces") -> EffectPlan:
    return EffectPlan(effect, on_failure=on_failure)


@pytest.fixture
def planes() -> Planes:
    made = new_planes(32, 18)
    for plane in made:
        plane[:] = 0
    return made


def test_a_chain_without_effects_shows_every_frame(planes: Planes) -> None:
    assert Chain((), revision=1).run(planes, FRAME) is Verdict.LIVE


def test_effects_work_on_one_another(planes: Planes) -> None:
    chain = Chain(((plan(), Brighten()), (plan(), Brighten())), revision=1)

    assert chain.run(planes, FRAME) is Verdict.LIVE
    assert np.all(planes.y == 2)


@pytest.mark.parametrize(
    ("on_failure", "verdict"),
    [("cover", Verdict.COVERED), ("hold", Verdict.HELD), ("pass", Verdict.LIVE)],
)
def test_configuration_decides_what_a_failure_means(
    planes: Planes, on_failure: str, verdict: Verdict
) -> None:
    chain = Chain(((plan(on_failure), Fail()),), revision=1)

    assert chain.run(planes, FRAME) is verdict


@pytest.mark.parametrize(
    "error", [EngineError("no device"), ZeroDivisionError(), MemoryError(), KeyError(3)]
)
def test_any_exception_of_an_effect_is_a_failure(
    planes: Planes, error: Exception
) -> None:
    chain = Chain(((plan(), Fail(error)),), revision=1)

    assert chain.run(planes, FRAME) is Verdict.COVERED
    assert type(error).__name__ in chain.failure
    assert "blur_faces" in chain.failure


def test_an_effect_that_is_not_warm_covers(planes: Planes) -> None:
    for on_failure in ("cover", "hold", "pass"):
        chain = Chain(((plan(on_failure), Brighten(is_warm=False)),), revision=1)

        assert chain.run(planes, FRAME) is Verdict.COVERED
        assert chain.failing_since_ns == 0


def test_the_effects_behind_a_failed_one_still_see_the_frame(planes: Planes) -> None:
    """Their tracks would tear otherwise, and they would be cold when it recovers."""
    chain = Chain(((plan(), Fail()), (plan(), Brighten())), revision=1)

    assert chain.run(planes, FRAME) is Verdict.COVERED
    assert np.all(planes.y == 1)


@pytest.mark.parametrize("first", ["cover", "hold", "pass"])
@pytest.mark.parametrize("second", ["cover", "hold", "pass"])
def test_of_two_failures_the_stricter_counts(
    planes: Planes, first: str, second: str
) -> None:
    chain = Chain(((plan(first), Fail()), (plan(second), Fail())), revision=1)

    verdict = chain.run(planes, FRAME)

    if "cover" in (first, second):
        assert verdict is Verdict.COVERED
    elif "hold" in (first, second):
        assert verdict is Verdict.HELD
    else:
        assert verdict is Verdict.LIVE


def test_a_failure_that_passes_does_not_show_what_another_covers(
    planes: Planes,
) -> None:
    cold = Brighten(is_warm=False)
    chain = Chain(((plan("pass"), Fail()), (plan(), cold)), revision=1)

    assert chain.run(planes, FRAME) is Verdict.COVERED


def test_a_failure_is_known_until_the_chain_runs_again(planes: Planes) -> None:
    effect = Fail()
    chain = Chain(((plan("pass"), effect),), revision=1)
    chain.run(planes, FRAME)
    since_ns = chain.failing_since_ns
    chain.run(planes, FRAME)

    assert since_ns > 0
    assert chain.failing_since_ns == since_ns
    assert chain.failures == 2

    effect.error = None

    assert chain.run(planes, FRAME) is Verdict.LIVE
    assert (chain.failing_since_ns, chain.failure) == (0, "")


def test_failures_of_every_frame_are_logged_once_in_a_while(
    planes: Planes, caplog: pytest.LogCaptureFixture
) -> None:
    chain = Chain(((plan("pass"), Fail()),), revision=1)

    with caplog.at_level(logging.ERROR):
        for _ in range(100):
            chain.run(planes, FRAME)

    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("on_failure", "verdict"),
    [("cover", Verdict.COVERED), ("hold", Verdict.HELD), ("pass", Verdict.LIVE)],
)
def test_an_effect_slower_than_its_deadline_has_failed(
    planes: Planes, on_failure: str, verdict: Verdict
) -> None:
    slow = EffectPlan("edges", on_failure=on_failure, deadline_ms=0)
    chain = Chain(((slow, Brighten()),), revision=1)

    assert chain.run(planes, FRAME) is verdict
    assert "edges: took 0 ms, at most 0 ms" in chain.failure


def test_failures_that_come_again_and_again_stay_named_between(
    planes: Planes,
) -> None:
    effect = Fail()
    chain = Chain(((plan("pass"), effect),), revision=1)
    for _ in range(3):
        chain.run(planes, FRAME)
    effect.error = None

    assert chain.run(planes, FRAME) is Verdict.LIVE
    assert chain.failing_since_ns > 0
    assert "blur_faces: EngineError" in chain.failure


def test_an_effect_that_would_end_the_process_has_failed(planes: Planes) -> None:
    chain = Chain(((plan(), Leave()),), revision=1)

    assert chain.run(planes, FRAME) is Verdict.COVERED
    assert "SystemExit: 3" in chain.failure


class Panic(BaseException):
    """Of a package: no ``Exception``, and it cannot even be written."""

    def __str__(self) -> str:
        raise ValueError


@dataclass
class Spoilsport(Brighten):
    """Lets go of the worker in each way that is left."""

    def apply(self, planes: Planes, at: FrameTime) -> bool:
        super().apply(planes, at)
        raise Panic

    def close(self) -> None:
        raise Panic


def test_nothing_that_an_effect_raises_reaches_the_worker(planes: Planes) -> None:
    last = Brighten()
    plan = EffectPlan("trouble", on_failure="cover")
    chain = Chain(((plan, Spoilsport()), (EffectPlan("none"), last)), 1)

    assert chain.run(planes, FRAME) is Verdict.COVERED
    assert chain.failure == "trouble: Panic: (it cannot say why)"
    chain.close()
    assert last.closed == 1


def test_what_an_effect_raises_is_told_in_one_line(planes: Planes) -> None:
    error = RuntimeError("one\nline\x1b[31m, not two")
    chain = Chain(((EffectPlan("trouble"), Fail(error)),), 1)

    chain.run(planes, FRAME)

    assert chain.failure == "trouble: RuntimeError: one line [31m, not two"


def test_closing_a_chain_closes_each_effect_once() -> None:
    effects = (Brighten(), Brighten())
    chain = Chain(tuple((plan(), effect) for effect in effects), revision=1)

    chain.close()
    chain.close()

    assert [effect.closed for effect in effects] == [1, 1]


def test_what_cannot_be_built_closes_what_was_built_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ooblexd.effects import nothing  # noqa: PLC0415 # to watch the real one close
    from ooblexd.engines import Engines  # noqa: PLC0415 # loads the engine's library

    closed: list[nothing.Nothing] = []

    def close(effect: nothing.Nothing) -> None:
        closed.append(effect)

    monkeypatch.setattr(nothing.Nothing, "close", close)
    plans = (plan(effect="none"), plan(effect="none"), plan(effect="no_such_effect"))

    with pytest.raises(ConfigError, match="no_such_effect"):
        build_chain(plans, EffectContext(Engines(threads=1)), revision=1)

    assert len(closed) == 2


def test_a_built_chain_knows_its_plans_and_revision(planes: Planes) -> None:
    from ooblexd.engines import Engines  # noqa: PLC0415 # loads the engine's library

    plans = (plan(effect="none"),)

    chain = build_chain(plans, EffectContext(Engines(threads=1)), revision=7)

    assert (chain.plans, chain.revision) == (plans, 7)
    assert chain.run(planes, FRAME) is Verdict.LIVE


@dataclass
class Find(Brighten):
    """Finds what it was given, beside what others have found."""

    finds: Any = ()
    was_found: list[Detections | None] = field(default_factory=list)

    def tell(self, found: Detections | None) -> Detections | None:
        self.was_found.append(found)
        return (*(found or ()), *self.finds)


def face(score: float) -> Detection:
    return Detection(Label.FACE, score, 0.1, 0.2, 0.3, 0.4)


def chain_of(*effects: Effect, on_failure: str = "pass") -> Chain:
    return Chain(tuple((plan(on_failure), effect) for effect in effects), revision=1)


def test_what_effects_find_is_told_surest_first(planes: Planes) -> None:
    last = Find(finds=[face(0.8)])
    chain = chain_of(Brighten(), Find(finds=[face(0.3), face(0.9)]), last)

    assert chain.run(planes, FRAME) is Verdict.LIVE

    assert chain.detections == (face(0.9), face(0.8), face(0.3))
    assert last.was_found == [(face(0.9), face(0.3))]


def test_nothing_is_told_where_nobody_looks_and_none_where_nothing_is(
    planes: Planes,
) -> None:
    nobody, nothing = chain_of(Brighten()), chain_of(Brighten(), Find())
    for chain in (nobody, nothing):
        chain.run(planes, FRAME)

    assert nobody.detections is None
    assert nothing.detections == ()


def test_of_the_picture_before_nothing_is_told(planes: Planes) -> None:
    effect = Find(finds=[face(0.9)])
    chain = chain_of(effect)
    chain.run(planes, FRAME)
    effect.finds = ["a face"]

    assert chain.run(planes, FRAME) is Verdict.LIVE
    assert chain.detections is None
    assert "'a face' is no ooblexd.detection.Detection" in chain.failure


def test_an_effect_that_cannot_say_what_it_found_has_failed(planes: Planes) -> None:
    chain = chain_of(Find(finds=3), on_failure="cover")

    assert chain.run(planes, FRAME) is Verdict.COVERED
    assert "TypeError" in chain.failure


def test_what_would_be_found_only_later_is_refused(planes: Planes) -> None:
    class Lazy(Find):
        def tell(self, found: Detections | None) -> Any:
            return (one for one in [*(found or ()), *self.finds])

    chain = chain_of(Lazy(finds=[face(0.9)]), on_failure="cover")

    assert chain.run(planes, FRAME) is Verdict.COVERED
    assert "tell returned generator" in chain.failure


def test_an_effect_on_bgr_says_what_it_found(planes: Planes) -> None:
    class Bgr(Find):
        def apply(self, planes: Any, at: FrameTime) -> bool:
            return bool(planes.shape == (18, 32, 3) and at.sequence)

    chain = chain_of(OnBgr(Bgr(finds=[face(0.9)])), OnBgr(NothingOnBgr()))

    assert chain.run(planes, FRAME) is Verdict.LIVE
    assert chain.detections == (face(0.9),)


class NothingOnBgr:
    """Changes nothing and finds nothing."""

    def apply(self, bgr: Any, at: FrameTime) -> bool:
        return bool(bgr.size and at.sequence)

    def close(self) -> None:
        """Nothing was started."""


def test_an_effect_that_has_rested_says_what_it_finds(planes: Planes) -> None:
    rest = Rest(until_ns=0, ends=3, length_s=30)
    resting = Resting(plan("pass"), rest, lambda: Find(finds=[face(0.9)]))
    chain = chain_of(resting)

    chain.run(planes, FRAME)
    assert chain.detections is None
    chain.run(planes, FRAME)
    assert chain.detections == (face(0.9),)


def test_a_process_without_memory_ends_instead_of_failing_for_ever() -> None:
    chain = Chain(((EffectPlan("fail"), Fail(MemoryError())),), revision=1)
    planes = new_planes(FRAME.width, FRAME.height)

    for _ in range(2):
        assert chain.run(planes, FRAME) is not Verdict.LIVE
    with pytest.raises(WorkerSpentError, match="no memory left"):
        chain.run(planes, FRAME)
