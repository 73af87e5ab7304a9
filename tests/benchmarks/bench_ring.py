"""How long does a frame take from one process to another?

Question: what does the ring cost at one hand-off, against the copy that any transport
needs and against the queue of Python's standard library?

Setup: a 1280x720 I420 picture (1.38 MB) goes from a parent to a child that sleeps until
it is woken; one at a time, the next one when the child has answered through a pipe. The
writer copies its picture into the loaned slot; the reader gets a view and touches one
byte in each page. ``memcpy`` is the same copy within one process. ``hand-off code`` is
loan, publish, newest and release in one process, without a picture.

Formula: from before the copy to when the child has touched the picture, both by
``CLOCK_MONOTONIC``; median and 99th percentile over all rounds after a warm-up.

Left out: decoding and encoding; several readers; a machine that is busy otherwise.
"""

from __future__ import annotations

import multiprocessing
import os
import select
import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from ooblexd.ring import RingSpec, create_segment, open_reader, open_writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.queues import Queue

    from numpy.typing import NDArray

PICTURE_BYTES = 1280 * 720 * 3 // 2
HEADER_BYTES = 256
_PAGE_BYTES = 4096
_WARM_UP = 20


class Row(NamedTuple):
    """One line of the table, in microseconds."""

    what: str
    p50_us: float
    p99_us: float


def run(rounds: int = 1000) -> list[Row]:
    """Measure each transport ``rounds`` times."""
    return [
        _row("hand-off code", _time_code(rounds)),
        _row("memcpy", _time_memcpy(rounds)),
        _row("ring", _time_ring(rounds)),
        _row("multiprocessing.Queue", _time_queue(rounds)),
    ]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_the_hand_off_can_be_measured() -> None:
    rows = run(rounds=5)

    assert [row.what for row in rows][:3] == ["hand-off code", "memcpy", "ring"]
    assert all(0 < row.p50_us <= row.p99_us for row in rows)


def _row(what: str, times_ns: list[int]) -> Row:
    kept = np.array(times_ns[_WARM_UP:] or times_ns) / 1000
    return Row(what, float(np.percentile(kept, 50)), float(np.percentile(kept, 99)))


def _picture() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, PICTURE_BYTES, np.uint8)


def _touch(picture: NDArray[np.uint8]) -> int:
    return int(picture[::_PAGE_BYTES].sum())


def _time_memcpy(rounds: int) -> list[int]:
    picture, target = _picture(), np.zeros(PICTURE_BYTES, np.uint8)
    return _timed(lambda: np.copyto(target, picture), rounds)


def _time_code(rounds: int) -> list[int]:
    spec = RingSpec.newest_only(slot_bytes=HEADER_BYTES + PICTURE_BYTES, readers=2)
    segment = create_segment(spec)
    wake_fds = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(spec.readers)]
    writer = open_writer(segment.fd, spec, wake_fds, 0)
    reader = open_reader(segment.fd, spec, 0, wake_fds[0])
    segment.close()

    def hand_off() -> None:
        writer.publish(writer.loan())
        lent = reader.newest()
        assert lent is not None
        with lent:
            pass

    times_ns = _timed(hand_off, rounds)
    writer.close()
    reader.close()
    for fd in wake_fds:
        os.close(fd)
    return times_ns


def _timed(action: Callable[[], object], rounds: int) -> list[int]:
    times_ns = []
    for _ in range(rounds + _WARM_UP):
        start_ns = time.monotonic_ns()
        action()
        times_ns.append(time.monotonic_ns() - start_ns)
    return times_ns


def _time_ring(rounds: int) -> list[int]:
    spec = RingSpec.newest_only(slot_bytes=HEADER_BYTES + PICTURE_BYTES, readers=1)
    segment = create_segment(spec)
    wake_fd = os.eventfd(0, os.EFD_NONBLOCK)
    answers, answer = os.pipe()
    context = multiprocessing.get_context("fork")
    child = context.Process(
        target=_read_ring, args=(segment.fd, spec, wake_fd, answer), daemon=True
    )
    child.start()
    writer = open_writer(segment.fd, spec, [wake_fd], 0)
    picture = _picture()
    assert os.read(answers, 8)

    def send() -> None:
        loan = writer.loan()
        slot = np.frombuffer(loan.memory, np.uint8, offset=HEADER_BYTES)
        np.copyto(slot, picture)
        writer.publish(loan)

    times_ns = _answered(send, answers, rounds)
    child.terminate()
    child.join()
    writer.close()
    segment.close()
    for fd in (wake_fd, answers, answer):
        os.close(fd)
    return times_ns


def _read_ring(fd: int, spec: RingSpec, wake_fd: int, answer: int) -> None:
    reader = open_reader(fd, spec, 0, wake_fd)
    os.write(answer, bytes(8))
    while True:
        lent = reader.newest()
        if lent is not None:
            with lent:
                _touch(np.frombuffer(lent.memory, np.uint8, offset=HEADER_BYTES))
                os.write(answer, time.monotonic_ns().to_bytes(8, "little"))
        elif reader.prepare_wait():
            select.select([wake_fd], [], [])
            reader.drain_wake()


def _time_queue(rounds: int) -> list[int]:
    context = multiprocessing.get_context("fork")
    queue: Queue[NDArray[np.uint8]] = context.Queue()
    answers, answer = os.pipe()
    child = context.Process(target=_read_queue, args=(queue, answer), daemon=True)
    child.start()
    picture = _picture()
    assert os.read(answers, 8)
    times_ns = _answered(lambda: queue.put(picture), answers, rounds)
    child.terminate()
    child.join()
    queue.close()
    queue.join_thread()
    for fd in (answers, answer):
        os.close(fd)
    return times_ns


def _read_queue(queue: Queue[NDArray[np.uint8]], answer: int) -> None:
    os.write(answer, bytes(8))
    while True:
        _touch(queue.get())
        os.write(answer, time.monotonic_ns().to_bytes(8, "little"))


def _answered(send: Callable[[], None], answers: int, rounds: int) -> list[int]:
    times_ns = []
    for _ in range(rounds + _WARM_UP):
        start_ns = time.monotonic_ns()
        send()
        times_ns.append(int.from_bytes(os.read(answers, 8), "little") - start_ns)
    return times_ns
