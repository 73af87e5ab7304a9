from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ooblexd import commands
from ooblexd.board import Board
from ooblexd.commands import ForgetStream, Ready
from ooblexd.heartbeat import Ending
from ooblexd.supervisor.worker import (
    Worker,
    close_all_but,
    describe_exit,
    ending_of,
)
from tests.support.processes import eventually, has_ended

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[[socket.socket, int], int]


@pytest.fixture
def worker() -> Iterator[Worker]:
    board = Board()
    index = board.allocate()
    made = Worker("ingest:door", "ingest", index, board.page(index))
    yield made
    if made.pid:
        made.signal(signal.SIGKILL)
        ended(made)


def nothing() -> None:
    """Forget nothing."""


def wait_for(end: socket.socket) -> tuple[commands.Message, list[int]] | None:
    select.select([end], [], [], 10)
    return commands.receive(end)


def until_told(end: socket.socket, _: int) -> int:
    """Say ready, and end with the number in the name of the stream to forget."""
    commands.send(end, Ready())
    received = wait_for(end)
    assert received is not None
    assert isinstance(received[0], ForgetStream)
    return int(received[0].stream)


def sleep_on(_: socket.socket, __: int) -> int:
    signal.pause()
    return 0


def ended(worker: Worker) -> int:
    codes: list[int | None] = []

    def has_ended() -> bool:
        codes.append(worker.reap())
        return codes[-1] is not None

    eventually(has_ended)
    code = codes[-1]
    assert code is not None
    return code


def said_by(worker: Worker) -> commands.Message:
    assert worker.end is not None
    received = wait_for(worker.end)
    assert received is not None
    return received[0]


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_a_worker_hears_speaks_and_ends(worker: Worker) -> None:
    before = descriptors()
    worker.fork(until_told, nothing)
    assert said_by(worker) == Ready()

    worker.send(ForgetStream("7"))

    assert ended(worker) == 7
    assert (worker.pid, worker.pidfd, worker.end) == (0, -1, None)
    assert descriptors() == before


def test_each_life_has_a_number(worker: Worker) -> None:
    for life in (1, 2, 3):
        worker.fork(until_told, nothing)
        assert worker.generation == life
        worker.signal(signal.SIGKILL)
        assert ended(worker) == -signal.SIGKILL


def test_the_end_of_a_process_wakes_whoever_polls_it(worker: Worker) -> None:
    worker.fork(until_told, nothing)
    assert worker.reap() is None

    worker.signal(signal.SIGKILL)

    assert select.select([worker.pidfd], [], [], 5)[0] == [worker.pidfd]


def test_a_worker_leads_a_group_that_ends_with_it(worker: Worker) -> None:
    def parent_of_another(end: socket.socket, _: int) -> int:
        pid = os.fork()
        if pid == 0:
            signal.pause()
        commands.send(end, ForgetStream(str(pid)))
        signal.pause()
        return 0

    worker.fork(parent_of_another, nothing)
    said = said_by(worker)
    assert isinstance(said, ForgetStream)
    grandchild = Path(f"/proc/{said.stream}")
    assert os.getpgid(worker.pid) == worker.pid == os.getpgid(int(said.stream))

    os.kill(worker.pid, signal.SIGKILL)
    ended(worker)

    eventually(lambda: not grandchild.exists() or has_ended(grandchild))


def test_a_stopped_worker_is_told_everything_once_it_goes_on(worker: Worker) -> None:
    def read_all(end: socket.socket, _: int) -> int:
        commands.send(end, Ready())
        os.kill(os.getpid(), signal.SIGSTOP)
        expected = 0
        while expected < 900:
            received = wait_for(end)
            assert received is not None
            message, fds = received
            assert message == ForgetStream(f"{expected}{'.' * 500}")
            assert len(fds) == 1
            os.close(fds[0])
            expected += 1
        return 0

    before = descriptors()
    worker.fork(read_all, nothing)
    assert said_by(worker) == Ready()
    eventually(lambda: is_stopped(worker.pid))

    with Path("/dev/null").open() as sent:
        for number in range(900):
            worker.send(ForgetStream(f"{number}{'.' * 500}"), (sent.fileno(),))
        assert worker.pending
        assert worker.flush(), "less than a thousand may wait"
        os.kill(worker.pid, signal.SIGCONT)
        eventually(lambda: worker.flush() and not worker.pending)

    assert ended(worker) == 0
    assert descriptors() == before


def is_stopped(pid: int) -> bool:
    return "\nState:\tT" in Path(f"/proc/{pid}/status").read_text()


def test_a_worker_that_never_reads_is_found_out(worker: Worker) -> None:
    worker.fork(until_told, nothing)
    worker.signal(signal.SIGSTOP)

    for _ in range(3000):
        worker.send(Ready())

    assert not worker.flush()


def test_what_waits_for_a_dead_worker_is_dropped(worker: Worker) -> None:
    before = descriptors()
    worker.fork(until_told, nothing)
    worker.signal(signal.SIGKILL)
    select.select([worker.pidfd], [], [], 5)

    with Path("/dev/null").open() as sent:
        for _ in range(10):
            worker.send(Ready(), (sent.fileno(),))
    assert worker.flush()

    ended(worker)
    worker.send(Ready())
    assert descriptors() == before


