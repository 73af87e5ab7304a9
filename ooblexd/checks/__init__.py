"""What can be wrong with a box: one check a module, for ``doctor`` and ``/health``.

A check looks at one thing and returns what it found, each with the remedy. The cheap
ones are asked by ``/health`` while the daemon runs; `catalogue` lists all of them for
``ooblexd doctor``, and `parallel` runs each in a process of its own, so that none can
take the others down: a codec may crash, a camera or a network drive may hang.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ooblexd.checks.finding import Finding, Level, fail, ok, warn

if TYPE_CHECKING:
    from ooblexd.errors import NoDaemonError
    from ooblexd.plan import DaemonPlan
    from ooblexd.status import Status

__all__ = ["Finding", "Level", "Subject", "fail", "ok", "warn"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined.

    Attributes:
        config_path: Where the configuration lies, or would.
        is_demo: There is no file; the demo would run.
        plan: What the configuration asks for; None where it cannot be used.
        problems: Why it cannot be used.
        running: The running daemon of this machine, if it answers.
        no_daemon: Why it does not.
        state_folder: Where what must last lies.
        root: Of ``/proc`` and ``/sys``; a test has its own.
    """

    config_path: Path
    is_demo: bool = False
    plan: DaemonPlan | None = None
    problems: tuple[str, ...] = ()
    running: Status | None = None
    no_daemon: NoDaemonError | None = None
    state_folder: Path = Path("/var/lib/ooblexd")
    root: Path = Path("/")
