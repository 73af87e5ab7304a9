"""Where what must outlast the daemon lies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SYSTEM_FOLDER = Path("/var/lib/ooblexd")


def state_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of the daemon's state, which need not exist yet.

    What systemd made for the service (``StateDirectory=``), else
    ``$XDG_STATE_HOME/ooblexd`` where that is set, else the system's as root and the
    user's otherwise.
    """
    if of_service := environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(of_service)
    if home := environ.get("XDG_STATE_HOME"):
        return Path(home) / "ooblexd"
    if os.geteuid() == 0:
        return SYSTEM_FOLDER
    return Path(environ.get("HOME") or "/") / ".local" / "state" / "ooblexd"
