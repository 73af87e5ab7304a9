"""All workers: steps the table for each, and performs its actions.

What a worker is told in a new life, and which rings it leaves behind, it asks of
`streams`; when to wake, which signal came and what control wants is the loop's, in
`supervisor`.
"""

from __future__ import annotations

import logging
import os
import random
import signal
from typing import TYPE_CHECKING, Protocol

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.heartbeat import FIRST_S, WorkerState, WorkerWord, is_overdue
from ooblexd.supervisor.restart import next_life
from ooblexd.supervisor.states import Action, Event, step
from ooblexd.supervisor.worker import Worker, describe_exit, ending_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ooblexd.board import Board

__all__ = ["WorkerDuties", "Workers"]

KILL_WAIT_S = 2.0
STOP_WAIT_S = 1.0
_LOOK_AGAIN_S = 0.05  # at a worker that waits for a processor
_NEVER_LIVED = 1

logger = logging.getLogger(__name__)


class WorkerDuties(Protocol):
    """What the owner of the streams does when a worker's life begins or ends."""

    def run_in_child(self, worker: Worker) -> None:
        """Fork ``worker`` into its stage."""

    def brief(self, worker: Worker) -> None:
        """Send a new life all that it needs to know."""

    def release(self, worker: Worker) -> None:
        """Clear the places of a reaped worker in its rings."""

    def abandon(self, worker: Worker) -> None:
        """Replace the rings of a worker that cannot be killed."""

    def forget(self, worker: Worker) -> None:
        """Nobody wants the worker any more, and it has ended."""


