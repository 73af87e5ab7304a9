"""The processor: what it is, how much of it is ours, what slows it down."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from ooblexd.checks import Finding, ok, warn
from ooblexd.checks.files import cgroup_limits, read_line, read_number, read_text
from ooblexd.checks.system import board_model

if TYPE_CHECKING:
    from pathlib import Path

_HOT_C = 80
# Bits of the Raspberry Pi's firmware, "get_throttled".
_UNDERVOLTAGE_BITS, _THROTTLED_BITS = 0x10001, 0x60006


def check_cpu(root: Path, usable: int | None = None) -> list[Finding]:
    """Judge the model, its instructions, and the cores that we may use.

    Args:
        root: Of ``/proc`` and ``/sys``.
        usable: Cores by affinity; None asks the system.
    """
    usable = usable or len(os.sched_getaffinity(0))
    info = read_text(root / "proc/cpuinfo")
    return [_cores(root, info, usable), _instructions(info)]


def _cores(root: Path, info: str, usable: int) -> Finding:
    present = len(re.findall(r"^processor\s*:", info, re.MULTILINE)) or usable
    name = _first(info, "model name") or board_model(root) or "unknown model"
    text = f"{name}, {usable} of {present} cores usable"
    quota = min(map(_quota, cgroup_limits(root, "cpu.max")), default=float("inf"))
    if quota < usable:
        text += f", of which a limit allows the time of {quota:g}"
        remedy = "allow more: docker run --cpus, or CPUQuota= of the unit"
        return warn("cpu", text, remedy) if quota < 1 else ok("cpu", text)
    return ok("cpu", text)


def _quota(line: str) -> float:
    quota, _, period = line.partition(" ")
    return float("inf") if quota == "max" else int(quota) / int(period or 100_000)


def _instructions(info: str) -> Finding:
    flags = set((_first(info, "flags") or _first(info, "Features")).split())
    if "asimd" in flags:
        dot = "dot product" if "asimddp" in flags else "no dot product (int8 is slow)"
        return ok("instructions", f"NEON, {dot}")
    if "avx2" in flags:
        more = [name for name in ("fma", "avx512f", "avx512_vnni") if name in flags]
        return ok("instructions", ", ".join(["AVX2", *map(str.upper, more)]))
    if not flags:
        return ok("instructions", "the system does not tell")
    remedy = "a virtual machine needs the CPU type `host`; else a newer processor"
    return warn("instructions", "no AVX2: analysis takes several times longer", remedy)


def _first(info: str, key: str) -> str:
    found = re.search(rf"^{key}\s*:\s*(.*)$", info, re.MULTILINE)
    return found[1].strip() if found else ""


def check_speed(root: Path) -> list[Finding]:
    """Judge what slows the processor down: governor, heat, a weak power supply."""
    findings = [*_governor(root), *_heat(root), *_firmware(root)]
    return findings or [ok("clock rate", "the system does not tell of any limit")]


def _governor(root: Path) -> list[Finding]:
    folder = root / "sys/devices/system/cpu/cpu0/cpufreq"
    governor = read_line(folder / "scaling_governor")
    # Of the drivers that choose by themselves, "powersave" is the normal name.
    is_active = read_line(folder / "scaling_driver") in (
        "intel_pstate",
        "amd-pstate-epp",
    )
    if not governor:
        return []
    if governor == "powersave" and not is_active:
        remedy = (
            "echo performance | sudo tee "
            "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
        )
        text = "the governor `powersave` keeps the processor at its slowest"
        return [warn("clock rate", text, remedy)]
    return [ok("clock rate", f"governor {governor}")]


def _heat(root: Path) -> list[Finding]:
    zones = (root / "sys/class/thermal").glob("thermal_zone*/temp")
    hottest = max((read_number(zone) or 0 for zone in zones), default=0) // 1000
    folder = root / "sys/devices/system/cpu"
    counts = folder.glob("cpu*/thermal_throttle/core_throttle_count")
    throttled = sum(read_number(count) or 0 for count in counts)
    remedy = "cool it better: a heat sink, a fan, less dust"
    if throttled:
        text = f"slowed down {throttled} times since the start, for it was too hot"
        return [warn("heat", text, remedy)]
    if hottest >= _HOT_C:
        return [warn("heat", f"{hottest} °C", remedy)]
    return [ok("heat", f"{hottest} °C")] if hottest > 0 else []


def _firmware(root: Path) -> list[Finding]:
    line = read_line(root / "sys/devices/platform/soc/soc:firmware/get_throttled")
    bits = int(line, 16) if re.fullmatch(r"[0-9a-fA-Fx]+", line) else 0
    if bits & _UNDERVOLTAGE_BITS:
        remedy = "use the power supply that is made for this board"
        return [warn("power", "the voltage is or was too low", remedy)]
    if bits & _THROTTLED_BITS:
        remedy = "cool it better: a heat sink, a fan"
        return [warn("power", "the board is or was slowed down", remedy)]
    return []
