"""A running supervisor with real workers, and what its viewer sees."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ooblexd.plan import DaemonPlan, StreamPlan, format_plan
from tests.support.effects import effect_plan
from tests.support.processes import eventually

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

ROOT = Path(__file__).parents[2]
BLUR = effect_plan("blur_faces")
PIXELATE = effect_plan("pixelate_faces")
DEMO = StreamPlan("demo", "demo:")
_ANSWER_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture as the viewer met it in the encoded ring."""

    at_ns: int
    verdict: str
    sequence: int
    revision: int
    capture_ns: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """A worker as the board tells it."""

    state: str
    pid: int
    restarts: int


class Daemon:
    """Runs until it is left; what it logged is printed where a test fails.

    Args:
        folder: Where the log goes.
        streams: To begin with.
        inference_workers: Size of the pool.
        prefix: A command that runs the daemon, such as ``unshare``.
        gate: A FIFO that a reload waits at, see `daemon_process`; None lets it pass.
    """

    def __init__(
        self,
        folder: Path,
        *streams: StreamPlan,
        inference_workers: int = 1,
        prefix: tuple[str, ...] = (),
        gate: Path | None = None,
    ) -> None:
        self._log = folder / "daemon.log"
        self._plan = DaemonPlan(
            "127.0.0.1", 0, "", inference_workers=inference_workers, streams=streams
        )
        self._prefix = prefix
        self._gate = gate
        self._socket, self._theirs = socket.socketpair()
        self._socket.settimeout(_ANSWER_WITHIN_S)
        self._lines = self._socket.makefile("rw")
        self._pictures: dict[str, list[Seen]] = {}
        self.process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        module = "tests.support.daemon_process"
        fd = self._theirs.fileno()
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*self._prefix, sys.executable, "-m", module, str(fd),
                 format_plan(self._plan), str(self._gate or "")],
                cwd=ROOT, stderr=log, pass_fds=[fd],
            )  # fmt: skip
        self._theirs.close()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._lines.close()
        self._socket.close()
        if error is not None:
            sys.stderr.write(self.log())

    def log(self) -> str:
        """Return all that was logged."""
        return self._log.read_text()

    def stop(self) -> int:
        """Stop as systemd does and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def apply(self, plan: StreamPlan) -> tuple[str, int, int]:
        """Add or change a stream; return error, needed and free bytes."""
        return self._applied({plan.name: format_plan(plan)})

    def apply_all(
        self, *plans: StreamPlan, without: tuple[str, ...] = ()
    ) -> tuple[str, int, int]:
        """Do as `apply` for several at once, and remove the streams ``without``."""
        wishes = {plan.name: format_plan(plan) for plan in plans}
        return self._applied(wishes | dict.fromkeys(without, ""))

    def remove(self, stream: str) -> tuple[str, int, int]:
        """Remove a stream; return error, needed and free bytes."""
        self._pictures.pop(stream, None)
        return self._applied({stream: ""})

    def workers(self) -> dict[str, WorkerSeen]:
        """Return all workers by name."""
        found: dict[str, dict[str, Any]] = self._ask(ask="workers")
        return {name: WorkerSeen(**fields) for name, fields in found.items()}

    def pid(self, worker: str) -> int:
        """Return the process of ``worker``, once it is up."""
        eventually(lambda: self.workers()[worker].state == "UP")
        return self.workers()[worker].pid

    def stage(self, stream: str, stage: str) -> dict[str, Any]:
        """Return the words of a stage's page by name, and its ``text``."""
        words: dict[str, Any] = self._ask(ask="stage", stream=stream, stage=stage)
        return words

    def pictures(self, stream: str = "demo") -> list[Seen]:
        """Return what the viewer has seen so far."""
        known = self._pictures.setdefault(stream, [])
        new = self._ask(ask="pictures", stream=stream, since=len(known))
        known += [Seen(**fields) for fields in new]
        return list(known)

    def forget_pictures(self) -> None:
        """Begin anew: the viewer was replaced, and remembers nothing either."""
        self._pictures.clear()

    def jpeg(self, verdict: str, stream: str = "demo") -> bytes:
        """Return the newest picture with ``verdict``."""
        return base64.b64decode(self._ask(ask="jpeg", stream=stream, verdict=verdict))

    def wait_live(
        self, stream: str = "demo", after: int = 0, within_s: float = 30.0
    ) -> None:
        """Return once a live picture follows the first ``after`` ones."""
        eventually(
            lambda: any(
                seen.verdict == "LIVE" for seen in self.pictures(stream)[after:]
            ),
            within_s,
        )

    def recover(self, worker: str, number: signal.Signals, stream: str) -> list[Seen]:
        """Hit ``worker`` with a signal; return what is seen until it is live again."""
        before = len(self.pictures(stream))
        known = self.workers()[worker]
        os.kill(known.pid, number)
        eventually(lambda: self.workers()[worker].restarts > known.restarts)
        self.pid(worker)
        since = len(self.pictures(stream))
        self.wait_live(stream, since)
        return self.pictures(stream)[max(before - 1, 0) :]

    def _applied(self, plans: dict[str, str]) -> tuple[str, int, int]:
        error, needed, free = self._ask(ask="apply", plans=plans)
        return error, needed, free

    def _ask(self, **wish: Any) -> Any:
        self._lines.write(json.dumps(wish) + "\n")
        self._lines.flush()
        return json.loads(self._lines.readline())


def verdicts(pictures: list[Seen]) -> list[str]:
    """Return the verdicts in their order, each run of one as one."""
    return [verdict for verdict, _ in groupby(seen.verdict for seen in pictures)]
