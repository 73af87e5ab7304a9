from __future__ import annotations

import os
import socket
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from ooblexd import commands
from ooblexd.board import Board
from ooblexd.clock import NS_PER_MS, NS_PER_S, monotonic_ns
from ooblexd.commands import (
    AttachReader,
    AttachWriter,
    ConfigureStream,
    NeedSlots,
    Ready,
    SlotsRefused,
)
from ooblexd.counters import DemandWord, SourceState, StageWord, StreamWord
from ooblexd.detection import Detection, Label, pack_detections
from ooblexd.frame import (
    HEADER_BYTES,
    FrameHeader,
    Step,
    Verdict,
    i420_bytes,
    unpack_header,
)
from ooblexd.heartbeat import Heartbeat, WorkerState, WorkerWord
from ooblexd.plan import StreamPlan, format_plan
from ooblexd.renditions import Rendition, unpack_table
from ooblexd.ring import RingSpec, Segment, create_segment, open_reader, open_writer
from ooblexd.stages import encoded_ring, output
from ooblexd.stages.context import StageContext
from ooblexd.stages.output import FIRST_WITHIN_NS, OutputStage
from ooblexd.stages.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH, HEIGHT = 640, 360
FOUND = pack_detections((Detection(Label.FACE, 0.5, 0.1, 0.2, 0.3, 0.4),))


def pace_of(*captures_ms: int, chain_ms: int = 20) -> Pace:
    """Return the pace after frames that were taken at ``captures_ms``."""
    pace = Pace()
    frames = [
        FrameHeader(sequence=1, width=2, height=2, capture_ns=at_ms * NS_PER_MS)
        .stamped(Step.PICKED, at_ms * NS_PER_MS)
        .stamped(Step.PROCESSED, (at_ms + chain_ms) * NS_PER_MS)
        for at_ms in captures_ms
    ]
    for before, frame in pairwise(frames):
        pace.note(frame, before, 1)
    return pace


def test_a_slow_camera_is_known_from_its_second_picture_on() -> None:
    assert pace_of(0).interval_ns == 0
    assert pace_of(0, 2000).interval_ns == 2 * NS_PER_S
    assert pace_of(0, 2000, 3900, 6000).interval_ns == 1900 * NS_PER_MS


def test_one_gap_makes_no_slow_camera() -> None:
    assert pace_of(0, 33, 66, 9000).interval_ns == 33 * NS_PER_MS
    assert pace_of(0, 33, 66, 9000, 9033, 9066).interval_ns == 33 * NS_PER_MS


def test_frames_passed_over_do_not_make_a_camera_slow() -> None:
    pace = Pace()
    frame, later = (
        FrameHeader(sequence=n, width=2, height=2, capture_ns=n * 40 * NS_PER_MS)
        for n in (1, 6)
    )

    pace.note(later, frame, 5)

    assert pace.interval_ns == 40 * NS_PER_MS


def test_a_slow_chain_moves_the_bound_of_age() -> None:
    assert pace_of(0, 33).max_age_ns() == NS_PER_S
    slow = pace_of(*range(0, 60_000, 1000), chain_ms=800)
    assert 2.3 * NS_PER_S < slow.max_age_ns() <= 2.4 * NS_PER_S


def test_a_configured_bound_stands() -> None:
    pace = pace_of(0, 1000, chain_ms=900)
    pace.configured_max_age_ns = 500 * NS_PER_MS

    assert pace.max_age_ns() == 500 * NS_PER_MS


