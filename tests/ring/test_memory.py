from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ooblexd.errors import RingError, SharedMemoryFullError
from ooblexd.ring import (
    RingSpec,
    Segment,
    create_segment,
    map_control,
    open_reader,
    open_writer,
)
from ooblexd.ring.spec import LATEST_AT, MAGIC_AT
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # where POSIX shared memory is on Linux
SPEC = RingSpec.newest_only(slot_bytes=5000, readers=2)


@pytest.fixture
def segment() -> Iterator[Segment]:
    segment = create_segment(SPEC)
    yield segment
    segment.close()


@pytest.fixture
def wake_fds() -> Iterator[list[int]]:
    fds = [os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC) for _ in range(2)]
    yield fds
    for fd in fds:
        os.close(fd)


def mappings_of(segment: Segment) -> list[list[str]]:
    inode = str(os.fstat(segment.fd).st_ino)
    lines = Path("/proc/self/maps").read_text().splitlines()
    rings = (line.split() for line in lines if "/ooblexd-" in line)
    return [fields for fields in rings if fields[4] == inode]


def test_a_frame_written_is_read_in_place(
    segment: Segment, wake_fds: list[int]
) -> None:
    writer = open_writer(segment.fd, SPEC, wake_fds, generation=3)
    reader = open_reader(segment.fd, SPEC, 0, wake_fds[0])

    loan = writer.loan()
    loan.memory[:] = b"\x07" * 5000
    sequence = writer.publish(loan)
    lent = reader.newest()

    assert lent is not None
    with lent:
        assert lent.sequence == sequence == 1
        assert lent.memory.nbytes == 5000
        assert bytes(lent.memory) == b"\x07" * 5000
    assert reader.newest() is None
    assert writer.generation == 3


def test_readers_cannot_write_into_a_slot(
    segment: Segment, wake_fds: list[int]
) -> None:
    writer = open_writer(segment.fd, SPEC, wake_fds, 0)
    reader = open_reader(segment.fd, SPEC, 0, wake_fds[0])
    writer.publish(writer.loan())
    lent = reader.newest()

    assert lent is not None
    assert lent.memory.readonly
    assert not np.frombuffer(lent.memory, np.uint8).flags.writeable
    protections = sorted(fields[1] for fields in mappings_of(segment))
    assert protections == ["r--s", "rw-s", "rw-s", "rw-s"]


def test_a_segment_has_no_name_and_works_without_its_descriptor(
    wake_fds: list[int],
) -> None:
    segment = create_segment(SPEC)
    writer = open_writer(segment.fd, SPEC, wake_fds, 0)
    reader = open_reader(segment.fd, SPEC, 0, wake_fds[0])
    segment.close()
    segment.close()

    writer.publish(writer.loan())

    assert reader.newest() is not None
    eventually(lambda: not any(SHARED_MEMORY.glob("ooblexd-*")))


def test_a_closed_ring_leaves_no_mapping(segment: Segment, wake_fds: list[int]) -> None:
    control = map_control(segment)
    writer = open_writer(segment.fd, SPEC, wake_fds, 0)
    reader = open_reader(segment.fd, SPEC, 0, wake_fds[0])
    assert len(mappings_of(segment)) == 5

    for part in (control, writer, reader):
        part.close()
        part.close()

    assert mappings_of(segment) == []


def test_a_closed_ring_refuses_instead_of_crashing(
    segment: Segment, wake_fds: list[int]
) -> None:
    reader = open_reader(segment.fd, SPEC, 0, wake_fds[0])
    writer = open_writer(segment.fd, SPEC, wake_fds, 0)
    loan = writer.loan()
    reader.close()
    writer.close()

    with pytest.raises(ValueError, match="closed"):
        reader.newest()
    with pytest.raises(ValueError, match="closed"):
        reader.prepare_wait()
    with pytest.raises(ValueError, match="latest loan"):
        writer.publish(loan)


def test_a_picture_outlives_the_close_of_its_reader(
    segment: Segment, wake_fds: list[int]
) -> None:
    writer = open_writer(segment.fd, SPEC, wake_fds, 0)
    reader = open_reader(segment.fd, SPEC, 0, wake_fds[0])
    loan = writer.loan()
    loan.memory[:] = b"\x09" * 5000
    writer.publish(loan)
    lent = reader.newest()
    assert lent is not None
    picture = np.frombuffer(lent.memory, np.uint8)
    writer.close()
    reader.close()
    del lent, loan

    assert picture.sum() == 9 * 5000
    assert len(mappings_of(segment)) == 1
    del picture
    assert mappings_of(segment) == []


