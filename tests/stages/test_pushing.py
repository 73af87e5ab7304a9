from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ooblexd.board import Board
from ooblexd.control.pushes import (
    PushReading,
    carried_by,
    read_pushes,
    report_of,
)
from ooblexd.control.readings import WorkerReading
from ooblexd.counters import PushState
from ooblexd.encoders.video import VideoCodec
from ooblexd.heartbeat import WorkerState
from ooblexd.plan import PushPlan, StreamPlan
from ooblexd.pushes.push import PushGate
from ooblexd.stages.pushing import KEYFRAME_EVERY_S, Pushes
from tests.support.encoded import Picture
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ooblexd.audio import AudioPacket
    from ooblexd.frame import FrameHeader

GONE = PushPlan("rtmp://127.0.0.1:1/live/key")
OTHER = PushPlan("exec:no-such-command -")


def always(_: FrameHeader | AudioPacket) -> bool:
    return True


class Bench:
    """The pushes of a stream, and what control reads of them."""

    def __init__(self) -> None:
        board = Board()
        self.page = board.page(board.allocate())
        self.pushes = Pushes(PushGate(always, always))
        self.plan = StreamPlan("door", "demo:")
        self.picture = Picture()

    def configure(self, *plans: PushPlan) -> None:
        self.plan = StreamPlan("door", "demo:", push=plans)
        self.pushes.configure(plans, self.page)

    def turn(self) -> list[PushReading]:
        """Do what the loop of the worker does for each picture."""
        self.pushes.turn()
        if self.pushes.wishes.codecs:
            is_keyframe = self.pushes.wishes.wants_keyframe(VideoCodec.H264)
            self.pushes.wishes.keyframe_made(VideoCodec.H264)
            unit = self.picture.unit(is_keyframe=is_keyframe)
            self.pushes.deliver(VideoCodec.H264, unit)
        return read_pushes(self.plan, self.page)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.pushes.close()


def test_control_reads_how_each_is_in_the_order_of_the_plan(bench: Bench) -> None:
    bench.configure(GONE, OTHER)

    eventually(lambda: all(push.reason for push in bench.turn()))
    gone, other = read_pushes(bench.plan, bench.page)
    assert (gone.name, gone.reason) == (
        "rtmp://127.0.0.1:1/live/***",
        "connection refused",
    )
    assert other.reason == "there is no command no-such-command"
    assert gone.is_down
    report = report_of(gone, gone.since_ns)
    assert report.state in ("waiting", "connecting", "failed")

    bench.configure(OTHER)
    [left] = bench.turn()
    assert left.name == "exec:no-such-command ***"
    assert len(bench.pushes) == 1


def test_one_of_which_nothing_is_known_yet_is_no_fault(bench: Bench) -> None:
    plan = StreamPlan("door", "demo:", push=(GONE,))

    [push] = read_pushes(plan, bench.page)

    assert push.state is PushState.NONE
    assert not push.is_down
    assert report_of(push, 1).state == "connecting"
    assert report_of(push, 1).since is None


def test_a_worker_that_is_dead_pushes_nothing_whatever_it_said_last() -> None:
    push = PushReading("rtmp://h/live/***", PushState.RUNNING, 1, "", 9, 0)
    up, dead = (
        WorkerReading("output:door", state, "")
        for state in (WorkerState.UP, WorkerState.WAITING)
    )

    assert carried_by(up, push) == push
    assert carried_by(dead, push).is_down
    assert carried_by(dead, push).reason == "output:door is being restarted"
    assert carried_by(dead, push).sent == 9


def test_nobody_to_push_to_wants_nothing(bench: Bench) -> None:
    bench.configure()
    bench.pushes.turn()

    assert not bench.pushes.wishes.codecs
    assert read_pushes(bench.plan, bench.page) == []


def test_a_keyframe_is_asked_for_as_often_as_platforms_want(bench: Bench) -> None:
    bench.pushes.deliver(VideoCodec.H264, bench.picture.unit(is_keyframe=True))
    first = bench.picture.unit().packet
    assert not bench.pushes.wishes.wants_keyframe(VideoCodec.H264)

    assert first.pts is not None
    late = bench.picture.unit()
    late.packet.pts = first.pts + KEYFRAME_EVERY_S * 90_000
    bench.pushes.deliver(VideoCodec.H264, late)

    assert bench.pushes.wishes.wants_keyframe(VideoCodec.H264)
