"""The running daemon, the port, and the limits that it lives within."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

from ooblexd._version import __version__
from ooblexd.checks import Finding, fail, ok, warn
from ooblexd.errors import CannotStartError
from ooblexd.supervisor.listener import open_listener

if TYPE_CHECKING:
    from ooblexd.errors import NoDaemonError
    from ooblexd.plan import DaemonPlan
    from ooblexd.status import Status


def check_daemon(
    running: Status | None, no_daemon: NoDaemonError | None
) -> list[Finding]:
    """Judge the daemon that runs, by its own words; or why it gives none."""
    if no_daemon is not None and no_daemon.is_there:
        return [warn("daemon", no_daemon.reason, no_daemon.remedy)]
    if running is None:
        return [ok("daemon", "not running")]
    text = f"{running.version} runs at {running.address} and is {running.health}"
    if running.version != __version__:
        remedy = "sudo systemctl restart ooblexd"
        return [warn("daemon", f"{text}, but {__version__} is installed", remedy)]
    if running.health != "healthy":
        return [warn("daemon", text, "`ooblexd status` says why")]
    return [ok("daemon", text)]


def check_port(
    plan: DaemonPlan, running: Status | None, *, is_there: bool
) -> list[Finding]:
    """Judge whether the configured port can be had.

    Args:
        plan: Says which.
        running: Who may have it.
        is_there: A daemon runs that does not answer us, and may have it too.
    """
    where = f"{plan.port} on {plan.host}"
    if plan.port == 0:
        return [ok("port", "the system chooses one")]
    if running is not None and running.port == plan.port:
        return [ok("port", f"{where}, held by the running daemon")]
    try:
        open_listener(plan.host, plan.port).close()
    except CannotStartError as error:
        text, _, remedy = str(error).partition("; ")
        judge = warn if is_there else fail
        return [judge("port", text, remedy or "see http.host in the configuration")]
    return [ok("port", f"{where} is free")]


def check_limits(
    needed_descriptors: int, needed_lock_bytes: int, *, swaps: bool
) -> list[Finding]:
    """Judge the limits of a process: descriptors, and memory that stays in memory.

    Args:
        needed_descriptors: By the supervisor, which raises its limit to the hard one.
        needed_lock_bytes: All rings.
        swaps: There is swap that they must be kept from.
    """
    most = _limit(resource.RLIMIT_NOFILE)
    text = f"{most:g} allowed, some {needed_descriptors} needed"
    findings = [ok("descriptors", text)]
    if most < needed_descriptors:
        remedy = "LimitNOFILE=65536 in the unit, or docker run --ulimit nofile=65536"
        findings = [fail("descriptors", text, remedy)]
    if swaps and _limit(resource.RLIMIT_MEMLOCK) < needed_lock_bytes:
        remedy = "LimitMEMLOCK=infinity in the unit, or --ulimit memlock=-1"
        text = "the rings may not be kept in memory, and swap is on"
        findings.append(warn("locked memory", text, remedy))
    return findings


def _limit(which: int) -> float:
    most = resource.getrlimit(which)[1]
    return float("inf") if most == resource.RLIM_INFINITY else most
