"""What a life learns of the effect that its predecessor ended in."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.board import Board, Page
from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.counters import StageWord
from ooblexd.errors import EffectRestsError, WorkerSpentError
from ooblexd.frame import FrameHeader, Verdict
from ooblexd.heartbeat import Ending, Heartbeat, WorkerWord
from ooblexd.pixels import new_planes
from ooblexd.plan import EffectPlan
from ooblexd.stages.calls import Calls, Ends, Rest, Resting, is_too_slow, key_of
from ooblexd.stages.chain import Chain

if TYPE_CHECKING:
    from ooblexd.effects import FrameTime
    from ooblexd.pixels import Planes

FRAME = FrameHeader(sequence=1, width=32, height=18, capture_ns=1)
BAD = EffectPlan("bad", deadline_ms=500)
GOOD = EffectPlan("good")


@dataclass
class Sound:
    """An effect that does nothing wrong."""

    closed: int = 0

    def apply(self, planes: Planes, at: FrameTime) -> bool:
        return planes.width > 0 and at.sequence >= 0

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def page(board: Board) -> Page:
    return board.page(board.allocate())


@pytest.fixture
def worker(board: Board) -> Page:
    return board.page(board.allocate())


@pytest.fixture
def calls(page: Page, worker: Page) -> Calls:
    return Calls(page, Heartbeat(worker))


def end_in(calls: Calls, plan: EffectPlan, ending: Ending = Ending.HUNG) -> None:
    """Let a life end while it calls an effect, and the next one look back."""
    calls.of(plan).__enter__()  # and never leave
    calls.look_back(ending, (GOOD, BAD), "door")


def test_a_call_leaves_its_key_and_promises_its_deadline_and_a_second(
    calls: Calls, page: Page, worker: Page
) -> None:
    now_ns = monotonic_ns()

    with calls.of(BAD):
        assert page.words[StageWord.CALL] == key_of(BAD)
        promised_ns = worker.words[WorkerWord.ALIVE_UNTIL_NS] - now_ns
        assert 1.5 * NS_PER_S <= promised_ns < 1.6 * NS_PER_S

    assert page.words[StageWord.CALL] == 0


def test_a_call_that_raises_has_ended_too(calls: Calls, page: Page) -> None:
    with pytest.raises(ZeroDivisionError), calls.of(BAD):
        raise ZeroDivisionError

    assert page.words[StageWord.CALL] == 0


def test_a_worker_that_ends_for_want_of_memory_ends_in_the_call(
    calls: Calls, page: Page
) -> None:
    with pytest.raises(WorkerSpentError), calls.of(BAD):
        raise WorkerSpentError("memory")

    assert page.words[StageWord.CALL] == key_of(BAD)


class Hungry:
    """Asks for more memory than there is after so many frames."""

    def __init__(self, frames: int) -> None:
        self._frames = frames

    def apply(self, planes: Planes, at: FrameTime) -> bool:
        assert (planes.width, at.sequence) == (FRAME.width, FRAME.sequence)
        self._frames -= 1
        if self._frames < 0:
            raise MemoryError
        return True

    def close(self) -> None:
        """Nothing was started."""


@pytest.mark.parametrize(("frames", "is_held"), [(0, True), (1, False)])
def test_a_want_of_memory_is_held_only_against_what_never_worked(
    calls: Calls, page: Page, frames: int, *, is_held: bool
) -> None:
    chain = Chain(((BAD, Hungry(frames)),), 1, calls)
    planes = new_planes(FRAME.width, FRAME.height)

    for _ in range(frames + 2):
        chain.run(planes, FRAME)
    with pytest.raises(WorkerSpentError):
        chain.run(planes, FRAME)

    assert (page.words[StageWord.CALL] == key_of(BAD)) is is_held


@pytest.mark.parametrize("ending", [Ending.HUNG, Ending.CRASHED])
def test_the_third_end_in_an_effect_lets_it_rest(calls: Calls, ending: Ending) -> None:
    for _ in range(2):
        end_in(calls, BAD, ending)
        assert calls.rest_of(BAD) is None

    end_in(calls, BAD, ending)

    rest = calls.rest_of(BAD)
    assert rest is not None
    assert (rest.ends, rest.length_s) == (3, 30)
    assert calls.rest_of(GOOD) is None


@pytest.mark.parametrize("ending", [Ending.KILLED, Ending.NONE])
def test_an_end_from_outside_is_nobody_s_fault(calls: Calls, ending: Ending) -> None:
    for _ in range(5):
        end_in(calls, BAD, ending)

    assert calls.rest_of(BAD) is None


def test_an_end_between_the_calls_is_nobody_s_fault(calls: Calls) -> None:
    for _ in range(5):
        calls.look_back(Ending.CRASHED, (GOOD, BAD), "door")

    assert calls.rest_of(BAD) is None


def test_an_effect_that_was_told_something_else_begins_anew(calls: Calls) -> None:
    for _ in range(3):
        end_in(calls, BAD)

    other = EffectPlan("bad", deadline_ms=500, parameters={"how": "other"})
    assert calls.rest_of(other) is None


def test_more_effects_than_there_are_rows_are_the_newest(calls: Calls) -> None:
    plans = [EffectPlan(f"bad{n}") for n in range(12)]
    for plan in plans:
        for _ in range(3):
            calls.of(plan).__enter__()  # and never leave
            calls.look_back(Ending.HUNG, plans, "door")

    resting = [plan.effect for plan in plans if calls.rest_of(plan) is not None]
    assert resting == [plan.effect for plan in plans[4:]]


def test_each_end_is_logged_with_stream_and_effect(
    calls: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            end_in(calls, BAD)

    assert [record.getMessage() for record in caplog.records] == [
        "[stream door] the effect bad made its worker hang (1 times in a row); again",
        "[stream door] the effect bad made its worker hang (2 times in a row); again",
        (
            "[stream door] the effect bad made its worker hang (3 times in a row); "
            "it rests for 30 s"
        ),
    ]


@given(st.integers(1, 100))
def test_rests_grow_to_a_quarter_of_an_hour(count: int) -> None:
    shorter = Ends(1, count, 0).rest_ns
    longer = Ends(1, count + 1, 0).rest_ns

    assert (shorter == 0) == (count <= 2)
    assert shorter <= longer <= 900 * NS_PER_S


def test_an_effect_that_lived_long_enough_is_forgiven() -> None:
    ends = Ends(1, 7, 0)

    assert ends.and_one_more(ends.rest_ns + 600 * NS_PER_S).count == 8
    assert ends.and_one_more(ends.rest_ns + 601 * NS_PER_S).count == 1


def test_a_resting_effect_is_built_when_its_rest_is_over() -> None:
    planes, built = new_planes(2, 2), Sound()
    resting = Resting(BAD, Rest(monotonic_ns() + 3600 * NS_PER_S, 3, 30), lambda: built)
    awake = Resting(BAD, Rest(0, 3, 30), lambda: built)

    for effect in (resting, resting, awake):
        with pytest.raises(EffectRestsError, match="hang or crash 3 times"):
            effect.apply(planes, FRAME)
    assert awake.apply(planes, FRAME)
    resting.close()
    awake.close()

    assert built.closed == 1


@pytest.mark.parametrize(
    ("is_privacy", "verdict"), [(True, Verdict.COVERED), (False, Verdict.LIVE)]
)
def test_a_privacy_effect_that_rests_covers_though_it_may_pass(
    *, is_privacy: bool, verdict: Verdict
) -> None:
    plan = EffectPlan("bad", on_failure="pass", is_privacy=is_privacy)
    rest = Rest(monotonic_ns() + 3600 * NS_PER_S, 3, 30)
    chain = Chain(((plan, Resting(plan, rest, Sound)),), revision=1)

    assert chain.run(new_planes(32, 18), FRAME) is verdict
    assert "bad: made its worker hang or crash 3 times" in chain.failure


def test_slow_is_longer_than_the_deadline() -> None:
    assert not is_too_slow(BAD, 500_000_000)
    assert is_too_slow(BAD, 500_000_001)
