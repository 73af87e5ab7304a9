"""The ring between real processes, some of which are killed."""

from __future__ import annotations

import os
import select
import signal
import traceback
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ooblexd.ring import (
    RingReader,
    RingSpec,
    RingWriter,
    Segment,
    create_segment,
    map_control,
    open_reader,
    open_writer,
)
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ooblexd.ring import Lent
    from ooblexd.ring.words import Words

# The children run this module's code and no other, whatever threads numpy has.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # where POSIX shared memory is on Linux
FRAME_BYTES = 65536
SPEC = RingSpec.with_history(slot_bytes=FRAME_BYTES, readers=2, history=4)
FRAMES = 3000


@pytest.fixture
def wake_fds() -> Iterator[list[int]]:
    fds = [os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC) for _ in range(2)]
    yield fds
    for fd in fds:
        os.close(fd)


@pytest.fixture(params=[0, 4], ids=["newest_only", "with_history"])
def segment(request: pytest.FixtureRequest) -> Iterator[Segment]:
    history: int = request.param
    segment = create_segment(RingSpec(4 + history, FRAME_BYTES, 2, history))
    yield segment
    segment.close()
    eventually(lambda: not any(SHARED_MEMORY.glob("ooblexd-*")))


def fork(body: Callable[[], None]) -> int:
    """Run ``body`` in a child; exit code 1 and a traceback if it raises."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        body()
        code = 0
    except Exception:  # noqa: BLE001  # the parent sees the exit code, people this
        traceback.print_exc()
    finally:  # the child must never return into pytest
        os._exit(code)


def exit_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def fill(memory: memoryview, sequence: int) -> None:
    """Write a frame: a checksum, its number, and bytes that depend on it."""
    body = sequence.to_bytes(8, "little") * (FRAME_BYTES // 8 - 1)
    memory[8:] = body
    memory[:8] = zlib.crc32(body).to_bytes(8, "little")


def number_in(lent: Lent) -> int:
    """Return a frame's number, if every byte of it is right."""
    assert zlib.crc32(lent.memory[8:]) == int.from_bytes(lent.memory[:8], "little")
    return int.from_bytes(lent.memory[8:16], "little")


def publish(writer: RingWriter, times: int = 1) -> None:
    for _ in range(times):
        loan = writer.loan()
        fill(loan.memory, writer.sequence + 1)
        writer.publish(loan)


def read_all(reader: RingReader, way: str) -> None:
    """Read until the last frame, asleep when there is none; account for each."""
    accounted = 0
    while accounted < FRAMES:
        lent: Lent | None = getattr(reader, way)()
        if lent is not None:
            with lent:
                assert number_in(lent) == lent.sequence
            accounted += lent.passed + 1
            assert accounted == lent.sequence
        elif reader.prepare_wait():
            assert select.select([reader.wake_fd], [], [], 10)[0], "nobody woke it"
            reader.drain_wake()


def test_readers_of_a_writer_at_full_speed_never_see_a_wrong_frame(
    wake_fds: list[int],
) -> None:
    segment = create_segment(SPEC)
    readers = [
        open_reader(segment.fd, SPEC, place, wake_fds[place]) for place in (0, 1)
    ]
    children = [
        fork(lambda: read_all(readers[0], "newest")),
        fork(lambda: read_all(readers[1], "next")),
        fork(lambda: publish(open_writer(segment.fd, SPEC, wake_fds, 0), FRAMES)),
    ]

    assert [exit_of(child) for child in children] == [0, 0, 0]
    segment.close()
    eventually(lambda: not any(SHARED_MEMORY.glob("ooblexd-*")))


def test_the_slot_of_a_killed_reader_stays_until_its_place_is_cleared(
    segment: Segment, wake_fds: list[int]
) -> None:
    control = map_control(segment)
    writer = open_writer(segment.fd, segment.spec, wake_fds, 0)
    publish(writer)
    holds, told = os.pipe()

    def hold() -> None:
        reader = open_reader(segment.fd, segment.spec, 0, wake_fds[0])
        assert reader.newest() is not None
        os.write(told, b"!")
        signal.pause()

    child = fork(hold)
    assert os.read(holds, 1) == b"!"
    held = control.held_slot(0)
    os.kill(child, signal.SIGKILL)
    assert exit_of(child) == -signal.SIGKILL

    used_before = slots_used(writer, 20)
    control.clear_reader(0)
    used_after = slots_used(writer, 20)

    assert held is not None
    assert held not in used_before
    assert held in used_after
    os.close(holds)
    os.close(told)


def slots_used(writer: RingWriter, times: int) -> set[int]:
    slots = set()
    for _ in range(times):
        loan = writer.loan()
        slots.add(loan.slot)
        writer.publish(loan)
    return slots


class FatalWords:
    """The words of a ring, until an operation that kills the process instead."""

    def __init__(self, words: Words, left: int) -> None:
        self._words = words
        self._left = left

    def load(self, offset: int) -> int:
        self._count()
        return self._words.load(offset)

    def store(self, offset: int, value: int) -> None:
        self._count()
        self._words.store(offset, value)

    def fence(self) -> None:
        self._count()
        self._words.fence()

    def close(self) -> None:
        self._words.close()

    def _count(self) -> None:
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1


def test_a_writer_killed_at_any_step_is_followed_by_one_that_goes_on(
    segment: Segment, wake_fds: list[int]
) -> None:
    control = map_control(segment)
    reader = open_reader(segment.fd, segment.spec, 0, wake_fds[0])
    way = reader.next if segment.spec.history else reader.newest
    steps, code = 0, -signal.SIGKILL
    while code == -signal.SIGKILL:
        before = control.sequence

        def die(steps: int = steps) -> None:
            writer = open_writer(segment.fd, segment.spec, wake_fds, 1)
            publish(writer)
            writer._words = FatalWords(writer._words, steps)
            publish(writer)

        code = exit_of(fork(die))
        assert control.sequence - before in {1, 2}
        publish(open_writer(segment.fd, segment.spec, wake_fds, 2))
        assert control.sequence - before in {2, 3}
        while (lent := way()) is not None:
            assert number_in(lent) == lent.sequence
            assert lent.passed == 0 or not segment.spec.history
        assert reader.seen == control.sequence
        steps += 1

    assert code == 0
    assert steps > 6, "each step of a publication was the last of a writer"


def test_a_forked_child_can_drop_what_it_inherited(
    segment: Segment, wake_fds: list[int]
) -> None:
    control = map_control(segment)
    inode = str(os.fstat(segment.fd).st_ino)

    def drop() -> None:
        os.closerange(3, 256)
        control.close()
        maps = Path("/proc/self/maps").read_text().splitlines()
        rings = [line.split() for line in maps if "/ooblexd-" in line]
        assert inode not in {fields[4] for fields in rings}

    child = fork(drop)

    assert exit_of(child) == 0
    publish(open_writer(segment.fd, segment.spec, wake_fds, 0))
    assert control.sequence == 1
