"""Uploads between the ring that control writes and the source that decodes."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from ooblexd.board import Board
from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.commands import AttachReader
from ooblexd.counters import DropReason, StageCounters, StageWord
from ooblexd.frame import HEADER_BYTES, FrameHeader, PixelFormat
from ooblexd.ring import RingSpec, create_segment, open_writer
from ooblexd.sources.upload import Upload
from ooblexd.stages.inbox import Inbox, UploadRing

if TYPE_CHECKING:
    from collections.abc import Iterator

SPEC = RingSpec.newest_only(slot_bytes=1 << 12, readers=1)


class Sender:
    """Control's end of a ring of uploads."""

    def __init__(self) -> None:
        self.segment = create_segment(SPEC)
        self.wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.writer = open_writer(self.segment.fd, SPEC, [self.wake_fd], 1)

    def send(self, data: bytes, capture_ns: int | None = None) -> None:
        """Publish a file."""
        loan = self.writer.loan()
        FrameHeader(
            sequence=self.writer.sequence + 1,
            width=0,
            height=0,
            capture_ns=monotonic_ns() if capture_ns is None else capture_ns,
            payload_bytes=len(data),
            pixel_format=PixelFormat.FILE,
        ).pack_into(loan.memory)
        loan.memory[HEADER_BYTES : HEADER_BYTES + len(data)] = data
        self.writer.publish(loan)

    def attach_to(self, ring: UploadRing) -> None:
        """Give ``ring`` the reading end, as the supervisor does."""
        message = AttachReader(
            stream="desk",
            kind="uploaded",
            slots=SPEC.slots,
            slot_bytes=SPEC.slot_bytes,
            readers=1,
            history=0,
            place=0,
        )
        ring.attach(message, [os.dup(self.segment.fd), os.dup(self.wake_fd)])

    def replace_segment(self) -> None:
        """Go on in new memory, as when slots grow."""
        segment = create_segment(SPEC, first_sequence=self.writer.sequence)
        self.writer.close()
        self.segment.close()
        self.segment = segment
        self.writer = open_writer(segment.fd, SPEC, [self.wake_fd], 1)

    def close(self) -> None:
        """Unmap the ring."""
        self.writer.close()
        self.segment.close()
        os.close(self.wake_fd)


@pytest.fixture
def sender() -> Iterator[Sender]:
    made = Sender()
    yield made
    made.close()


@pytest.fixture
def ring(sender: Sender) -> Iterator[UploadRing]:
    made = UploadRing()
    sender.attach_to(made)
    yield made
    made.detach()


@pytest.fixture
def counters() -> StageCounters:
    board = Board()
    return StageCounters(board.page(board.allocate()))


def dropped(counters: StageCounters) -> tuple[int, int]:
    """Return the frames that came in and were passed over, as they are counted."""
    passed_over = StageWord.DROPPED + DropReason.PASSED_OVER
    return counters.value(StageWord.FRAMES_IN), counters.value(StageWord(passed_over))


def data_of(upload: Upload | None) -> bytes | None:
    return None if upload is None else upload.data


def test_a_file_arrives_as_it_was_sent(
    ring: UploadRing, sender: Sender, counters: StageCounters
) -> None:
    inbox = ring.open_inbox(counters)
    now_ns = monotonic_ns()
    sender.send(b"a file", now_ns)

    ring.drain()

    assert inbox.take(1) == Upload(b"a file", now_ns)
    assert inbox.take(0) is None


def test_who_waits_is_woken(
    ring: UploadRing, sender: Sender, counters: StageCounters
) -> None:
    inbox = ring.open_inbox(counters)
    ring.drain()
    found: list[Upload | None] = []
    waiting = threading.Thread(target=lambda: found.append(inbox.take(10)))
    waiting.start()

    sender.send(b"a file")
    assert os.eventfd_read(ring.wake_fds[0]) == 1, "the ring wakes the loop"
    ring.drain()

    waiting.join(5)
    assert [data_of(upload) for upload in found] == [b"a file"]


def test_the_newest_wins_and_the_others_are_counted(
    ring: UploadRing, sender: Sender, counters: StageCounters
) -> None:
    inbox = ring.open_inbox(counters)
    sender.send(b"1")
    ring.drain()
    sender.send(b"2")
    sender.send(b"3")
    ring.drain()

    assert data_of(inbox.take(1)) == b"3"
    assert dropped(counters) == (2, 2)


def test_what_was_sent_before_this_worker_began_is_left_alone(
    ring: UploadRing, sender: Sender, counters: StageCounters
) -> None:
    """It may be what ended the worker before it."""
    inbox = ring.open_inbox(counters)
    sender.send(b"poison", monotonic_ns() - NS_PER_S)

    ring.drain()

    assert inbox.take(0) is None


def test_new_memory_goes_on_where_the_old_one_ended(
    ring: UploadRing, sender: Sender, counters: StageCounters
) -> None:
    inbox = ring.open_inbox(counters)
    sender.send(b"1")
    ring.drain()
    assert data_of(inbox.take(1)) == b"1"

    sender.replace_segment()
    sender.attach_to(ring)
    sender.send(b"2")
    ring.drain()

    assert data_of(inbox.take(1)) == b"2"
    assert dropped(counters) == (0, 0)


def test_who_waits_at_a_closed_inbox_waits_no_longer(
    ring: UploadRing, sender: Sender, counters: StageCounters
) -> None:
    former = ring.open_inbox(counters)
    found: list[Upload | None] = []
    waiting = threading.Thread(target=lambda: found.append(former.take(10)))
    waiting.start()

    inbox = ring.open_inbox(counters)
    waiting.join(5)
    sender.send(b"a file")
    ring.drain()

    assert found == [None]
    assert data_of(inbox.take(1)) == b"a file"


def test_without_an_inbox_uploads_wait_in_the_ring(
    ring: UploadRing, sender: Sender, counters: StageCounters
) -> None:
    sender.send(b"a file")
    ring.drain()

    inbox: Inbox = ring.open_inbox(counters)
    ring.drain()

    assert data_of(inbox.take(1)) == b"a file"
