"""How the daemon is at one moment, as control tells it to ``ooblexd status``.

Plain values that travel as JSON over the control socket. Nothing here holds a source or
a credential. A document of another version is read for what both know.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """One stream; the numbers are over the last ten seconds.

    Attributes:
        name: Of the stream.
        state: ``starting``, ``running``, ``waiting``, ``down``, ``failed`` or
            ``stopped``.
        reason: Why, where that is not plain; else empty.
        picture: What viewers see: ``live``, ``held``, ``covered`` or ``slate``.
        width: Of the picture in pixels; 0 before the first.
        height: Likewise.
        fps_in: Frames a second out of the source.
        fps_out: Frames a second that output has taken.
        age_p50_ms: Median age of a frame when it is encoded; None without one.
        age_p99_ms: Likewise, the 99th percentile.
        dropped: Frames discarded since the start.
        dropped_idle: Of these, those that nobody wanted.
        viewers: Who looks at it now.
        is_idle: Nobody looks, so its pictures go through no effect.
    """

    name: str
    state: str
    reason: str = ""
    picture: str = ""
    width: int = 0
    height: int = 0
    fps_in: float = 0.0
    fps_out: float = 0.0
    age_p50_ms: float | None = None
    age_p99_ms: float | None = None
    dropped: int = 0
    viewers: int = 0
    dropped_idle: int = 0
    is_idle: bool = False


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One process of the daemon.

    Attributes:
        name: ``supervisor``, ``ingest:door``, ``inference:0``, ``control``.
        state: ``up``, ``starting``, ``waiting`` for its next life, ``given_up`` ….
        reason: Why it ended the last time; empty where it never did.
        pid: 0 while there is no process.
        restarts: Since the daemon began.
        cpu_s: Processor time of this life, in seconds; None where it cannot be read.
        resident_bytes: Proportional set size; 0 where the kernel hides it.
    """

    name: str
    state: str
    reason: str = ""
    pid: int = 0
    restarts: int = 0
    cpu_s: float | None = None
    resident_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """The daemon at one moment.

    Attributes:
        version: Of ooblexd.
        at_ns: Monotonic time of this reading.
        uptime_s: Since the daemon began.
        health: ``healthy``, ``degraded`` or ``unhealthy``.
        host: That it listens on.
        port: Likewise.
        config_path: The file that changes are written to.
        streams: By their order in the configuration.
        workers: The supervisor first.
        problems: What else ``/health`` finds wrong: a check's name, and why.
    """

    version: str
    at_ns: int
    uptime_s: int
    health: str
    host: str
    port: int
    config_path: str
    streams: tuple[StreamStatus, ...] = ()
    workers: tuple[WorkerStatus, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """Where a browser finds the daemon."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"


def format_status(status: Status) -> str:
    """Return ``status`` as JSON."""
    return json.dumps(asdict(status), separators=(",", ":"))


def parse_status(text: str) -> Status:
    """Return what `format_status` wrote.

    Raises:
        ValueError: It is no such document.
    """
    try:
        found = json.loads(text)
        streams = tuple(_known(StreamStatus, stream) for stream in found["streams"])
        workers = tuple(_known(WorkerStatus, worker) for worker in found["workers"])
        found |= {"streams": streams, "workers": workers}
        problems = tuple(found.get("problems", ()))
        return _known(Status, {**found, "problems": problems})
    except (KeyError, TypeError) as exc:
        raise ValueError(f"no status of a daemon that we know: {exc}") from exc


_T = TypeVar("_T", StreamStatus, WorkerStatus, Status)


def _known(kind: type[_T], found: dict[str, Any]) -> _T:
    """Make a value of what both versions know; what a newer daemon adds is left out."""
    names = {field.name for field in fields(kind)}
    return kind(**{name: value for name, value in found.items() if name in names})


def cpu_percent(former: Status | None, status: Status, worker: str) -> float | None:
    """Return the load of a worker between two readings, in percent of one core.

    Returns:
        None where it cannot be told: without a former reading, or in another life.
    """
    if former is None or former.at_ns >= status.at_ns:
        return None
    before, now = _worker(former, worker), _worker(status, worker)
    if before is None or now is None or before.pid != now.pid:
        return None
    if before.cpu_s is None or now.cpu_s is None:
        return None
    span_s = (status.at_ns - former.at_ns) / 1e9
    return max(now.cpu_s - before.cpu_s, 0.0) / span_s * 100


def _worker(status: Status, name: str) -> WorkerStatus | None:
    return next((one for one in status.workers if one.name == name), None)
