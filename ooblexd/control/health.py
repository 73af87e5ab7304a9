"""``/health``: one word for a load balancer, and the reasons for a person."""

from __future__ import annotations

import enum
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ooblexd._version import __version__
from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.control.readings import Picture, StreamState
from ooblexd.heartbeat import WorkerState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ooblexd.control.readings import Verdict, WorkerReading
    from ooblexd.control.streams import Streams

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 # where POSIX shared memory lies
_LEAST_DISK_BYTES = 64 << 20
_LEAST_SHM_BYTES = 16 << 20
_BUILT_UNIX_S = 1_700_000_000  # no clock that is right shows less
_DISK_CHECK_NS = 10 * NS_PER_S


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
        checks: By what was looked at: workers, sources, memory, disk, clock.
    """

    status: Health
    version: str
    uptime_s: int
    checks: dict[str, Check]


OK = Check(Health.HEALTHY)


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


def check_engines(workers: Iterable[WorkerReading]) -> Check:
    """Judge the pool that runs the engines."""
    pool = [worker for worker in workers if worker.name.startswith("inference:")]
    idle = [worker.name for worker in pool if worker.state != WorkerState.UP]
    if not idle:
        return OK
    return Check(Health.DEGRADED, f"not running: {', '.join(idle)}")


def check_shared_memory(folder: Path = _SHARED_MEMORY) -> Check:
    """Judge the file system of the rings: without it there is no stream at all."""
    try:
        found = os.statvfs(folder)
    except OSError as exc:
        return Check(Health.UNHEALTHY, f"{folder}: {exc.strerror}")
    free_bytes = found.f_bavail * found.f_frsize
    if found.f_blocks and free_bytes < _LEAST_SHM_BYTES:
        return Check(Health.DEGRADED, f"{free_bytes >> 20} MiB free in {folder}")
    return OK


def check_disk(config_path: Path) -> Check:
    """Judge the file system that changes are written to."""
    folder = next(path for path in config_path.absolute().parents if path.exists())
    try:
        found = os.statvfs(folder)
    except OSError as exc:
        return Check(Health.DEGRADED, f"{folder}: {exc.strerror}")
    free_bytes = found.f_bavail * found.f_frsize
    if free_bytes < _LEAST_DISK_BYTES:
        return Check(Health.DEGRADED, f"{free_bytes >> 20} MiB free in {folder}")
    return OK


def check_clock(now_unix_s: float) -> Check:
    """Judge the wall clock, which only people and their browsers see."""
    if now_unix_s >= _BUILT_UNIX_S:
        return OK
    year = time.gmtime(now_unix_s).tm_year
    return Check(Health.DEGRADED, f"the date is not set, it is the year {year}")


class HealthReport:
    """All checks, gathered when asked; the disk's at most every ten seconds.

    Args:
        streams: What there is.
        config_path: The file that changes are written to.
    """

    def __init__(self, streams: Streams, config_path: Path) -> None:
        self._streams = streams
        self._config_path = config_path
        self._disk = OK
        self._disk_due_ns = 0

    def checks(self) -> dict[str, Check]:
        """Return every check by its name."""
        now_ns = monotonic_ns()
        workers = self._streams.workers()
        checks = {"supervisor": self._check_supervisor(now_ns)}
        for worker in workers:
            checks[f"worker:{worker.name}"] = check_worker(worker)
        for name in self._streams.names:
            checks[f"source:{name}"] = check_stream(self._streams.judge(name))
        checks["engines"] = check_engines(workers)
        checks["shm"] = self._check_shared_memory()
        checks["disk"] = self._check_disk(now_ns)
        checks["clock"] = check_clock(time.time())
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
        return check_shared_memory()

    def _check_disk(self, now_ns: int) -> Check:
        if now_ns >= self._disk_due_ns:
            self._disk = check_disk(self._config_path)
            self._disk_due_ns = now_ns + _DISK_CHECK_NS
        return self._disk


def worst(statuses: Iterable[Health]) -> Health:
    """Return the worst of all; healthy where there are none."""
    order = list(Health)
    return max(statuses, key=order.index, default=Health.HEALTHY)
