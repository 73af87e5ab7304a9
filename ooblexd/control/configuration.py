"""How the configuration is, as the supervisor tells it; and the copy of the last good.

It is kept by control and not by the supervisor, since a disk may take long.
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from ooblexd.commands import Runs
from ooblexd.config.last_good import keep_last_good
from ooblexd.plan import parse_daemon_plan

if TYPE_CHECKING:
    from ooblexd.commands import ConfigStatus
    from ooblexd.plan import DaemonPlan

_LOOK_AGAIN_S = 1.0

logger = logging.getLogger(__name__)


class Configuration:
    """Which configuration runs.

    Args:
        plan: What the daemon was started with.

    Attributes:
        plan: What runs, without its streams.
        runs: Where it comes from.
        problems: What is wrong with the file, a line each.
        restart_needed: Keys of the file that wait for a restart.
    """

    def __init__(self, plan: DaemonPlan) -> None:
        self.plan = plan
        self.runs = Runs.FILE
        self.problems: list[str] = []
        self.restart_needed: list[str] = []
        self._digest = ""
        self._kept = ""

    @property
    def path(self) -> Path:
        """The file that changes are written to."""
        return Path(self.plan.config_path)

    def take(self, status: ConfigStatus) -> None:
        """Take what the supervisor says."""
        self.plan = parse_daemon_plan(status.daemon)
        self.runs = Runs(status.runs)
        self.problems = status.problems
        self.restart_needed = status.restart_needed
        self._digest = status.digest

    async def keep_last_good(self) -> None:
        """Copy the file whenever another one runs, for ever."""
        while True:
            digest = self._digest if self.runs is Runs.FILE else ""
            if digest and digest != self._kept:
                self._kept = digest  # one attempt each: a full disk is told once
                await asyncio.to_thread(self._keep, digest)
            await anyio.sleep(_LOOK_AGAIN_S)

    def _keep(self, digest: str) -> None:
        try:
            keep_last_good(self.path, digest, os.environ)
        except OSError as exc:
            logger.warning(
                "no copy of the configuration is kept, to start with should the file "
                "be broken one day: %s: %s",
                exc.filename,
                (exc.strerror or "unknown reason").lower(),
            )
