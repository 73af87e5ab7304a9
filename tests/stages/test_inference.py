"""The inference stage between two real rings, stepped by hand; nobody looks yet."""

from __future__ import annotations

import os
import select
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ooblexd.board import Board
from ooblexd.clock import monotonic_ns
from ooblexd.commands import AttachReader, AttachWriter, ConfigureStream
from ooblexd.counters import DemandWord, DropReason, SourceState, StageWord
from ooblexd.detection import Label, unpack_detections
from ooblexd.frame import HEADER_BYTES, FrameHeader, Verdict, i420_bytes, unpack_header
from ooblexd.heartbeat import Heartbeat
from ooblexd.pixels import copy_planes, planes_of
from ooblexd.plan import EffectPlan, StreamPlan, format_plan
from ooblexd.ring import RingSpec, Segment, create_segment, open_reader, open_writer
from ooblexd.stages.context import StageContext
from ooblexd.stages.inference import InferenceStage
from tests.support.clips import clip, scaled
from tests.support.effects import effect_plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ooblexd.pixels import Planes

WIDTH, HEIGHT = 320, 180
SLOT_BYTES = HEADER_BYTES + i420_bytes(WIDTH, HEIGHT)
NONE = effect_plan("none")
BLUR = effect_plan("blur_faces")
ZONE = effect_plan("privacy_zone", polygons=[[[0, 0], [1, 0], [1, 1]]])


class Bench:
    """One stream: what ingest, control and the supervisor would do for it."""

    def __init__(self) -> None:
        self.board = Board()
        pages = [self.board.allocate() for _ in range(6)]
        worker, stage, stream, demand, ingest, output = pages
        self.supervisor, self.end = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET
        )
        self.end.setblocking(False)
        page = self.board.page(worker)
        context = StageContext(self.board, page, Heartbeat(page), self.end)
        self.stage = InferenceStage(context, threads=1)
        self.words = self.board.page(stage).words
        self.demand = self.board.page(demand).words
        self.demand_fd = eventfd()
        self.wake_fds = [eventfd(), eventfd()]
        self.configure = ConfigureStream(
            "door", "", 0, 0, stage, stream, demand, ingest, worker, stage, output
        )
        raw, processed = ring(), ring()
        self.writer = open_writer(raw.fd, raw.spec, self.wake_fds[:1], 1)
        self.reader = open_reader(processed.fd, processed.spec, 0, self.wake_fds[1])
        self.plan(NONE)
        self.stage.obey(
            AttachReader("door", "raw", 3, SLOT_BYTES, 1, 0, 0),
            [raw.fd, os.dup(self.wake_fds[0])],
        )
        self.stage.obey(
            AttachWriter("door", "processed", 3, SLOT_BYTES, 1, 0, 1),
            [processed.fd, os.dup(self.wake_fds[1])],
        )

    def plan(self, *effects: EffectPlan, is_required: bool = True) -> None:
        """Change the effects, which may be required of each frame from here on."""
        revision = self.configure.revision + 1
        self.configure = replace(
            self.configure,
            plan=format_plan(StreamPlan("door", "demo:", effects=effects)),
            revision=revision,
            required_revision=revision
            if is_required
            else self.configure.required_revision,
        )
        self.stage.obey(self.configure, [os.dup(self.demand_fd)])

    def look(self, viewers: int) -> None:
        """Have so many viewers."""
        self.demand[DemandWord.VIEWERS] = viewers
        os.eventfd_write(self.demand_fd, 1)

    def deliver(
        self, frames: int = 1, scene: int = 0, picture: Planes | None = None
    ) -> None:
        """Publish frames as ingest does, grey ones or this, without a turn."""
        for _ in range(frames):
            loan = self.writer.loan()
            loan.memory[HEADER_BYTES:] = bytes([128]) * (SLOT_BYTES - HEADER_BYTES)
            if picture is not None:
                there = planes_of(loan.memory, WIDTH, HEIGHT, HEADER_BYTES)
                copy_planes(picture, there)
            FrameHeader(
                sequence=self.writer.sequence + 1,
                width=WIDTH,
                height=HEIGHT,
                capture_ns=monotonic_ns(),
                payload_bytes=SLOT_BYTES - HEADER_BYTES,
                scene=scene,
            ).pack_into(loan.memory)
            self.writer.publish(loan)

    def verdicts(self, frames: int, scene: int = 0) -> list[str]:
        """Deliver frames one by one and return what comes out, '-' for nothing."""
        found = []
        for _ in range(frames):
            self.deliver(scene=scene)
            self.stage.step()
            lent = self.reader.newest()
            header = unpack_header(lent.memory) if lent else None
            found.append(header.verdict.name.lower() if header else "-")
        return found

    def is_woken(self) -> bool:
        """Say whether the worker's loop would come round now."""
        return bool(select.select(list(self.stage.wake_fds()), [], [], 0)[0])

    def assert_every_frame_is_counted(self) -> None:
        """Compare in with out and dropped, and with what was delivered."""
        dropped = sum(self.words[StageWord.DROPPED + reason] for reason in DropReason)
        out, failed = self.words[StageWord.FRAMES_OUT], self.words[StageWord.FAILED]
        assert self.words[StageWord.FRAMES_IN] == out + dropped + failed
        assert self.writer.sequence == self.words[StageWord.FRAMES_IN]

    def dropped(self, reason: DropReason) -> int:
        return self.words[StageWord.DROPPED + reason]

    def close(self) -> None:
        self.stage.close()
        self.writer.close()
        self.reader.close()
        self.supervisor.close()
        self.end.close()
        for fd in (self.demand_fd, *self.wake_fds):
            os.close(fd)