class Workers:
    """The workers by name, and the steps of their lives."""

    def __init__(self, board: Board, duties: WorkerDuties) -> None:
        self._board = board
        self._duties = duties
        self._by_name: dict[str, Worker] = {}
        self._abandoned: list[int] = []

    def __iter__(self) -> Iterator[Worker]:
        return iter(list(self._by_name.values()))

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> Worker:
        return self._by_name[name]

    def start(self, name: str) -> Worker:
        """Want a worker; it is forked at once."""
        index = self._board.allocate()
        kind = name.partition(":")[0]
        worker = Worker(name, kind, index, self._board.page(index))
        self._by_name[name] = worker
        self.step(worker, Event.START)
        return worker

    def stop(self, name: str) -> None:
        """Want a worker no more; it ends within its deadlines."""
        worker = self._by_name[name]
        if worker.state is not WorkerState.DOWN:
            self.step(worker, Event.STOP)

    def step(self, worker: Worker, event: Event, code: int = 0) -> None:
        """Take ``event`` through the table and perform what it asks for."""
        worker.state, actions = step(worker.state, event)
        words = worker.page.words
        words[WorkerWord.STATE] = worker.state
        words[WorkerWord.STATE_SINCE_NS] = monotonic_ns()
        if event is Event.EXITED and worker.state is WorkerState.WAITING:
            words[WorkerWord.RESTARTS] += 1
            words[WorkerWord.ENDING] = ending_of(code, is_hung=worker.is_hung)
            how = describe_exit(code, is_hung=worker.is_hung)
            worker.page.write_text(how)
            logger.warning("%s ended: %s", worker.name, how)
        for action in actions:
            self._perform(worker, action)

    def check_deadlines(self, now_ns: int) -> None:
        """Bring OVERDUE and TIMER to whom they are due."""
        for worker in self:
            match worker.state:
                case WorkerState.STARTING | WorkerState.UP:
                    if _is_hung(worker, now_ns):
                        logger.warning(
                            "%s does not come round: killing it", worker.name
                        )
                        worker.is_hung = True
                        self.step(worker, Event.OVERDUE)
                case WorkerState.WAITING | WorkerState.GIVEN_UP:
                    if now_ns >= worker.deadline_ns:
                        self.step(worker, Event.TIMER)
                case WorkerState.STOPPING | WorkerState.KILLING:
                    if now_ns >= worker.deadline_ns:
                        self.step(worker, Event.OVERDUE)
                case WorkerState.DOWN:
                    pass

    def replace_stopped(self) -> None:
        """Do not wait for the word of who is stopped by a signal: it is not kept."""
        for worker in self:
            is_running = worker.state in (WorkerState.STARTING, WorkerState.UP)
            if is_running and worker.is_stopped():
                logger.warning("%s is stopped by a signal: killing it", worker.name)
                self.step(worker, Event.OVERDUE)

    def next_deadline_ns(self) -> int:
        """Return when `check_deadlines` has something to do, at the earliest."""
        soon_ns = _in(_LOOK_AGAIN_S)
        deadlines = [
            max(worker.page.words[WorkerWord.ALIVE_UNTIL_NS], soon_ns)
            if worker.state in (WorkerState.STARTING, WorkerState.UP)
            else worker.deadline_ns
            for worker in self
            if worker.state is not WorkerState.DOWN
        ]
        return min(deadlines, default=monotonic_ns() + NS_PER_S)

    def reap(self, worker: Worker) -> None:
        """Take back the process of ``worker`` if it has ended."""
        code = worker.reap()
        if code is not None:
            self.step(worker, Event.EXITED, code)

    def reap_abandoned(self) -> None:
        """Take back those that the kernel let die after all."""
        for pid in self._abandoned.copy():
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                self._abandoned.remove(pid)

    def kill_all(self) -> None:
        """End every process at once."""
        for worker in self:
            if worker.pid:
                worker.signal(signal.SIGKILL)

    def _perform(self, worker: Worker, action: Action) -> None:
        match action:
            case Action.FORK:
                self._fork(worker)
            case Action.TERMINATE:
                worker.signal(signal.SIGTERM)
                worker.deadline_ns = _in(STOP_WAIT_S)
            case Action.KILL:
                worker.signal(signal.SIGKILL)
                worker.deadline_ns = _in(KILL_WAIT_S)
            case Action.RELEASE:
                self._duties.release(worker)
            case Action.ABANDON:
                logger.error(
                    "%s does not die: its memory is abandoned to it", worker.name
                )
                self._abandoned.append(worker.pid)
                ending = ending_of(-signal.SIGKILL, is_hung=worker.is_hung)
                worker.page.words[WorkerWord.ENDING] = ending
                worker.let_go()
                self._duties.abandon(worker)
            case Action.BACK_OFF:
                self._back_off(worker)
            case Action.FORGET:
                del self._by_name[worker.name]
                self._board.free(worker.page_index)
                self._duties.forget(worker)

    def _fork(self, worker: Worker) -> None:
        worker.page.words[WorkerWord.ALIVE_UNTIL_NS] = _in(FIRST_S)
        worker.is_hung = False
        try:
            self._duties.run_in_child(worker)
        except OSError as error:  # no process, no descriptor: there may be one later
            logger.error("%s cannot be started: %s", worker.name, error.strerror)
            self.step(worker, Event.EXITED, _NEVER_LIVED)
            return
        worker.page.words[WorkerWord.PID] = worker.pid
        self._duties.brief(worker)

    def _back_off(self, worker: Worker) -> None:
        jitter = random.random()  # noqa: S311 # it spreads restarts, it guards nothing
        restart = next_life(worker.deaths_ns, monotonic_ns(), jitter)
        worker.deaths_ns = restart.deaths_ns
        worker.deadline_ns = _in(restart.delay_s)
        if restart.is_exhausted:
            logger.error(
                "%s dies too often; trying again in %.0f s, see what it logged above",
                worker.name,
                restart.delay_s,
            )
            self.step(worker, Event.EXHAUSTED)


def _is_hung(worker: Worker, now_ns: int) -> bool:
    word_ns = worker.page.words[WorkerWord.ALIVE_UNTIL_NS]
    if not is_overdue(word_ns, now_ns):
        return False  # the usual case asks the kernel nothing
    return is_overdue(word_ns, now_ns, wants_processor=worker.wants_processor())


def _in(seconds: float) -> int:
    return monotonic_ns() + int(seconds * NS_PER_S)
