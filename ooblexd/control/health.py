"""``/health``: one word for a load balancer, and the reasons for a person."""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ooblexd._version import __version__
from ooblexd.checks.disk import check_disk
from ooblexd.checks.finding import Level
from ooblexd.checks.models import check_models
from ooblexd.checks.shared_memory import check_shared_memory
from ooblexd.checks.wall_clock import check_date
from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.commands import Runs
from ooblexd.control.readings import Picture, StreamState
from ooblexd.heartbeat import WorkerState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ooblexd.checks.finding import Finding
    from ooblexd.control.configuration import Configuration
    from ooblexd.control.pushes import PushReading
    from ooblexd.control.readings import Verdict, WorkerReading
    from ooblexd.control.streams import Streams

_DISK_CHECK_NS = 10 * NS_PER_S
_MODELS_CHECK_NS = 60 * NS_PER_S


class Health(str, enum.Enum):
    """The whole daemon in a word, from good to bad."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        status: What it means for the whole.
        reason: Why it is not healthy; else empty.
    """

    status: Health
    reason: str = ""


@dataclass(frozen=True, slots=True)
class HealthDocument:
    """How the daemon is.

    Attributes:
        status: The worst of all checks.
        version: Of the daemon.
        uptime_s: How long it has been running, in seconds.
        checks: By what was looked at: workers, sources, pushes, memory, disk, clock.
    """

    status: Health
    version: str
    uptime_s: int
    checks: dict[str, Check]


OK = Check(Health.HEALTHY)
_LEVELS = {Level.OK: Health.HEALTHY, Level.WARN: Health.DEGRADED}


def check_worker(worker: WorkerReading) -> Check:
    """Judge a worker: one that was given up is a fault, one that comes back is not."""
    if worker.state == WorkerState.GIVEN_UP:
        return Check(Health.DEGRADED, worker.reason or "given up: it kept failing")
    if worker.state in (WorkerState.UP, WorkerState.STARTING):
        return OK
    return Check(Health.DEGRADED, worker.reason or worker.state.name.lower())


def check_stream(verdict: Verdict) -> Check:
    """Judge a stream: down, failed or covered is a fault, waiting is not."""
    if verdict.state in (StreamState.DOWN, StreamState.FAILED):
        return Check(Health.DEGRADED, verdict.reason or verdict.state.value)
    covered = verdict.picture in (Picture.COVERED, Picture.HELD)
    if verdict.state == StreamState.RUNNING and (covered or verdict.reason):
        return Check(Health.DEGRADED, verdict.reason or verdict.picture.value)
    return OK


def check_push(push: PushReading) -> Check:
    """Judge a push: one that does not get through is a fault."""
    return Check(Health.DEGRADED, push.reason) if push.is_down else OK


def check_engines(workers: Iterable[WorkerReading]) -> Check:
    """Judge the pool that runs the engines."""
    pool = [worker for worker in workers if worker.name.startswith("inference:")]
    idle = [worker.name for worker in pool if worker.state != WorkerState.UP]
    if not idle:
        return OK
    return Check(Health.DEGRADED, f"not running: {', '.join(idle)}")


def of_finding(finding: Finding, at_worst: Health = Health.DEGRADED) -> Check:
    """Return what a finding of `ooblexd.checks` means for the whole.

    Args:
        finding: As ``ooblexd doctor`` tells it too.
        at_worst: What a failure is; the others are as bad as they say.
    """
    status = _LEVELS.get(finding.level, at_worst)
    return OK if status is Health.HEALTHY else Check(status, finding.text)


def check_config(configuration: Configuration) -> Check:
    """Judge what runs: not what the file says is a fault, nothing at all is the worst.

    A line of the reason each problem.
    """
    if configuration.runs is Runs.FILE and not configuration.problems:
        later = ", ".join(configuration.restart_needed)
        return Check(Health.HEALTHY, f"after a restart only: {later}" if later else "")
    path = configuration.path
    words = {
        Runs.FILE: f"not all of {path} runs",
        Runs.FORMER: f"{path} cannot be used: what ran before runs on",
        Runs.LAST_GOOD: f"{path} cannot be used: its last good version runs",
        Runs.NOTHING: f"{path} cannot be used: safe mode, no stream runs",
    }
    is_dead = configuration.runs is Runs.NOTHING
    status = Health.UNHEALTHY if is_dead else Health.DEGRADED
    lines = [words[configuration.runs], *configuration.problems]
    return Check(status, "\n".join(lines))


class HealthReport:
    """All checks, gathered when asked; the disk's at most every ten seconds.

    Of shared memory, disk, models and clock it asks what ``ooblexd doctor`` asks.

    Args:
        streams: What there is.
        configuration: Which one runs; the disk of its file is looked at.
    """

    def __init__(self, streams: Streams, configuration: Configuration) -> None:
        self._streams = streams
        self._configuration = configuration
        self._disk = OK
        self._disk_due_ns = 0
        self._models = OK
        self._models_due_ns = 0

    def checks(self) -> dict[str, Check]:
        """Return every check by its name."""
        now_ns = monotonic_ns()
        workers = self._streams.workers()
        checks = {
            "supervisor": self._check_supervisor(now_ns),
            "config": check_config(self._configuration),
        }
        for worker in workers:
            checks[f"worker:{worker.name}"] = check_worker(worker)
        for name in self._streams.names:
            checks[f"source:{name}"] = check_stream(self._streams.judge(name))
            for push in self._streams.pushes(name):
                checks[f"push:{name}:{push.name}"] = check_push(push)
        checks["engines"] = check_engines(workers)
        checks["shm"] = self._check_shared_memory()
        checks["disk"] = self._check_disk(now_ns)
        checks["models"] = self._check_models(now_ns)
        checks["clock"] = of_finding(check_date(time.time()))
        return checks

    def document(self) -> HealthDocument:
        """Return the document of ``/health``."""
        checks = self.checks()
        return HealthDocument(
            status=worst(check.status for check in checks.values()),
            version=__version__,
            uptime_s=(monotonic_ns() - self._streams.started_ns) // NS_PER_S,
            checks=checks,
        )

    def _check_supervisor(self, now_ns: int) -> Check:
        if self._streams.is_supervisor_overdue(now_ns):
            return Check(Health.UNHEALTHY, "the supervisor is overdue")
        return OK

    def _check_shared_memory(self) -> Check:
        """Judge by the file system, and by whether any stream has got a place there."""
        refused = self._streams.without_memory()
        if refused and len(refused) == len(self._streams.enabled):
            return Check(Health.UNHEALTHY, next(iter(refused.values())))
        return of_finding(check_shared_memory(), Health.UNHEALTHY)

    def _check_disk(self, now_ns: int) -> Check:
        if now_ns >= self._disk_due_ns:
            self._disk = of_finding(check_disk(self._configuration.path))
            self._disk_due_ns = now_ns + _DISK_CHECK_NS
        return self._disk

    def _check_models(self, now_ns: int) -> Check:
        """Judge the files that a replaced worker would load."""
        if now_ns >= self._models_due_ns:
            broken = (of_finding(one) for one in check_models())
            self._models = next((one for one in broken if one != OK), OK)
            self._models_due_ns = now_ns + _MODELS_CHECK_NS
        return self._models


def worst(statuses: Iterable[Health]) -> Health:
    """Return the worst of all; healthy where there are none."""
    order = list(Health)
    return max(statuses, key=order.index, default=Health.HEALTHY)
