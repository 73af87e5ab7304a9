"""A process that measures for a while: it says when that begins and ends, and answers.

It writes ``begin`` and ``end`` on its standard error, a line each, and then one line of
JSON on its standard output.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


class MeasuredProcess:
    """One of them, running."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def expect(self, word: str) -> None:
        """Return once it has said ``begin`` or ``end``.

        Raises:
            AssertionError: It has said something else.
        """
        assert self._process.stderr is not None
        said = self._process.stderr.readline()
        assert said == f"{word}\n", said + self._process.stderr.read()

    def answer(self) -> Any:
        """Return what it has found."""
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.read())


@contextmanager
def measured_process(module: str, *arguments: object) -> Iterator[MeasuredProcess]:
    """Run a module of ``tests.support`` until left."""
    with subprocess.Popen(
        [sys.executable, "-m", f"tests.support.{module}", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield MeasuredProcess(process)
        finally:
            process.kill()


def cpu_percent(pid: int, processes: list[MeasuredProcess], seconds: float) -> float:
    """Return the share of a core of ``pid`` and its children until these end.

    Args:
        pid: What is measured.
        processes: They have not said yet that they began.
        seconds: How long they measure.
    """
    for process in processes:
        process.expect("begin")
    before_s = cpu_s(pid)
    for process in processes:
        process.expect("end")
    return 100 * (cpu_s(pid) - before_s) / seconds


def cpu_s(pid: int) -> float:
    """Return the processor time of a process and its children so far."""
    ticks = 0
    for each in [pid, *children_of(pid)]:
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS_PER_S


def children_of(pid: int) -> list[int]:
    """Return the processes that ``pid`` has forked."""
    words = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(word) for word in words]


def pss_bytes(pid: int) -> int:
    """Return the proportional set size of one process."""
    found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    assert found is not None
    return int(found[1]) * 1024
