"""A copy of the configuration file as it last could be used.

It lies in the state folder, one for each configuration file, readable by its owner
alone, and is what the daemon runs when it is started with a file that it cannot use.
Loads nothing.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ooblexd.config.replacing import (
    digest_of,
    read_content,
    sync_folder,
    waiting_path,
    write_beside,
)
from ooblexd.config.state import state_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MOST_COPIES = 8  # of as many configuration files
_ONLY_OWNER = 0o700


def last_good_path(config_path: Path, environ: Mapping[str, str]) -> Path:
    """Return where the copy of the file at ``config_path`` lies, or will."""
    which = hashlib.sha256(str(config_path.absolute()).encode()).hexdigest()[:12]
    folder = state_folder(environ) / "last-good"
    return folder / f"{config_path.stem}-{which}{config_path.suffix}"


def keep_last_good(config_path: Path, digest: str, environ: Mapping[str, str]) -> bool:
    """Copy the file, if it still is the one that runs; the former copy is replaced.

    Args:
        config_path: The file.
        digest: Of the content that runs, see `replacing.digest_of`.
        environ: The environment variables.

    Returns:
        Whether the copy is there now; False where the file was edited since.

    Raises:
        OSError: The copy cannot be written; the former one stands.
    """
    content = read_content(config_path)
    if content is None or digest_of(content) != digest:
        return False
    kept = last_good_path(config_path, environ)
    if digest_of(read_content(kept)) == digest:
        return True
    kept.parent.mkdir(mode=_ONLY_OWNER, parents=True, exist_ok=True)
    write_beside(kept, content)
    waiting_path(kept).replace(kept)
    sync_folder(kept.parent)
    _forget_oldest(kept.parent)
    return True


def _forget_oldest(folder: Path) -> None:
    """Keep few copies: passwords are in them, and files are tried and given up."""
    copies = sorted(folder.iterdir(), key=lambda one: one.stat().st_mtime_ns)
    for copy in copies[:-MOST_COPIES]:
        copy.unlink(missing_ok=True)
