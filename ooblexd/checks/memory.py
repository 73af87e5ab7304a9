"""Memory: how much there is for the streams, and whether it may reach the disk."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ooblexd.checks import Finding, fail, ok, warn
from ooblexd.checks.files import cgroup_limits, mib, read_line, read_text

if TYPE_CHECKING:
    from pathlib import Path

_KIB = 1024


def check_memory(root: Path, needed_bytes: int, *, is_running: bool) -> list[Finding]:
    """Judge memory against what the streams need.

    Args:
        root: Of ``/proc`` and ``/sys``.
        needed_bytes: By the whole daemon.
        is_running: It has what it needs already.
    """
    info = read_text(root / "proc/meminfo")
    total, available = _field(info, "MemTotal"), _field(info, "MemAvailable")
    limits = [int(one) for one in cgroup_limits(root, "memory.max") if one.isdigit()]
    most = min([total, *limits])
    limit = f", limited to {mib(most)}" if most < total else ""
    needs = f"the streams need some {mib(needed_bytes)}"
    text = f"{mib(available)} of {mib(total)} available{limit}; {needs}"
    if not total:
        return [ok("memory", "the system does not tell")]
    if needed_bytes > most:
        remedy = "fewer streams, more memory, or a higher limit (docker run --memory)"
        return [fail("memory", text, remedy)]
    if needed_bytes > available and not is_running:
        return [warn("memory", text, "end other programs, or have fewer streams")]
    return [ok("memory", text)]


def _field(info: str, key: str) -> int:
    found = re.search(rf"^{key}:\s*(\d+) kB", info, re.MULTILINE)
    return int(found[1]) * _KIB if found else 0


def check_swap(root: Path, process: str = "self") -> list[Finding]:
    """Judge swap: a frame that is paged out lies on the disk as it was.

    Args:
        root: Of ``/proc`` and ``/sys``.
        process: The pid of the running daemon, which may be kept out of swap.
    """
    rows = [line.split() for line in read_text(root / "proc/swaps").splitlines()[1:]]
    devices = [row[0] for row in rows if row and not _stays_safe(root, row[0])]
    if not devices:
        return [ok("swap", "none that is on a disk in the clear")]
    if "0" in cgroup_limits(root, "memory.swap.max", process):
        return [ok("swap", "on, but kept from this service")]
    text = f"on ({', '.join(devices)}): frames in memory may reach the disk"
    remedy = (
        "run ooblexd by its systemd unit (MemorySwapMax=0), or: sudo swapoff -a, and "
        "take it out of /etc/fstab"
    )
    return [warn("swap", text, remedy)]


def _stays_safe(root: Path, device: str) -> bool:
    """Say whether what is swapped stays in memory, or is encrypted."""
    name = device.rpartition("/")[2]
    uuid = read_line(root / "sys/block" / name / "dm/uuid")
    return name.startswith("zram") or uuid.startswith("CRYPT-")


def check_core_dumps(root: Path) -> list[Finding]:
    """Judge where the memory of a crashed program goes.

    Our own workers leave no core. A program that ``exec:`` starts can: for a pattern
    that pipes, the kernel does not heed the limit of core files (core(5)).
    """
    pattern = read_line(root / "proc/sys/kernel/core_pattern")
    if not pattern.startswith("|"):
        return [ok("core dumps", "off for every worker, and for what it starts")]
    program = pattern[1:].split()[0]
    if "systemd-coredump" in program and _stores_nothing(root):
        return [ok("core dumps", "systemd-coredump stores none")]
    remedy = "sudo sysctl -w kernel.core_pattern=core"
    if "systemd-coredump" in program:
        remedy = "Storage=none in /etc/systemd/coredump.conf"
    elif "apport" in program:
        remedy = "sudo systemctl disable --now apport"
    text = f"a camera program (exec:) that crashes leaves its memory to {program}"
    return [warn("core dumps", text, remedy)]


def _stores_nothing(root: Path) -> bool:
    folder = root / "etc/systemd"
    files = [folder / "coredump.conf", *folder.glob("coredump.conf.d/*.conf")]
    return any(
        re.search(r"^\s*Storage\s*=\s*none", read_text(file), re.MULTILINE)
        for file in files
    )
