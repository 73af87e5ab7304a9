"""What a reload asks for: the difference between what runs and what the file says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ooblexd.commands import ApplyPlan
from ooblexd.config.diff import Kind, diff
from ooblexd.plan import format_plan

if TYPE_CHECKING:
    from ooblexd.plan import DaemonPlan, StreamPlan

RELOAD = 0
"""The request number of what nobody waits for."""


def wishes_of(
    running: DaemonPlan, streams: tuple[StreamPlan, ...], wanted: DaemonPlan
) -> tuple[list[ApplyPlan], list[str]]:
    """Return the changes that lead from what runs to ``wanted``.

    Args:
        running: What the daemon was started with.
        streams: As they run now, with all that was changed by API meanwhile.
        wanted: What the file says.

    Returns:
        One wish a stream that differs, removals first since they make room; and the
        keys that take effect only after a restart.
    """
    plans = {stream.name: format_plan(stream) for stream in wanted.streams}
    wishes: dict[str, ApplyPlan] = {}
    later: list[str] = []
    for change in diff(replace(running, streams=streams), wanted):
        if not change.stream:
            later += change.keys
            continue
        plan = "" if change.kind is Kind.REMOVED else plans[change.stream]
        wishes[change.stream] = ApplyPlan(RELOAD, change.stream, plan)
    return list(wishes.values()), later
