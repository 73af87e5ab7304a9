from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from ooblexd.board import Board
from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.heartbeat import WorkerState
from ooblexd.supervisor.workers import Workers

if TYPE_CHECKING:
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
