"""The file system that changes are written to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ooblexd.checks import Finding, ok, warn
from ooblexd.checks.files import mib

if TYPE_CHECKING:
    from pathlib import Path

_LEAST_BYTES = 64 << 20
_REMEDY = "make room: what is changed in the API cannot be kept without"


def check_disk(config_path: Path) -> Finding:
    """Judge how much room there is beside the configuration."""
    folder = next(path for path in config_path.absolute().parents if path.exists())
    try:
        found = os.statvfs(folder)
    except OSError as exc:
        return warn("disk", f"{folder}: {(exc.strerror or '').lower()}", _REMEDY)
    free_bytes = found.f_bavail * found.f_frsize
    text = f"{mib(free_bytes)} free in {folder}"
    return (
        warn("disk", text, _REMEDY) if free_bytes < _LEAST_BYTES else ok("disk", text)
    )