class Bench:
    """An output stage between two real rings, stepped by hand.

    Its time stands still: what a busy machine does between two lines of a test is no
    silence of the camera.
    """

    def __init__(
        self, encoded_slot_bytes: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.now_ns = monotonic_ns()
        for module in (output, encoded_ring):
            monkeypatch.setattr(module, "monotonic_ns", lambda: self.now_ns)
        self.board = Board()
        pages = [self.board.allocate() for _ in range(6)]
        worker, stage, stream, demand, ingest, ingest_worker = pages
        self.supervisor, theirs = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET
        )
        self.supervisor.setblocking(False)
        theirs.setblocking(False)
        page = self.board.page(worker)
        self.stage = OutputStage(
            StageContext(self.board, page, Heartbeat(page), theirs)
        )
        self.end = theirs
        self.required = self.board.page(stream).words
        self.demand = self.board.page(demand).words
        self.demand[DemandWord.VIEWERS] = 1
        self.board.page(ingest_worker).words[WorkerWord.STATE] = WorkerState.UP
        self.ingest = self.board.page(ingest).words
        self.ingest[StageWord.STATE] = SourceState.RUNNING
        plan = format_plan(StreamPlan("door", "demo:"))
        configure = ConfigureStream(
            "door", plan, 1, 1, stage, stream, demand, ingest, ingest_worker, 0, stage
        )
        self.stage.obey(configure, [eventfd()])
        slot_bytes = HEADER_BYTES + i420_bytes(WIDTH, HEIGHT)
        self.wake_fds = [eventfd(), eventfd()]
        raw = ring(slot_bytes)
        self.writer = open_writer(raw.fd, raw.spec, self.wake_fds[:1], 1)
        self.stage.obey(
            AttachReader("door", "processed", 3, slot_bytes, 1, 0, 0),
            [raw.fd, os.dup(self.wake_fds[0])],
        )
        self.attach_encoded(encoded_slot_bytes)
        self.sequence = 0

    def attach_encoded(self, slot_bytes: int) -> None:
        made = ring(slot_bytes)
        self.reader = open_reader(made.fd, made.spec, 0, self.wake_fds[1])
        self.stage.obey(
            AttachWriter("door", "encoded", 3, slot_bytes, 1, 0, 1),
            [made.fd, os.dup(self.wake_fds[1])],
        )

    def process(
        self,
        *,
        verdict: Verdict = Verdict.LIVE,
        revision: int = 1,
        age_ns: int = 0,
    ) -> None:
        """Publish a frame of noise as inference does, and let output turn."""
        self.sequence += 1
        now_ns = self.now_ns - age_ns
        self.ingest[StageWord.LAST_FRAME_NS] = now_ns
        loan = self.writer.loan()
        payload_bytes = i420_bytes(WIDTH, HEIGHT) if verdict is Verdict.LIVE else 0
        rng = np.random.default_rng(self.sequence)
        noise = rng.integers(16, 236, payload_bytes, np.uint8)
        loan.memory[HEADER_BYTES : HEADER_BYTES + payload_bytes] = noise.tobytes()
        FrameHeader(
            sequence=self.sequence,
            width=WIDTH,
            height=HEIGHT,
            capture_ns=now_ns,
            payload_bytes=payload_bytes,
            verdict=verdict,
            revision=revision,
            detections=FOUND if verdict is Verdict.LIVE else None,
        ).stamped(Step.PROCESSED, now_ns).pack_into(loan.memory)
        self.writer.publish(loan)
        self.stage.step()

    def shown(self) -> FrameHeader | None:
        lent = self.reader.newest()
        return unpack_header(lent.memory) if lent else None

    def sizes(self) -> dict[int, tuple[int, int]]:
        """Return width and height of each form shown, by the width asked for."""
        lent = self.reader.newest()
        assert lent is not None
        at = HEADER_BYTES + unpack_header(lent.memory).payload_bytes
        found = {0: size_of(lent.memory[HEADER_BYTES:at])}
        for rendition, size in unpack_table(lent.memory):
            found[rendition.width] = size_of(lent.memory[at : at + size])
            at += size
        return found

    def said(self) -> list[commands.Message]:
        found: list[commands.Message] = []
        while True:
            try:
                received = commands.receive(self.supervisor)
            except BlockingIOError:
                return found
            assert received is not None
            found.append(received[0])

    def close(self) -> None:
        self.stage.close()
        self.writer.close()
        self.reader.close()
        self.supervisor.close()
        self.end.close()
        for fd in self.wake_fds:
            os.close(fd)


def size_of(jpeg: memoryview) -> tuple[int, int]:
    if not jpeg:
        return 0, 0
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture.shape[1], picture.shape[0]


def eventfd() -> int:
    return os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)


def ring(slot_bytes: int) -> Segment:
    return create_segment(RingSpec.newest_only(slot_bytes=slot_bytes, readers=1))