def test_the_supervisor_maps_the_control_page_only(segment: Segment) -> None:
    control = map_control(segment)

    (fields,) = mappings_of(segment)
    start, end = (int(bound, 16) for bound in fields[0].split("-"))
    assert end - start == SPEC.control_bytes
    control.close()
    assert mappings_of(segment) == []


def test_too_little_shared_memory_is_an_error_with_numbers() -> None:
    spec = RingSpec.newest_only(slot_bytes=1 << 45, readers=1)

    with pytest.raises(SharedMemoryFullError) as caught:
        create_segment(spec)

    assert caught.value.needed_bytes == spec.total_bytes
    assert 0 < caught.value.free_bytes < spec.total_bytes
    assert f"{spec.total_bytes / 2**20:.1f} MiB needed" in str(caught.value)


def test_a_segment_is_reserved_in_full_when_it_is_made(segment: Segment) -> None:
    status = os.fstat(segment.fd)

    assert status.st_size == SPEC.total_bytes
    assert status.st_blocks * 512 >= SPEC.total_bytes


def test_a_ring_of_another_size_is_refused(segment: Segment) -> None:
    other = RingSpec.newest_only(slot_bytes=5000, readers=3)

    with pytest.raises(RingError, match=f"ring of {other.total_bytes}"):
        open_reader(segment.fd, other, 0, -1)


def test_a_ring_of_another_make_is_refused(segment: Segment) -> None:
    other = RingSpec.newest_only(slot_bytes=4999, readers=2)

    with pytest.raises(RingError, match="word 24 is 0x1388, expected 0x1387"):
        map_control(Segment(segment.fd, other))


def test_memory_that_is_no_ring_is_refused(segment: Segment) -> None:
    os.pwrite(segment.fd, b"garbage!", MAGIC_AT)

    with pytest.raises(RingError, match="word 0 is"):
        map_control(segment)


def test_a_place_that_the_ring_lacks_is_refused(segment: Segment) -> None:
    with pytest.raises(ValueError, match="place 2 of 2"):
        open_reader(segment.fd, SPEC, 2, -1)


def test_a_writer_refuses_a_damaged_newest_word(
    segment: Segment, wake_fds: list[int]
) -> None:
    os.pwrite(segment.fd, b"\xff" * 8, LATEST_AT)

    with pytest.raises(RingError, match="slot 255 of 4"):
        open_writer(segment.fd, SPEC, wake_fds, 0)


def test_the_sequence_goes_on_in_the_segment_that_replaces_another(
    wake_fds: list[int],
) -> None:
    segment = create_segment(SPEC, first_sequence=41)
    control = map_control(segment)
    reader = open_reader(segment.fd, SPEC, 0, wake_fds[0])
    writer = open_writer(segment.fd, SPEC, wake_fds, 0)
    segment.close()

    assert control.sequence == 41
    assert reader.newest() is None
    assert reader.current() is None
    assert writer.publish(writer.loan()) == 42
    lent = reader.newest()
    assert lent is not None
    assert (lent.sequence, lent.passed) == (42, 0)


def test_only_a_reader_that_waits_is_woken(
    segment: Segment, wake_fds: list[int]
) -> None:
    control = map_control(segment)
    writer = open_writer(segment.fd, SPEC, wake_fds, 0)
    reader = open_reader(segment.fd, SPEC, 1, wake_fds[1])
    assert reader.prepare_wait()
    assert [control.is_waiting(place) for place in (0, 1)] == [False, True]

    writer.publish(writer.loan())

    with pytest.raises(BlockingIOError):
        os.eventfd_read(wake_fds[0])
    assert os.eventfd_read(wake_fds[1]) == 1
    reader.drain_wake()
    assert not control.is_waiting(1)
    writer.publish(writer.loan())
    with pytest.raises(BlockingIOError):
        os.eventfd_read(wake_fds[1])


def test_a_reader_whose_eventfd_is_full_does_not_stop_the_writer(
    segment: Segment, wake_fds: list[int]
) -> None:
    writer = open_writer(segment.fd, SPEC, wake_fds, 0)
    reader = open_reader(segment.fd, SPEC, 0, wake_fds[0])
    os.eventfd_write(wake_fds[0], 2**64 - 2)
    assert reader.prepare_wait()

    assert writer.publish(writer.loan()) == 1


def test_the_owner_sees_and_clears_what_a_dead_reader_held(
    segment: Segment, wake_fds: list[int]
) -> None:
    control = map_control(segment)
    writer = open_writer(segment.fd, SPEC, wake_fds, 0)
    reader = open_reader(segment.fd, SPEC, 0, wake_fds[0])
    loan = writer.loan()
    writer.publish(loan)
    assert reader.newest() is not None
    assert control.held_slot(0) == loan.slot

    control.clear_reader(0)

    assert control.held_slot(0) is None
