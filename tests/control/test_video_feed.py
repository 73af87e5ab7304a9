from __future__ import annotations

import asyncio
import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import av
import numpy as np

from ooblexd.board import Board
from ooblexd.clock import NS_PER_MS, monotonic_ns
from ooblexd.commands import (
    AttachReader,
    AttachWriter,
    NeedSlots,
    receive,
)
from ooblexd.control.readings import StreamPages
from ooblexd.control.video_feed import VideoFeed
from ooblexd.frame import FrameHeader
from ooblexd.heartbeat import Heartbeat
from ooblexd.layout import StreamLayout
from ooblexd.pixels import new_planes
from ooblexd.ring import RingSpec, create_segment
from ooblexd.stages.context import StageContext
from ooblexd.stages.demand import Demand
from ooblexd.stages.video import VideoOutput
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ooblexd.control.video_feed import VideoUnit

WIDTH, HEIGHT = 320, 180
HISTORY = 4


def eventfd() -> int:
    return os.eventfd(0, os.EFD_NONBLOCK)


class Recorder:
    """A taker who keeps what it gets."""

    def __init__(self) -> None:
        self.units: list[VideoUnit] = []
        self.is_ended = False

    def take(self, unit: VideoUnit) -> None:
        self.units.append(unit)

    def end(self) -> None:
        self.is_ended = True


class Bench:
    """Output's encoder on one side of a real ring, control's feed on the other."""

    def __init__(self, slot_bytes: int) -> None:
        board = Board()
        worker, stream, demand, stage = (board.allocate() for _ in range(4))
        page = board.page(worker)
        self.supervisor, theirs = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET
        )
        self.supervisor.setblocking(False)
        theirs.setblocking(False)
        self.end = theirs
        context = StageContext(board, page, Heartbeat(page), theirs)
        self.output = VideoOutput(context, lambda _: True, lambda _: True)
        self.demand = Demand(
            board.page(demand), board.page(stage), board.page(stage), eventfd()
        )
        self.woken = 0
        self.feed = VideoFeed("door", self.count_wake)
        layout = StreamLayout("door", "", stream, demand, stage, stage, stage, ())
        self.feed.pages = StreamPages(board, layout)
        self.sequence = 0
        self.attach(slot_bytes)

    def count_wake(self) -> None:
        self.woken += 1

    @property
    def keyframes_asked(self) -> int:
        return self.demand.keyframes_asked

    def await_keyframe(self) -> None:
        """Wait until another keyframe is due, of which there are two a second."""
        until_ns = monotonic_ns() + 510 * NS_PER_MS
        eventually(lambda: monotonic_ns() > until_ns)

    def attach(self, slot_bytes: int) -> None:
        spec = RingSpec.with_history(slot_bytes=slot_bytes, readers=1, history=HISTORY)
        segment, wake_fd = create_segment(spec), eventfd()
        numbers = (spec.slots, slot_bytes, 1, HISTORY)
        self.output.ring.attach(
            AttachWriter("door", "video", *numbers, 1),
            [os.dup(segment.fd), os.dup(wake_fd)],
        )
        attach = AttachReader("door", "video", *numbers, 0)
        self.feed.attach(attach, os.dup(segment.fd), wake_fd)
        segment.close()

    def show(self, pictures: int = 1) -> None:
        for _ in range(pictures):
            self.sequence += 1
            now_ns = monotonic_ns()
            self.output.turn(self.demand, now_ns)
            planes = new_planes(WIDTH, HEIGHT)
            planes.y[:] = np.arange(WIDTH, dtype=np.uint8) + 5 * self.sequence
            planes.u[:], planes.v[:] = 128, 128
            captured_ns = 1 + self.sequence * 33 * NS_PER_MS
            self.output.show(
                FrameHeader(self.sequence, WIDTH, HEIGHT, captured_ns), planes
            )

    def close(self) -> None:
        self.feed.close()
        self.output.close()
        self.demand.close()
        self.supervisor.close()
        self.end.close()


