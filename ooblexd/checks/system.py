"""The ground: operating system, kernel, Python."""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING

from ooblexd.checks import Finding, ok, warn
from ooblexd.checks.files import read_line, read_text

if TYPE_CHECKING:
    from pathlib import Path

_PYTHONS = range(10, 14)
_OLDEST_KERNEL = (5, 3)  # pidfd_open


def check_system(root: Path) -> list[Finding]:
    """Judge Python and the kernel."""
    release = os.uname().release
    where = ", in a container" if is_container(root) else ""
    python = platform.python_version()
    text = f"Python {python}, Linux {release}, {os.uname().machine}"
    text += f", {_distribution(root)}{where}"
    if sys.version_info.minor not in _PYTHONS:
        remedy = "install ooblexd for Python 3.10 to 3.13"
        return [warn("system", f"{text}: not tested with this Python", remedy)]
    if _numbers(release) < _OLDEST_KERNEL:
        remedy = "upgrade the system: a kernel from 5.3 on"
        return [warn("system", f"{text}: too old a kernel", remedy)]
    return [ok("system", text)]


def is_container(root: Path) -> bool:
    """Say whether this is a container of Docker, Podman or systemd-nspawn."""
    marks = ("run/.containerenv", ".dockerenv", "run/systemd/container")
    return any((root / mark).exists() for mark in marks)


def board_model(root: Path) -> str:
    """Return the name of the board, such as ``Raspberry Pi 5 Model B``; or nothing."""
    return read_line(root / "proc/device-tree/model").rstrip("\0")


def _distribution(root: Path) -> str:
    for line in read_text(root / "etc/os-release").splitlines():
        key, _, value = line.partition("=")
        if key == "PRETTY_NAME":
            return value.strip('"')
    return "an unknown system"


def _numbers(release: str) -> tuple[int, ...]:
    major, minor, *_ = (*release.split("."), "0")
    return int(major), int("".join(char for char in minor if char.isdigit()) or 0)
