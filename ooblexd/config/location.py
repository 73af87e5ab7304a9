"""Which file is the configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ooblexd.config.schema import Location

if TYPE_CHECKING:
    from collections.abc import Mapping

SYSTEM_PATH = Path("/etc/ooblexd/ooblexd.toml")


def find_config_path(
    argument: Path | None,
    environ: Mapping[str, str],
    *,
    system_path: Path = SYSTEM_PATH,
) -> Location:
    """Return the file to use; which one is the first of these that there is.

    ``argument``, ``$OOBLEXD_CONFIG`` (either is taken as it is, present or not), the
    system's, the user's; else none, which is the demo, and the place where the first
    change will create one: the system's as root, the user's otherwise.
    """
    named = argument or Path(environ.get("OOBLEXD_CONFIG", ""))
    if named != Path():
        return Location(named)
    user_path = _user_path(environ)
    for path in (system_path, user_path):
        if path.is_file():
            return Location(path)
    return Location(system_path if os.geteuid() == 0 else user_path, is_demo=True)


def _user_path(environ: Mapping[str, str]) -> Path:
    home = Path(environ.get("HOME") or "/")
    folder = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    return folder / "ooblexd" / "ooblexd.toml"