def test_a_signal_to_a_worker_just_forked_is_not_taken_for_ours(
    worker: Worker,
) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    former_fd = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    former = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        for _ in range(20):
            worker.fork(sleep_on, nothing)
            worker.signal(signal.SIGTERM)
            assert ended(worker) == -signal.SIGTERM

        assert select.select([ours], [], [], 0)[0] == []
    finally:
        signal.set_wakeup_fd(former_fd)
        signal.signal(signal.SIGTERM, former)
        ours.close()
        theirs.close()


def test_a_worker_may_be_interrupted_again_once_it_is_forked(worker: Worker) -> None:
    masks: list[set[int]] = [set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))]

    worker.fork(until_told, nothing)

    masks.append(set(signal.pthread_sigmask(signal.SIG_BLOCK, ())))
    assert masks[0] == masks[1]


def test_a_terminals_interrupt_is_not_for_workers(worker: Worker) -> None:
    worker.fork(until_told, nothing)
    assert said_by(worker) == Ready()

    worker.signal(signal.SIGINT)
    worker.send(ForgetStream("5"))

    assert ended(worker) == 5


def test_a_worker_that_raises_says_why(
    worker: Worker, capfd: pytest.CaptureFixture[str]
) -> None:
    def raise_it(_: socket.socket, __: int) -> int:
        raise OSError("nothing works")

    worker.fork(raise_it, nothing)

    assert ended(worker) == 1
    assert "nothing works" in capfd.readouterr().err


def test_a_worker_keeps_no_descriptor_but_its_own(worker: Worker) -> None:
    def list_them(end: socket.socket, _: int) -> int:
        close_all_but({0, 1, 2, end.fileno()})
        kept = {fd for fd in range(1000) if is_open(fd)}
        return 0 if kept == {0, 1, 2, end.fileno()} else 1

    with Path("/dev/null").open(), socket.socket():
        worker.fork(list_them, nothing)

    assert ended(worker) == 0


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_signals_and_codes_are_told_in_words() -> None:
    assert describe_exit(-signal.SIGKILL) == "killed by SIGKILL"
    assert describe_exit(1) == "exit code 1"
    assert describe_exit(-signal.SIGKILL, is_hung=True) == "hung, and was killed"


@pytest.mark.parametrize(
    ("code", "ending"),
    [
        (-signal.SIGKILL, Ending.KILLED),
        (-signal.SIGTERM, Ending.KILLED),
        (-signal.SIGSEGV, Ending.CRASHED),
        (-signal.SIGABRT, Ending.CRASHED),
        (0, Ending.CRASHED),
        (1, Ending.CRASHED),
    ],
)
def test_only_what_a_worker_brings_about_itself_is_a_crash(
    code: int, ending: Ending
) -> None:
    assert ending_of(code, is_hung=False) is ending
    assert ending_of(code, is_hung=True) is Ending.HUNG


ORPHANS = """
import os, signal, socket
from ooblexd.board import Board
from ooblexd.supervisor.worker import Worker
board = Board()
for name in ("ingest:a", "inference:0", "output:a"):
    index = board.allocate()
    worker = Worker(name, name, index, board.page(index))
    worker.fork(lambda *_: signal.pause() or 0, lambda: None)
    print(worker.pid, flush=True)
signal.pause()
"""


def test_workers_end_with_their_supervisor() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ORPHANS], stdout=subprocess.PIPE, text=True
    ) as supervisor:
        assert supervisor.stdout is not None
        workers = [Path(f"/proc/{int(supervisor.stdout.readline())}") for _ in range(3)]
        assert all(worker.exists() for worker in workers)

        supervisor.kill()

        eventually(lambda: all(has_ended(worker) for worker in workers))


def test_a_worker_that_spins_wants_a_processor_and_a_stopped_one_does_not(
    worker: Worker,
) -> None:
    def spin(end: socket.socket, parent: int) -> int:
        del end, parent
        while True:
            pass

    worker.fork(spin, nothing)
    eventually(worker.wants_processor)

    worker.signal(signal.SIGSTOP)

    eventually(lambda: not worker.wants_processor())


def test_a_message_that_no_socket_carries_costs_only_itself(worker: Worker) -> None:
    worker.fork(until_told, nothing)
    assert worker.end is not None
    assert wait_for(worker.end) is not None

    worker.send(ForgetStream("x" * 1_000_000))
    worker.send(ForgetStream("7"))

    assert ended(worker) == 7


def test_a_worker_is_killed_before_the_supervisor_where_memory_is_short(
    worker: Worker,
) -> None:
    score = Path("/proc/self/oom_score_adj")
    former = score.read_text()
    try:
        score.write_text("-1")
    except PermissionError:
        pytest.skip("only root may protect a process from the lack of memory")

    try:
        worker.fork(lambda *_: int(score.read_text()), nothing)
    finally:
        score.write_text(former)

    assert ended(worker) == 0