def eventfd() -> int:
    return os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)


def ring() -> Segment:
    return create_segment(RingSpec.newest_only(slot_bytes=SLOT_BYTES, readers=1))


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


def test_a_chain_shows_that_it_works_and_then_is_idle(bench: Bench) -> None:
    assert bench.verdicts(5) == ["live", "-", "-", "-", "-"]
    assert bench.words[StageWord.REVISION] == 1
    assert bench.words[StageWord.STATE] == SourceState.RUNNING


def test_frames_do_not_wake_an_idle_worker_and_a_viewer_does(bench: Bench) -> None:
    bench.verdicts(3)

    bench.deliver(10)
    assert not bench.is_woken()

    bench.look(viewers=1)
    assert bench.is_woken()


def test_the_first_viewer_gets_the_frame_that_is_there_already(bench: Bench) -> None:
    bench.verdicts(3)
    bench.deliver(7)

    bench.look(viewers=1)
    bench.stage.step()

    lent = bench.reader.newest()
    assert lent is not None
    with lent:
        header = unpack_header(lent.memory)
    assert (header.verdict, header.sequence) == (Verdict.LIVE, 10)


def test_frames_that_nobody_wanted_are_counted_as_idle(bench: Bench) -> None:
    bench.verdicts(3)
    bench.deliver(7)
    bench.stage.step()

    bench.assert_every_frame_is_counted()
    bench.look(viewers=1)
    bench.deliver(5)
    bench.stage.step()

    bench.assert_every_frame_is_counted()
    assert bench.dropped(DropReason.PASSED_OVER) == 0
    assert bench.dropped(DropReason.IDLE) == 13


def test_a_privacy_effect_is_cold_after_each_pause(bench: Bench) -> None:
    bench.plan(BLUR)
    covered = ["covered"] * 4
    assert bench.verdicts(8) == [*covered, "live", "-", "-", "-"]

    bench.look(viewers=1)

    assert bench.verdicts(6) == [*covered, "live", "live"]


def test_effects_that_change_while_idle_show_that_they_work(bench: Bench) -> None:
    bench.verdicts(3)

    bench.plan(BLUR)

    assert bench.verdicts(7) == ["covered"] * 4 + ["live", "-", "-"]
    assert bench.words[StageWord.REVISION] == 2


def test_an_effect_that_cannot_start_is_told_though_nobody_looks(bench: Bench) -> None:
    bench.plan(EffectPlan("no_such_effect", is_privacy=True))

    bench.verdicts(2)

    assert bench.words[StageWord.STATE] == SourceState.DOWN


def test_a_chain_that_was_to_follow_takes_over_where_nothing_is_left(
    bench: Bench,
) -> None:
    bench.look(1)
    assert bench.verdicts(1) == ["live"]
    zoned = (ZONE,)
    bench.plan(*zoned, is_required=False)
    bench.stage.step()  # its chain is built, and no frame comes
    bench.plan(*zoned, EffectPlan("missing"))
    bench.stage.step()
    assert bench.verdicts(1) == ["covered"]

    bench.plan(*zoned)

    assert bench.verdicts(2) == ["live"] * 2
    assert bench.words[StageWord.STATE] == SourceState.RUNNING


def test_an_effect_that_works_for_itself_is_never_idle(bench: Bench) -> None:
    bench.plan(replace(NONE, runs_unwatched=True))

    assert bench.verdicts(10) == ["live"] * 10
    assert bench.dropped(DropReason.IDLE) == 0


def test_what_was_found_is_told_with_the_picture_and_counted(bench: Bench) -> None:
    bench.look(1)
    bench.plan(BLUR)
    told = []
    for _ in range(6):
        bench.deliver(picture=scaled(clip("face.mp4")[0], WIDTH, HEIGHT))
        bench.stage.step()
        lent = bench.reader.newest()
        assert lent is not None
        with lent:
            header = unpack_header(lent.memory)
        told.append((header.verdict, header.detections))
    bench.plan(NONE)

    (*cold, (_, found), (_, again)) = told
    assert cold == [(Verdict.COVERED, None)] * 4
    assert found is not None
    assert again is not None
    faces = unpack_detections(found) + unpack_detections(again)
    assert len(faces) > 1
    assert bench.words[StageWord.DETECTED + Label.FACE] == len(faces)
    assert abs(faces[0].x + faces[0].width / 2 - 0.44) < 0.03
    assert abs(faces[0].y + faces[0].height / 2 - 0.245) < 0.05

    assert bench.verdicts(1) == ["live"]
    lent = bench.reader.current()
    assert lent is not None
    with lent:
        assert unpack_header(lent.memory).detections is None, "nothing looks any more"


def test_a_frame_of_another_view_than_the_plans_is_covered(bench: Bench) -> None:
    bench.look(1)
    assert bench.verdicts(2) == ["live", "live"]

    bench.configure = replace(bench.configure, scene=7)
    bench.plan(ZONE)

    assert bench.verdicts(3, scene=0) == ["covered"] * 3, "of the former view"
    assert bench.verdicts(3, scene=7)[-1] == "live"
    assert bench.verdicts(2, scene=8) == ["covered"] * 2, "its plan is still to come"


def test_nothing_is_numbered_while_larger_memory_is_on_its_way(bench: Bench) -> None:
    bench.look(1)
    assert bench.verdicts(1) == ["live"]
    stream = bench.stage._streams["door"]
    stream._ask_for(2 * SLOT_BYTES)

    assert bench.verdicts(1) == ["-"]
    assert bench.verdicts(2, scene=8) == ["-"] * 2, "not even that they are covered"
    assert bench.dropped(DropReason.NO_ROOM) == 4  # the first is the one that asked
