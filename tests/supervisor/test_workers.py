from __future__ import annotations

import errno
import os
import select
import signal
from typing import TYPE_CHECKING

import pytest

from ooblexd.board import Board
from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.heartbeat import FIRST_S, WorkerState
from ooblexd.supervisor.states import Event
from ooblexd.supervisor.workers import Workers
from tests.support.processes import eventually

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from ooblexd.supervisor.worker import Worker


class FullMachine:
    """Duties on a machine that has no process left."""

    def __init__(self) -> None:
        self.released: list[str] = []

    def run_in_child(self, worker: Worker) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), worker.name)

    def brief(self, worker: Worker) -> None:
        raise AssertionError(worker.name)

    def release(self, worker: Worker) -> None:
        self.released.append(worker.name)

    def abandon(self, worker: Worker) -> None:
        raise AssertionError(worker.name)

    def forget(self, worker: Worker) -> None:
        raise AssertionError(worker.name)


def test_a_worker_that_cannot_be_forked_is_tried_again_later() -> None:
    duties = FullMachine()
    workers = Workers(Board(), duties)

    worker = workers.start("ingest:door")

    assert worker.state is WorkerState.WAITING
    assert duties.released == ["ingest:door"]
    workers.check_deadlines(monotonic_ns() + NS_PER_S)
    assert duties.released == ["ingest:door"] * 2


class Sleepers:
    """Duties whose workers do nothing for ever, not even keep their word."""

    def __init__(self) -> None:
        self.released: list[str] = []

    def run_in_child(self, worker: Worker) -> None:
        worker.fork(sleep_on, lambda: None)

    def brief(self, worker: Worker) -> None:
        """Tell them nothing."""

    def release(self, worker: Worker) -> None:
        self.released.append(worker.name)

    def abandon(self, worker: Worker) -> None:
        self.released.append(worker.name)

    def forget(self, worker: Worker) -> None:
        raise AssertionError(worker.name)


def sleep_on(_: socket.socket, __: int) -> int:
    signal.pause()
    return 0


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers(Board(), Sleepers())
    yield made
    made.kill_all()
    for worker in made:
        if worker.pid:
            select.select([worker.pidfd], [], [], 5)
            worker.reap()


def state_of(worker: Worker) -> WorkerState:
    return worker.state


def reap(workers: Workers, worker: Worker) -> None:
    assert select.select([worker.pidfd], [], [], 5)[0]
    workers.reap(worker)


def test_a_worker_past_its_word_is_killed_and_replaced(workers: Workers) -> None:
    worker = workers.start("ingest:door")
    in_time_ns = monotonic_ns() + int((FIRST_S - 1) * NS_PER_S)
    late_ns = in_time_ns + 2 * NS_PER_S

    workers.check_deadlines(in_time_ns)
    assert state_of(worker) is WorkerState.STARTING
    eventually(lambda: not worker.wants_processor())
    workers.check_deadlines(late_ns)
    assert state_of(worker) is WorkerState.KILLING

    reap(workers, worker)
    assert state_of(worker) is WorkerState.WAITING
    workers.check_deadlines(late_ns)
    assert worker.generation == 2


def test_a_worker_stopped_by_a_signal_is_replaced_before_its_word_ends(
    workers: Workers,
) -> None:
    worker = workers.start("ingest:door")
    workers.replace_stopped()
    assert state_of(worker) is WorkerState.STARTING

    worker.signal(signal.SIGSTOP)
    os.waitid(os.P_PID, worker.pid, os.WSTOPPED | os.WNOWAIT)
    workers.replace_stopped()

    assert state_of(worker) is WorkerState.KILLING
    reap(workers, worker)
    assert state_of(worker) is WorkerState.WAITING


def test_a_worker_that_outlives_sigkill_is_left_and_reaped_when_it_dies(
    workers: Workers,
) -> None:
    worker = workers.start("ingest:door")
    pid = worker.pid
    workers.step(worker, Event.OVERDUE)

    workers.check_deadlines(worker.deadline_ns)  # nobody has reaped it by then
    assert state_of(worker) is WorkerState.WAITING
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    workers.reap_abandoned()

    with pytest.raises(ChildProcessError):
        os.waitpid(pid, 0)
