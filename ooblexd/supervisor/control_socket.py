"""The control socket: where ``ooblexd status`` finds the daemon of this machine.

It lies in ``/run/ooblexd`` for root and for the service, else in the user's own
``$XDG_RUNTIME_DIR/ooblexd``. As the port's, its listener is the supervisor's and
outlives control. Whoever holds the lock on the folder owns the path in it: so a killed
daemon's leftover is replaced, and a living daemon's is not.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ooblexd.errors import ControlSocketError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from typing_extensions import Self

NAME = "control.sock"
SYSTEM_FOLDER = Path("/run/ooblexd")
_BACKLOG = 16
_MODE = 0o660
_FOLDER_MODE = 0o750


def control_socket_path(environ: Mapping[str, str]) -> Path:
    """Return where a daemon with this environment listens.

    systemd names the folder that it made (``RUNTIME_DIRECTORY``); else it is the
    system's as root, and the user's own otherwise.
    """
    if made := environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]:
        return Path(made) / NAME
    own = environ.get("XDG_RUNTIME_DIR", "")
    if os.geteuid() != 0 and own:
        return Path(own) / "ooblexd" / NAME
    return SYSTEM_FOLDER / NAME


def control_socket_paths(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return where to look for a daemon: one's own first, then the system's.

    A folder that the environment names is the only one.
    """
    own = control_socket_path(environ)
    if environ.get("RUNTIME_DIRECTORY"):
        return (own,)
    return tuple(dict.fromkeys((own, SYSTEM_FOLDER / NAME)))


@dataclass
class ControlSocket:
    """The listening socket with its path, until it is left.

    Attributes:
        listener: Bound and listening; control accepts.
        path: In the file system.
    """

    listener: socket.socket
    path: Path
    _lock: int

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the path away, then let others have it."""
        with contextlib.suppress(OSError):  # somebody has tidied up before us
            self.path.unlink()
        self.listener.close()
        os.close(self._lock)


def open_control_socket(path: Path) -> ControlSocket:
    """Bind and listen at ``path``; its folder is made where it is missing.

    Raises:
        ControlSocketError: Another daemon has it (the message says which), or the
            folder cannot be written.
    """
    lock = _lock_folder(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    former = os.umask(0o777 & ~_MODE)
    try:
        _remove_leftover(path)
        listener.bind(str(path))
        listener.listen(_BACKLOG)
    except OSError as exc:
        listener.close()
        os.close(lock)
        raise ControlSocketError(str(path), _why(exc)) from exc
    finally:
        os.umask(former)
    return ControlSocket(listener, path, lock)


def _lock_folder(path: Path) -> int:
    try:
        path.parent.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        lock = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as exc:
        raise ControlSocketError(str(path), _why(exc)) from exc
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        holder = holder_of_lock(lock)
        os.close(lock)
        which = f" (pid {holder})" if holder else ""
        reason = f"it belongs to another daemon{which}"
        raise ControlSocketError(str(path), reason) from exc
    return lock


def _remove_leftover(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(errno.EEXIST, "there is something else of that name")
        path.unlink()


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def holder_of_lock(lock: int) -> int | None:
    """Return the process that holds the ``flock`` on an open file, see proc(5).

    The pid that a Unix socket tells of its listener would be control's.

    Returns:
        None where there is none, or the kernel does not say.
    """
    inode = str(os.fstat(lock).st_ino)
    try:
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, kind, _, _, pid, where, *_ = line.split()
        if kind == "FLOCK" and where.rpartition(":")[2] == inode:
            return int(pid)
    return None
