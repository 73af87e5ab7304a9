"""What `ooblexd install-service` puts where, and what stands against it.

Nothing here changes anything: `install_service` does.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import ooblexd

if TYPE_CHECKING:
    from collections.abc import Iterable

PACKAGE = Path(ooblexd.__file__).parent
UNIT = "ooblexd.service"
CONFIG = Path("/etc/ooblexd/ooblexd.toml")
# Where each file of systemd/ belongs when an administrator installs it, not a package.
TARGETS = {
    UNIT: Path("/etc/systemd/system/ooblexd.service"),
    "ooblexd.sysusers": Path("/etc/sysusers.d/ooblexd.conf"),
    "ooblexd.tmpfiles": Path("/etc/tmpfiles.d/ooblexd.conf"),
}
PACKAGED_UNITS = (
    Path("/usr/lib/systemd/system/ooblexd.service"),
    Path("/lib/systemd/system/ooblexd.service"),
)
_PACKAGED_PROGRAM = "/usr/bin/ooblexd"  # as the unit names it
_HIDDEN = (Path("/home"), Path("/root"), Path("/run/user"))  # by ProtectHome=yes
_OTHERS_MAY_ENTER = stat.S_IROTH | stat.S_IXOTH


@dataclass(frozen=True, slots=True)
class ServiceFile:
    """A text and where it belongs."""

    path: Path
    text: str


def service_files(program: Iterable[str]) -> tuple[ServiceFile, ...]:
    """Return the unit for ``program``, its user and its folders."""
    texts = {name: (PACKAGE / "systemd" / name).read_text() for name in TARGETS}
    quoted = " ".join(quote(word) for word in program)
    texts[UNIT] = re.sub(
        rf"^(Exec\w+=){_PACKAGED_PROGRAM}\b",
        lambda found: found[1] + quoted,
        texts[UNIT],
        flags=re.MULTILINE,
    )
    return tuple(ServiceFile(TARGETS[name], text) for name, text in texts.items())


def quote(word: str) -> str:
    """Return ``word`` as a command line of a unit has it (systemd.service(5))."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    is_plain = re.fullmatch(r"[\w./+:@=%-]+", word)
    return (word if is_plain else f'"{escaped}"').replace("%", "%%")


def this_program() -> tuple[str, ...]:
    """Return the command that starts this installation of ooblexd."""
    script = Path(sysconfig.get_path("scripts")) / "ooblexd"
    if os.access(script, os.X_OK):
        return (str(script),)
    return (sys.executable, "-m", "ooblexd")


def why_unreachable() -> str:
    """Return why the service's user could not run this installation; empty if it can.

    It is no user of this machine: what only its owner may read it may not, and what is
    in a home does not even exist for it.
    """
    places = [sys.executable, sys.prefix, sys.base_prefix, str(PACKAGE)]
    return obstacle(Path(place) for place in places)


def obstacle(places: Iterable[Path]) -> str:
    """Return what keeps a stranger without a home from the first such place, if any."""
    for place in places:
        for end in (place.absolute(), place.resolve()):
            home = next((h for h in _HIDDEN if end.is_relative_to(h)), None)
            if home is not None:
                return f"{end} lies in {home}, which the service does not see"
            for folder in reversed((end / "_").parents):
                if folder.is_dir() and not _is_open(folder):
                    return f"{folder} is closed to other users"
    return ""


def _is_open(folder: Path) -> bool:
    return stat.S_IMODE(folder.stat().st_mode) & _OTHERS_MAY_ENTER == _OTHERS_MAY_ENTER
