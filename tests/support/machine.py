"""A second system on this one, with systemd as its first process.

Its files are this system's own, under an overlay in memory: it boots in half a second,
needs no download, and what it changes is gone with it. It has its own processes, users'
sessions, network and devices; of this system's services it starts none.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from typing_extensions import Self

_MORTAL = ("setpriv", "--pdeathsig", "KILL")  # it ends with the tests, however they do
_CGROUPS = Path("/sys/fs/cgroup")
# In a mount namespace of its own, which ends with the machine.
_BOOT = """
set -e
folder=$1 name=$2
shift 2
mount -t tmpfs -o mode=755 tmpfs "$folder"
mkdir "$folder/changes" "$folder/work" "$folder/root"
mount -t overlay -o "lowerdir=/,upperdir=$folder/changes,workdir=$folder/work" \
    overlay "$folder/root"
cd "$folder/root"
# What this system starts, mounts and keeps, the other does not.
rm -rf etc/systemd/system/* etc/rc?.d etc/fstab etc/crypttab var/log/journal \
    usr/lib/systemd/system/ooblexd.service etc/ooblexd var/lib/ooblexd opt/ooblexd
mkdir -p /run/systemd/inaccessible
code=133 # of a reboot
while [ $code = 133 ]; do
    code=0
    setpriv --pdeathsig TERM systemd-nspawn --register=no --keep-unit \
        --link-journal=no --resolv-conf=off --timezone=off --private-network \
        --console=pipe --directory="$folder/root" --machine="$name" --boot \
        "$@" || code=$?
done
exit $code
"""


def skip_without_machines() -> None:
    """Skip a test where none can be booted, and say what is missing."""
    if os.geteuid() != 0:
        pytest.skip("booting a machine takes root, and apt install systemd-container")
    if shutil.which("systemd-nspawn") is None:
        pytest.skip("apt install systemd-container")


class Machine:
    """Runs until it is left.

    Args:
        folder: An empty one, for its console.
        binds: What of this system it sees, read-only, in places of its own.
    """

    def __init__(self, folder: Path, binds: Mapping[Path, str] | None = None) -> None:
        self._folder = folder
        self._binds = binds or {}
        self._name = f"ooblexd-test-{os.getpid()}"
        self._console = folder / "console"
        self._boot: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        root = self._folder / "root"
        root.mkdir()
        binds = [f"--bind-ro={path}:{place}" for path, place in self._binds.items()]
        words = ["unshare", "--mount", "--propagation", "private"]
        words += ["sh", "-c", _BOOT, "boot", str(root), self._name, *binds]
        with self._console.open("wb") as console:
            self._boot = subprocess.Popen(
                [
                    *_MORTAL,
                    "sh",
                    "-c",
                    f'{self._into_cgroups()}exec "$@"',
                    "sh",
                    *words,
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
            )
        try:
            eventually(lambda: self._boot.poll() is not None or self._is_up())
        except AssertionError:
            self._boot.kill()
        if self._boot.poll() is not None:
            self._leave_cgroups()
            pytest.skip(f"systemd does not boot here: {self.console()[-500:]}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            os.kill(_child_of(self._boot.pid), signal.SIGTERM)  # it shuts down
        try:
            self._boot.wait(20)
        except subprocess.TimeoutExpired:
            self._boot.kill()
            self._boot.wait()
        self._leave_cgroups()

    def console(self) -> str:
        """Return what it has printed."""
        return self._console.read_text(errors="replace")

    def path(self, inside: str) -> Path:
        """Return where this system sees a file of the machine."""
        return Path(f"/proc/{self._first()}/root{inside}")

    def run(self, *words: str, code: int | None = 0) -> str:
        """Run a command inside and return what it has said.

        Args:
            words: The command.
            code: With which it has to end; None allows any.
        """
        done = subprocess.run(
            ["nsenter", "-t", str(self._first()), "-a", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        said = f"{shlex.join(words)}: {done.returncode}\n{done.stdout}"
        assert code is None or done.returncode == code, said
        return done.stdout.strip()

    def reboot(self) -> None:
        """Shut it down and boot it again, with all that it has changed."""
        former = self._first()
        self.run("systemctl", "reboot")
        eventually(lambda: self._first() not in (0, former) and self._is_up(), 30)

    def _first(self) -> int:
        """Return its first process as this system numbers it; 0 between two boots."""
        nspawn = _child_of(self._boot.pid)
        return _child_of(nspawn) if nspawn else 0

    def _is_up(self) -> bool:
        if not self._first():
            return False
        state = self.run("systemctl", "is-system-running", code=None)
        return state in ("running", "degraded")

    def _cgroups(self) -> list[Path]:
        """Return groups of its own, which nspawn by itself does not make."""
        of_systemd = [_CGROUPS / "systemd", _CGROUPS / "unified"]
        hierarchies = [path for path in of_systemd if path.is_dir()] or [_CGROUPS]
        return [path / self._name for path in hierarchies]

    def _into_cgroups(self) -> str:
        made = ""
        for group in self._cgroups():
            with contextlib.suppress(OSError):  # then in those that there are
                group.mkdir()
                made += f"echo $$ >{group}/cgroup.procs; "
        return made

    def _leave_cgroups(self) -> None:
        for top in self._cgroups():
            for folder, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):  # a group that somebody is still in
                    Path(folder).rmdir()


def _child_of(pid: int) -> int:
    """Return the only child of a process; 0 if it has none."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return int((children.read_text().split() or ["0"])[0])
    return 0
