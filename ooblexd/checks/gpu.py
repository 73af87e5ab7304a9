"""The graphics processor, if there is one."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from ooblexd.checks import Finding, ok, warn
from ooblexd.checks.files import read_line, read_text

if TYPE_CHECKING:
    from pathlib import Path

_ASK = (
    "nvidia-smi",
    "--query-gpu=name,driver_version,memory.total",
    "--format=csv,noheader",
)
_WITHIN_S = 4.0


def check_gpu(root: Path) -> list[Finding]:
    """Name each graphics processor, and say where its driver does not answer."""
    jetson = read_line(root / "etc/nv_tegra_release")
    if jetson:
        return [
            ok("gpu", f"NVIDIA Jetson, {jetson.lstrip('# ').partition(', GCID')[0]}")
        ]
    if (root / "dev/nvidiactl").exists():
        return _nvidia()
    drivers = [
        line.partition("=")[2]
        for event in sorted((root / "sys/class/drm").glob("renderD*/device/uevent"))
        for line in read_text(event).splitlines()
        if line.startswith("DRIVER=")
    ]
    if drivers:
        return [ok("gpu", f"{', '.join(drivers)}; nothing uses it yet")]
    return [ok("gpu", "none: everything runs on the processor")]


def _nvidia() -> list[Finding]:
    try:
        answer = subprocess.run(  # noqa: S603 # a fixed command
            _ASK, check=True, capture_output=True, text=True, timeout=_WITHIN_S
        )
    except (OSError, subprocess.SubprocessError) as exc:
        why = f"nvidia-smi does not answer ({type(exc).__name__})"
        remedy = "reinstall the driver, or restart the box if it was just upgraded"
        return [warn("gpu", f"an NVIDIA device is there, but {why}", remedy)]
    rows = [line.split(", ") for line in answer.stdout.splitlines() if line]
    return [
        ok("gpu", f"{name}, driver {driver}, {memory}; nothing uses it yet")
        for name, driver, memory in rows
    ]
