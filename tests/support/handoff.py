"""One hand-off, measured: a process that sends pictures and one that takes them.

A picture is private memory of the sender, and a copy of it arrives in private memory of
the receiver. Its first three words are its number, when its first copy began (monotonic
nanoseconds) and its phase.
"""

from __future__ import annotations

import gc
import multiprocessing
import resource
import time
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess
    from multiprocessing.synchronize import Event

    from numpy.typing import NDArray

    from tests.support.transports import Picture, Transport

_WARM_UP, _MEASURED, _LAST = range(3)
_HEADER_BYTES = 24
_MOST_AGES = 500_000
_GRACE_S = 30.0
_NS_PER_S = 1_000_000_000
_NS_PER_MS = 1_000_000


class Case(NamedTuple):
    """What is sent, and how.

    Attributes:
        fps: Pictures a second; 0 is as many as the transport takes.
        is_checked: Each picture has a content of its own, which the receiver compares;
            not for measuring.
    """

    picture_bytes: int
    fps: int
    warm_up_s: float
    seconds: float
    is_checked: bool = False


class End(NamedTuple):
    """What one process did and spent while it was measured, its threads included."""

    frames: int
    cpu_ms: float
    faults: int


class Measured(NamedTuple):
    """A run. ``wrong`` are pictures that were not as they were sent."""

    ages_ms: NDArray[np.float64]
    sent: End
    taken: End
    wrong: int = 0


def measure(transport: Transport, case: Case) -> Measured:
    """Send pictures through a transport that was entered, and measure both ends.

    Raises:
        RuntimeError: A process has failed; it has said why on the standard error.
    """
    context = multiprocessing.get_context("fork")
    is_ready, is_over = context.Event(), context.Event()
    results, far_ends = zip(*(context.Pipe(duplex=False) for _ in "ab"), strict=True)
    workers = [
        context.Process(target=end, args=(transport, case, is_ready, is_over, far))
        for end, far in zip((_take, _send), far_ends, strict=True)
    ]
    try:
        for worker in workers:
            worker.start()
        limit_s = case.warm_up_s + case.seconds + _GRACE_S
        ages_ms, taken, wrong = _result_of(workers[0], results[0], limit_s)
        sent = _result_of(workers[1], results[1], _GRACE_S)
        for worker in workers:
            worker.join(_GRACE_S)
    finally:
        for worker in workers:
            worker.kill()
            worker.join()
        for end in (*results, *far_ends):
            end.close()
    return Measured(ages_ms, sent, taken, wrong)


def measure_memcpy(case: Case) -> Measured:
    """Do both copies in this process; CPU is that of the copies alone."""
    source, between, target = (_noise(case.picture_bytes) for _ in range(3))
    ages_ms, cpu_ms = [], np.zeros(2)
    for _ in _paced(case.fps, case.warm_up_s):
        np.copyto(between, source)
        np.copyto(target, between)
    _unshare()
    before = _usage()
    for _ in _paced(case.fps, case.seconds):
        began_ns, cpu_ns = time.monotonic_ns(), time.thread_time_ns()
        np.copyto(between, source)
        half_ns = time.thread_time_ns()
        np.copyto(target, between)
        cpu_ms += np.diff([cpu_ns, half_ns, time.thread_time_ns()]) / _NS_PER_MS
        ages_ms.append((time.monotonic_ns() - began_ns) / _NS_PER_MS)
    faults, frames = _usage()[1] - before[1], len(ages_ms)
    sent, taken = (End(frames, float(cpu), faults) for cpu in cpu_ms)
    return Measured(np.array(ages_ms), sent, taken)


def _result_of(worker: ForkProcess, result: Connection, limit_s: float) -> Any:
    if result not in wait([result, worker.sentinel], limit_s):
        raise RuntimeError("one end of the transport has ended or hangs")
    return result.recv()


def _send(
    transport: Transport,
    case: Case,
    is_ready: Event,
    is_over: Event,
    result: Connection,
) -> None:
    picture, noise = _noise(case.picture_bytes), _noise(case.picture_bytes)
    words = picture[:_HEADER_BYTES].view(np.uint64)
    words[0] = 0

    def send_during(seconds: float, phase: int) -> int:
        frames = 0
        words[2] = phase
        for _ in _paced(case.fps, seconds):
            frames += 1
            words[0] += 1
            if case.is_checked:
                _draw(picture, noise)
            words[1] = time.monotonic_ns()
            send(picture)
        return frames

    with transport.sender() as send:
        is_ready.wait()
        _unshare()
        send_during(case.warm_up_s, _WARM_UP)
        before = _usage()
        frames = send_during(case.seconds, _MEASURED)
        result.send(_spent(frames, before))
        words[2] = _LAST
        send(picture)
        is_over.wait()


def _take(
    transport: Transport,
    case: Case,
    is_ready: Event,
    is_over: Event,
    result: Connection,
) -> None:
    picture, noise = _noise(case.picture_bytes), _noise(case.picture_bytes)
    words = picture[:_HEADER_BYTES].view(np.uint64)
    expected = picture.copy()
    ages_ns = np.ones(_MOST_AGES, np.int64)  # written once: it is all there
    frames = wrong = newest = 0
    before = _usage()
    with transport.receiver() as receive:
        _unshare()
        is_ready.set()
        while True:
            receive(picture)
            now_ns = time.monotonic_ns()
            number, sent_ns, phase = map(int, words)
            if phase == _LAST:
                break
            if case.is_checked:
                expected[:_HEADER_BYTES] = picture[:_HEADER_BYTES]
                _draw(expected, noise)
                wrong += number <= newest or not np.array_equal(picture, expected)
                newest = number
            if phase == _WARM_UP:
                before = _usage()
            elif frames < _MOST_AGES:
                ages_ns[frames] = now_ns - sent_ns
                frames += 1
        spent = _spent(frames, before)
        is_over.set()
    result.send((ages_ns[:frames] / _NS_PER_MS, spent, wrong))


def _noise(picture_bytes: int) -> Picture:
    return np.random.default_rng(0).integers(0, 256, picture_bytes, np.uint8)


def _draw(picture: Picture, noise: Picture) -> None:
    """Give a picture the content that belongs to the number in its header."""
    key, body = picture[0], slice(_HEADER_BYTES, None)
    np.bitwise_xor(noise[body], key, out=picture[body])


def _paced(fps: int, seconds: float) -> Iterator[int]:
    """Return at each moment at which a camera has a picture."""
    began_ns = time.monotonic_ns()
    number = 0
    while (now_ns := time.monotonic_ns()) < began_ns + seconds * _NS_PER_S:
        due_ns = began_ns + number * _NS_PER_S // fps if fps else now_ns
        if due_ns > now_ns:
            time.sleep((due_ns - now_ns) / _NS_PER_S)  # noqa: TID251 # the camera's pace
        yield number
        number += 1


def _unshare() -> None:
    """Have Python write to all its objects: their pages are still the parent's too.

    A forked process gets a copy of each such page when it first writes to it, which
    has nothing to do with the transport.
    """
    gc.collect()
    _spent(0, _usage())


def _usage() -> tuple[float, int]:
    """Return CPU in ms and minor faults of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1000, usage.ru_minflt


def _spent(frames: int, before: tuple[float, int]) -> End:
    cpu_ms, faults = _usage()
    return End(frames, cpu_ms - before[0], faults - before[1])
