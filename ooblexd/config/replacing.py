"""A file is replaced whole or not at all, whatever dies in between.

The new content is written beside the old one, on disk to the last byte, and put in its
place by one rename. The two steps may be done by two processes: control prepares a
change, and the supervisor, which makes it, puts it in place. Loads nothing, so it may.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import TYPE_CHECKING

from ooblexd.errors import ConfigFileError

if TYPE_CHECKING:
    from pathlib import Path

_NEW_MODE = 0o600  # sources hold credentials
_OWN_GROUP = "ooblexd"  # of the service, as `ooblexd install-service` makes it


def read_content(path: Path) -> bytes | None:
    """Return what a file holds; None where there is none.

    Raises:
        OSError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def digest_of(content: bytes | None) -> str:
    """Name a file's content: its SHA-256 in hexadecimal, empty for no file."""
    return "" if content is None else hashlib.sha256(content).hexdigest()


def write_beside(path: Path, content: bytes, allowed_mode: int = 0o7777) -> Path:
    """Write ``content`` to a new file beside ``path``, owned and guarded as that one.

    Its name is always the same, so that what a killed daemon left is swept away here.

    Args:
        path: What it is to replace.
        content: The new content.
        allowed_mode: Bits of the mode that may stay.

    Returns:
        The new file.

    Raises:
        OSError: It cannot be written; nothing is left of it.
    """
    waiting = waiting_path(path)
    waiting.unlink(missing_ok=True)
    fd = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _NEW_MODE)
    try:
        with open(fd, "wb", buffering=0) as file:  # noqa: PTH123 # a descriptor
            _guard_like(path, fd, allowed_mode)
            rest = memoryview(content)
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(fd)
    except BaseException:
        waiting.unlink(missing_ok=True)
        raise
    return waiting


def put_in_place(path: Path, former: str, after: str) -> None:
    """Put the file that waits beside ``path`` in its place.

    It is there for all to see when this returns, and on disk after `sync_folder`.

    Args:
        path: The file; a link stays, and what it names is replaced.
        former: Digest of what ``path`` held when the change was made.
        after: Digest of what waits.

    Raises:
        ConfigFileError: Either has been changed since, or the disk refuses; the old
            file stands.
    """
    target = path.resolve()
    waiting = waiting_path(target)
    try:
        if digest_of(read_content(target)) != former:
            reason = "was edited at the same moment; try again"
            raise ConfigFileError(str(path), reason)
        if digest_of(read_content(waiting)) != after:
            reason = "the new version is gone; try again"
            raise ConfigFileError(str(path), reason)
        waiting.replace(target)
    except OSError as exc:
        raise cannot_write(path, exc) from exc


def sync_folder(folder: Path) -> None:
    """Return once what was put in place in ``folder`` survives a loss of power.

    Raises:
        OSError: The disk refuses.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def cannot_write(path: Path, error: OSError) -> ConfigFileError:
    """Say in our words why the system does not let ``path`` be changed."""
    reason = (error.strerror or "unknown reason").lower()
    return ConfigFileError(str(path), f"cannot be changed: {reason}")


def waiting_path(path: Path) -> Path:
    """Return where the new version of ``path`` waits."""
    return path.with_name(f".{path.name}.new")


def sweep(path: Path) -> bool:
    """Remove what a daemon that was killed while it wrote has left beside ``path``.

    Returns:
        Whether there was something, and it is gone.
    """
    try:
        waiting_path(path.resolve()).unlink()
    except OSError:
        return False  # none, mostly; else the next change tells why
    return True


def private_mode(path: Path) -> int:
    """Return the bits of the mode that a file with passwords in it may have.

    They are its owner's alone, and its group may read it where that is the service's.
    """
    with contextlib.suppress(OSError, KeyError):  # none yet, or a group without a name
        if path.group() == _OWN_GROUP:
            return 0o640
    return _NEW_MODE


def _guard_like(path: Path, fd: int, allowed_mode: int) -> None:
    try:
        former = path.stat()
    except FileNotFoundError:
        return
    # Without the right to give a file away it becomes ours, which serves as well.
    with contextlib.suppress(PermissionError):
        os.fchown(fd, former.st_uid, former.st_gid)
    os.fchmod(fd, former.st_mode & allowed_mode & 0o7777)
