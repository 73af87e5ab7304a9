from __future__ import annotations

from ooblexd.clock import NS_PER_MS, NS_PER_S
from ooblexd.plan import EffectPlan
from ooblexd.stages.idle import LINGER_NS, TRY_AGAIN_NS, Idle, Work

BLUR = (EffectPlan("blur_faces"),)
OTHER = (EffectPlan("pixelate_faces"),)
FRAME_NS = 33 * NS_PER_MS
START_NS = 1000 * NS_PER_S


class Stream:
    """Frames at 30 a second, each asked about."""

    def __init__(self) -> None:
        self.idle = Idle()
        self.now_ns = START_NS
        self.plans = BLUR

    def due(self, *, is_wanted: bool = False, is_failing: bool = False) -> Work:
        self.now_ns += FRAME_NS
        due = self.idle.work_due(
            self.plans, self.now_ns, is_wanted=is_wanted, is_failing=is_failing
        )
        if due is Work.FRAME:
            self.idle.note_try(self.now_ns)
        return due

    def all_due(self, for_ns: int, *, is_failing: bool = False) -> list[Work]:
        frames = for_ns // FRAME_NS
        return [self.due(is_failing=is_failing) for _ in range(frames)]


def test_every_frame_is_worked_on_while_somebody_looks() -> None:
    stream = Stream()
    stream.idle.prove(BLUR)

    assert {stream.due(is_wanted=True) for _ in range(100)} == {Work.FRAME}


def test_a_chain_works_until_a_picture_has_come_out_of_it() -> None:
    stream = Stream()

    assert set(stream.all_due(10 * NS_PER_S)) == {Work.FRAME}
    stream.idle.prove(BLUR)
    assert stream.due() is Work.NEW_CHAIN


def test_an_idle_chain_is_built_anew_once() -> None:
    stream = Stream()
    stream.idle.prove(BLUR)

    assert stream.due() is Work.NEW_CHAIN
    assert set(stream.all_due(3600 * NS_PER_S)) == {Work.NOTHING}
    assert stream.due(is_wanted=True) is Work.FRAME


def test_who_comes_back_soon_finds_the_chain_at_work() -> None:
    stream = Stream()
    stream.idle.prove(BLUR)
    stream.due(is_wanted=True)

    assert set(stream.all_due(LINGER_NS - FRAME_NS)) == {Work.FRAME}
    assert stream.all_due(4 * FRAME_NS)[-2:] == [Work.NOTHING] * 2
    assert stream.due(is_wanted=True) is Work.FRAME


def test_another_chain_has_to_show_that_it_works() -> None:
    stream = Stream()
    stream.idle.prove(BLUR)
    stream.due()

    stream.plans = OTHER

    assert set(stream.all_due(NS_PER_S)) == {Work.FRAME}
    stream.idle.prove(OTHER)
    assert stream.due() is Work.NEW_CHAIN


def test_a_chain_that_fails_is_tried_once_a_second() -> None:
    stream = Stream()

    due = stream.all_due(10 * TRY_AGAIN_NS, is_failing=True)

    assert 9 <= due.count(Work.FRAME) <= 10
    assert due.count(Work.NEW_CHAIN) == 0
    assert stream.due(is_wanted=True, is_failing=True) is Work.FRAME


def test_a_chain_that_is_mended_proves_itself_at_full_rate() -> None:
    stream = Stream()
    stream.all_due(NS_PER_S, is_failing=True)

    assert set(stream.all_due(NS_PER_S)) == {Work.FRAME}
