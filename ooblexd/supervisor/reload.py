"""Which configuration runs, and what is wrong with the one in the file.

Control is told as a `ConfigStatus`, which the page and ``/health`` show until the
file is good again.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ooblexd.commands import ConfigStatus, Runs
from ooblexd.config.diff import plans_between, waiting_keys
from ooblexd.config.replacing import put_in_place
from ooblexd.plan import format_plan, parse_daemon_plan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ooblexd.commands import ApplyPlans
    from ooblexd.plan import DaemonPlan, StreamPlan

_MOST_PROBLEMS = 50
_LONGEST_PROBLEM = 500


class Configuration:
    """What runs, and how it stands to the file.

    Args:
        plan: What the daemon is started with.
        runs: Where that comes from.
        problems: What is wrong with the file, a line each.

    Attributes:
        plan: What runs, but for the streams, which change on their own.
        runs: Where it comes from.
        problems: What of the file does not run, and why.
        restart_needed: Keys of the file that wait for a restart.
    """

    def __init__(
        self, plan: DaemonPlan, runs: Runs = Runs.FILE, problems: Iterable[str] = ()
    ) -> None:
        self.plan = plan
        self.runs = runs
        self.problems = list(problems)
        self.restart_needed: list[str] = []
        self._digest = plan.config_digest

    @property
    def fault(self) -> str:
        """What runs instead of the file's configuration; empty where that runs."""
        path = self.plan.config_path
        return {
            Runs.FILE: "",
            Runs.FORMER: f"{path} cannot be used: what ran before runs on",
            Runs.LAST_GOOD: f"{path} cannot be used: its last good version runs",
            Runs.NOTHING: f"{path} cannot be used: safe mode, no stream runs",
        }[self.runs]

    def refuse(self, problems: Iterable[str]) -> None:
        """Note that the file cannot be used, and what ran before runs on."""
        self.problems = list(problems)
        if self.runs is Runs.FILE:
            self.runs = Runs.FORMER

    def adopt(self, wanted: DaemonPlan) -> None:
        """Note that ``wanted``, the file's, runs now.

        What can change live is taken over. In safe mode nothing has begun yet that a
        restart would be needed for, but the listener.
        """
        self.plan = replace(
            self.plan,
            log_level=wanted.log_level,
            allowed_hosts=wanted.allowed_hosts,
            webrtc=wanted.webrtc,
        )
        if self.runs is Runs.NOTHING:
            self.plan = replace(
                self.plan,
                inference_workers=wanted.inference_workers,
                inference_threads=wanted.inference_threads,
                engine=wanted.engine,
            )
        self.runs = Runs.FILE
        self.problems = []
        self.restart_needed = waiting_keys(self.plan, wanted)
        self._digest = wanted.config_digest

    def commit(self, wish: ApplyPlans) -> None:
        """Put the file of a change by API in its place; the change runs from now on.

        Raises:
            ConfigFileError: It cannot be; the old one stands.
        """
        if wish.after:
            put_in_place(Path(self.plan.config_path), wish.former, wish.after)
            if self._digest == wish.former:  # else it holds more, not loaded yet
                self._digest = wish.after
            self.plan = replace(self.plan, is_demo=False)
        if wish.daemon:
            self.adopt(parse_daemon_plan(wish.daemon))

    def wishes(
        self, streams: Iterable[StreamPlan], wanted: DaemonPlan
    ) -> dict[str, str]:
        """Return the plan of each stream that is to change, as `plans_between`.

        Args:
            streams: As they run, with all that was changed by API meanwhile.
            wanted: What the file says.
        """
        return plans_between(replace(self.plan, streams=tuple(streams)), wanted)

    def status(self) -> ConfigStatus:
        """Return what control is told."""
        shown = [problem[:_LONGEST_PROBLEM] for problem in self.problems]
        if len(shown) > _MOST_PROBLEMS:
            rest = len(shown) - _MOST_PROBLEMS
            shown = [*shown[:_MOST_PROBLEMS], f"and {rest} more"]
        return ConfigStatus(
            runs=self.runs.value,
            problems=shown,
            daemon=format_plan(replace(self.plan, streams=())),
            restart_needed=self.restart_needed,
            digest=self._digest,
        )
