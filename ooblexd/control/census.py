"""The daemon at one moment: every stream and every worker, read off the board."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ooblexd.clock import monotonic_ns
from ooblexd.heartbeat import WorkerWord
from ooblexd.status import Status, StreamStatus, WorkerStatus

if TYPE_CHECKING:
    from ooblexd.control import ControlContext
    from ooblexd.control.health import HealthReport
    from ooblexd.control.readings import WorkerReading
    from ooblexd.control.streams import Streams


_TOLD_ELSEWHERE = ("source:", "worker:")  # with the streams and workers themselves


class Census:
    """Takes the status of the daemon when asked.

    Args:
        context: What control was started with.
        streams: What there is.
        health: Judges the whole.
    """

    def __init__(
        self, context: ControlContext, streams: Streams, health: HealthReport
    ) -> None:
        self._context = context
        self._streams = streams
        self._health = health

    def take(self) -> Status:
        """Return how everything is now."""
        health = self._health.document()
        host, port = self._context.listener.getsockname()[:2]
        workers = [self._worker(worker) for worker in self._streams.workers()]
        return Status(
            version=health.version,
            at_ns=monotonic_ns(),
            uptime_s=health.uptime_s,
            health=health.status.value,
            host=host,
            port=port,
            config_path=self._context.plan.config_path,
            streams=tuple(self._stream(name) for name in self._streams.names),
            workers=(self._supervisor(), *workers),
            problems=tuple(
                f"{name}: {check.reason}"
                for name, check in health.checks.items()
                if check.reason and not name.startswith(_TOLD_ELSEWHERE)
            ),
        )

    def _stream(self, name: str) -> StreamStatus:
        pages, verdict = self._streams.pages(name), self._streams.judge(name)
        rates = pages.rates()
        width, height = pages.size
        return StreamStatus(
            name=name,
            state=verdict.state.value,
            reason=verdict.reason,
            picture=verdict.picture.value,
            width=width,
            height=height,
            fps_in=round(rates.fps_in, 2),
            fps_out=round(rates.fps_out, 2),
            age_p50_ms=rates.age_p50_ms,
            age_p99_ms=rates.age_p99_ms,
            dropped=pages.dropped(),
            viewers=sum(self._streams.viewers(name).values()),
            dropped_idle=pages.dropped_idle(),
            is_idle=self._streams.is_idle(name),
        )

    def _worker(self, worker: WorkerReading) -> WorkerStatus:
        page = self._context.board.page(self._streams.worker_page(worker.name))
        pid = page.words[WorkerWord.PID]
        return WorkerStatus(
            name=worker.name,
            state=worker.state.name.lower(),
            reason=worker.reason,
            pid=pid,
            restarts=page.words[WorkerWord.RESTARTS],
            cpu_s=process_cpu_s(pid),
            resident_bytes=page.words[WorkerWord.PSS_BYTES],
        )

    def _supervisor(self) -> WorkerStatus:
        pid = self._context.parent_pid
        is_overdue = self._streams.is_supervisor_overdue(monotonic_ns())
        return WorkerStatus(
            name="supervisor",
            state="overdue" if is_overdue else "up",
            pid=pid,
            cpu_s=process_cpu_s(pid),
            resident_bytes=proportional_set_bytes(pid),
        )


def process_cpu_s(pid: int) -> float | None:
    """Return the processor time that a process has used; None where it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def proportional_set_bytes(pid: int) -> int:
    """Return the memory of a process, its share of what is shared; 0 if hidden."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    rows = (line.split() for line in text.splitlines() if line.startswith("Pss:"))
    return next((int(row[1]) * 1024 for row in rows), 0)