@contextmanager
def bench_of(slot_bytes: int) -> Iterator[Bench]:
    bench = Bench(slot_bytes)
    try:
        yield bench
    finally:
        bench.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what the event loop does meanwhile."""
    await asyncio.to_thread(eventually, condition)


def sequences(units: list[VideoUnit]) -> list[int]:
    return [unit.header.sequence for unit in units]


def decoded(units: list[VideoUnit]) -> int:
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    frames = [f for unit in units for f in decoder.decode(av.Packet(unit.data))]
    return len(frames) + len(decoder.decode(None))


def test_every_picture_arrives_in_its_order_and_decodes() -> None:
    async def play() -> None:
        with bench_of(1 << 16) as bench:
            recorder = Recorder()
            with bench.feed.joined(recorder):
                for _ in range(8):
                    bench.show()
                    await until(lambda: len(recorder.units) == bench.sequence)
            bench.show()  # nobody takes it, and nothing is encoded
            units = recorder.units
            assert sequences(units) == list(range(1, 9))
            assert units[0].header.is_keyframe
            times = [unit.header.pts_ns for unit in units]
            assert sorted(set(times)) == times
            assert decoded(units) == len(units)
            assert bench.woken == 1
            assert not bench.output.is_wanted

    asyncio.run(play())


def test_who_comes_later_begins_with_a_keyframe() -> None:
    async def play() -> None:
        with bench_of(1 << 16) as bench:
            first, second = Recorder(), Recorder()
            with bench.feed.joined(first):
                bench.show(3)
                await until(lambda: len(first.units) == 3)
                bench.await_keyframe()
                with bench.feed.joined(second):
                    bench.show(2)
                    await until(lambda: len(first.units) == 6)
            assert second.units[0].header.is_keyframe
            # What was shown last is encoded again for who waits.
            assert sequences(second.units) == [3, 4, 5]
            assert decoded(second.units) == 3
            assert sequences(first.units) == [1, 2, 3, 3, 4, 5]
            assert decoded(first.units) == 6

    asyncio.run(play())


def test_who_falls_behind_the_history_begins_anew() -> None:
    async def play() -> None:
        with bench_of(1 << 16) as bench:
            recorder = Recorder()
            with bench.feed.joined(recorder):
                bench.show(2)
                await until(lambda: len(recorder.units) == 2)
                bench.await_keyframe()
                asked = bench.keyframes_asked
                bench.show(HISTORY * 3)  # while the loop is busy elsewhere
                await until(lambda: bench.keyframes_asked > asked)
                taken = len(recorder.units)
                bench.show(2)
                await until(lambda: len(recorder.units) >= taken + 2)
            assert taken == 2
            assert recorder.units[2].header.is_keyframe
            assert decoded(recorder.units[2:]) == len(recorder.units[2:]) >= 2

    asyncio.run(play())


def test_larger_slots_are_asked_for_and_what_follows_is_whole() -> None:
    async def play() -> None:
        with bench_of(1024) as bench:
            recorder = Recorder()
            with bench.feed.joined(recorder):
                bench.show()
                received = receive(bench.supervisor)
                assert received is not None
                need = received[0]
                assert isinstance(need, NeedSlots)
                assert need.kind == "video"
                bench.attach(need.slot_bytes)
                bench.await_keyframe()
                bench.show(3)
                await until(lambda: len(recorder.units) == 4)
            assert recorder.units[0].header.is_keyframe
            assert sequences(recorder.units) == [1, 2, 3, 4]
            assert decoded(recorder.units) == 4

    asyncio.run(play())


def test_takers_are_told_of_the_end() -> None:
    async def play() -> None:
        with bench_of(1 << 16) as bench:
            recorder = Recorder()
            with bench.feed.joined(recorder):
                bench.feed.close()
                assert recorder.is_ended

    asyncio.run(play())