@pytest.fixture
def roomy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    bench = Bench(1 << 20, monkeypatch)
    yield bench
    bench.close()


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Room for a slate, and none for a picture of noise."""
    bench = Bench(1 << 15, monkeypatch)
    yield bench
    bench.close()


def test_each_frame_is_encoded_once(roomy: Bench) -> None:
    for number in range(1, 4):
        roomy.process()
        roomy.stage.step()

        shown = roomy.shown()
        assert shown is not None
        assert (shown.verdict, shown.sequence) == (Verdict.LIVE, number)
        assert shown.detections == FOUND
        assert roomy.shown() is None, "the same picture twice"


def test_a_frame_of_a_former_revision_is_covered(roomy: Bench) -> None:
    roomy.process(revision=1)
    assert roomy.shown() is not None

    roomy.required[StreamWord.REQUIRED_REVISION] = 2
    roomy.stage.step()

    covered = roomy.shown()
    assert covered is not None
    assert covered.verdict is Verdict.COVERED
    assert covered.detections is None
    roomy.process(revision=1)
    assert roomy.shown() is None
    roomy.process(revision=2)
    live = roomy.shown()
    assert live is not None
    assert (live.verdict, live.revision) == (Verdict.LIVE, 2)


def test_a_verdict_without_a_picture_repeats_the_last_protected_one(
    roomy: Bench,
) -> None:
    roomy.process()
    roomy.shown()

    roomy.process(verdict=Verdict.HELD)

    held = roomy.shown()
    assert held is not None
    assert (held.verdict, held.sequence) == (Verdict.HELD, 1)
    assert held.detections is None
    assert held.payload_bytes > 0


def test_larger_slots_are_asked_for_once(narrow: Bench) -> None:
    for _ in range(5):
        narrow.process()

    ready, *needs = narrow.said()
    assert ready == Ready()
    assert len(needs) == 1
    assert isinstance(needs[0], NeedSlots)
    assert needs[0].slot_bytes > 1 << 15
    assert narrow.shown() is None, "the sequence stands still until the answer"

    narrow.attach_encoded(needs[0].slot_bytes)
    narrow.process()

    shown = narrow.shown()
    assert shown is not None
    assert shown.verdict is Verdict.LIVE


def test_where_there_is_no_memory_a_slate_says_so(narrow: Bench) -> None:
    narrow.process()
    narrow.said()

    narrow.stage.obey(SlotsRefused("door", "encoded", "2 MiB needed, 1 free"), [])
    for _ in range(5):
        narrow.process()

    shown = narrow.shown()
    assert shown is not None
    assert shown.verdict is Verdict.SLATE
    assert not narrow.said(), "it asked again at once"


def look(bench: Bench, *, viewers: int) -> None:
    bench.demand[DemandWord.VIEWERS] = viewers
    bench.stage.step()


def test_whoever_begins_to_look_sees_nothing_of_what_was_before(roomy: Bench) -> None:
    roomy.process()
    assert roomy.shown() is not None
    look(roomy, viewers=0)
    roomy.process(age_ns=400 * NS_PER_MS)

    look(roomy, viewers=1)
    roomy.process(verdict=Verdict.HELD)

    assert roomy.shown() is None, "neither held nor a cover of it"
    roomy.process()
    live = roomy.shown()
    assert live is not None
    assert (live.verdict, live.sequence) == (Verdict.LIVE, 4)


def test_a_first_picture_that_does_not_come_is_a_cover(roomy: Bench) -> None:
    look(roomy, viewers=0)
    roomy.process(verdict=Verdict.COVERED)
    look(roomy, viewers=1)

    roomy.now_ns += FIRST_WITHIN_NS - 1
    roomy.process(verdict=Verdict.COVERED)
    assert roomy.shown() is None
    roomy.now_ns += 1
    roomy.process(verdict=Verdict.COVERED)
    shown = roomy.shown()

    assert shown is not None
    assert shown.verdict is Verdict.COVERED


def test_forms_that_are_wanted_are_made_of_frames_and_of_stand_ins(
    roomy: Bench,
) -> None:
    roomy.process()
    assert roomy.sizes() == {0: (640, 360)}

    for place, width in enumerate((160, 320, 2000)):
        roomy.demand[DemandWord.RENDITIONS + place] = Rendition(width).key
    roomy.stage.step()
    forms = {0: (640, 360), 160: (160, 90), 320: (320, 180), 2000: (0, 0)}

    assert roomy.sizes() == forms  # the newest frame again, for who has just come
    roomy.process(verdict=Verdict.COVERED)
    assert roomy.sizes() == forms
    roomy.demand[DemandWord.RENDITIONS + 2] = 0
    roomy.process()
    del forms[2000]
    assert roomy.sizes() == forms


def test_a_form_for_which_there_is_no_memory_is_the_picture_as_it_is(
    roomy: Bench,
) -> None:
    roomy.process()
    picture = roomy.shown()
    assert picture is not None
    roomy.attach_encoded(HEADER_BYTES + picture.payload_bytes + 20_000)
    roomy.demand[DemandWord.RENDITIONS] = Rendition(480, 95).key
    roomy.said()

    roomy.process()
    (need,) = roomy.said()
    assert isinstance(need, NeedSlots)
    roomy.stage.obey(SlotsRefused("door", "encoded", "no memory"), [])
    roomy.process()

    assert roomy.sizes() == {0: (640, 360), 480: (0, 0)}
