"""Runs checks side by side, each in a process of its own with a deadline.

The caller must be light and have one thread, since it forks. A check that raises, is
killed or hangs is a finding like any other, and names itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import json
import os
import resource
import select
import signal
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, NoReturn

from ooblexd.checks import Finding, Level, fail
from ooblexd.clock import NS_PER_MS, NS_PER_S, monotonic_ns
from ooblexd.redaction import redact
from ooblexd.supervisor.signals import be_a_child, held_back

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    Check = Callable[[], list[Finding]]

_AT_ONCE = 8
_PR_SET_DUMPABLE = 4
_REPORT = "please report this"


@dataclass(frozen=True, slots=True)
class Task:
    """One check to run.

    Attributes:
        name: Told where the check itself fails.
        check: Called in the child.
        within_s: After that it is killed.
        remedy: What to do where it crashes or hangs.
    """

    name: str
    check: Check
    within_s: float = 5.0
    remedy: str = _REPORT


def run_tasks(tasks: Sequence[Task]) -> Generator[list[Finding], None, None]:
    """Yield the findings of each task, in their order, as soon as they are there."""
    waiting = list(enumerate(tasks))
    running: dict[int, _Run] = {}
    done: dict[int, list[Finding]] = {}
    following = 0
    try:
        while following < len(tasks):
            while waiting and len(running) < _AT_ONCE:
                index, task = waiting.pop(0)
                running[index] = _Run(task)
            _wait(list(running.values()))
            for index in [i for i, run in running.items() if run.has_ended()]:
                done[index] = running.pop(index).findings()
            while following in done:
                yield done.pop(following)
                following += 1
    finally:
        for run in running.values():
            run.kill()
            run.findings()


def _wait(runs: Sequence[_Run]) -> None:
    poll = select.poll()
    for run in runs:
        poll.register(run.pidfd, select.POLLIN)
    soonest_ns = min(run.deadline_ns for run in runs) - monotonic_ns()
    poll.poll(max(soonest_ns // NS_PER_MS + 1, 0))


class _Run:
    """One child; `has_ended` kills it once its time is over."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._is_late = False
        # Of memory: what a check says may hold a credential until it is redacted.
        self._answer = os.memfd_create("answer")
        self._words = os.memfd_create("words")
        self.deadline_ns = monotonic_ns() + int(task.within_s * NS_PER_S)
        parent = os.getpid()
        sys.stdout.flush()
        with held_back():  # Ctrl-C in the middle of a fork would break its hooks
            self._pid = os.fork()
            if self._pid == 0:
                _live(task.check, self._answer, self._words, parent)
        self.pidfd = os.pidfd_open(self._pid)

    def has_ended(self) -> bool:
        """Say whether the child has ended; one that is late is killed."""
        how = os.WEXITED | os.WNOHANG | os.WNOWAIT
        if os.waitid(os.P_PID, self._pid, how) is not None:
            return True
        if monotonic_ns() >= self.deadline_ns:
            self._is_late = True
            self.kill()
        return self._is_late

    def kill(self) -> None:
        """End the child and what it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):  # before it had a group
            os.kill(self._pid, signal.SIGKILL)

    def findings(self) -> list[Finding]:
        """Take the child back and return what it found."""
        _, status = os.waitpid(self._pid, 0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        os.close(self.pidfd)
        answer, words = _take(self._answer), _take(self._words)
        if answer and not self._is_late:
            return [_finding_of(row) for row in json.loads(answer)]
        return [fail(self._task.name, self._why(status, words), self._task.remedy)]

    def _why(self, status: int, words: str) -> str:
        if self._is_late:
            return f"no answer within {self._task.within_s:.0f} s"
        code = os.waitstatus_to_exitcode(status)
        if code < 0:
            return f"crashed: killed by {signal.Signals(-code).name}"
        last = words.strip().rpartition("\n")[2] or f"exit code {code}"
        return f"the check itself broke: {redact(last)}"


def _finding_of(row: dict[str, str]) -> Finding:
    return Finding(row["name"], Level(row["level"]), row["text"], row["remedy"])


def _take(fd: int) -> str:
    os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(fd, "rb") as file:
        return file.read().decode("utf-8", "replace")


def _live(check: Check, answer: int, words: int, parent: int) -> NoReturn:
    """Be the child: do the check and leave, whatever happens."""
    code = 1
    try:
        _separate(words, parent)
        rows = [_row_of(finding) for finding in check()]
        os.write(answer, json.dumps(rows).encode())
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())  # nobody else would ever say why
        raise
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(code)


def _row_of(finding: Finding) -> dict[str, str]:
    text, remedy = redact(finding.text), redact(finding.remedy)
    return {**asdict(finding), "text": text, "remedy": remedy}


def _separate(words: int, parent: int) -> None:
    """End with the parent, leave no core file, and say nothing on the terminal."""
    be_a_child(parent)
    os.setpgid(0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.dup2(words, 2)
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 # a descriptor
    faulthandler.disable()  # a crash is told by its signal
