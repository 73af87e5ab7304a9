"""Reading what the kernel tells in files, some of which are not there on every box."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def read_text(path: Path) -> str:
    """Return the text of a file; empty where it is not there or not ours to read."""
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def read_line(path: Path) -> str:
    """Return the first line of a file, without white space; empty as above."""
    return read_text(path).partition("\n")[0].strip()


def read_number(path: Path) -> int | None:
    """Return the number that a file holds; None where it holds none (``max``)."""
    line = read_line(path)
    return int(line) if line.lstrip("-").isdigit() else None


def cgroup_folder(root: Path, process: str = "self") -> Path:
    """Return the folder of a process's control group, version 2.

    In a container it is the root of what is mounted, as a name within is not seen.
    """
    mounted = root / "sys/fs/cgroup"
    for line in read_text(root / "proc" / process / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers and (mounted / path.lstrip("/")).is_dir():
            return mounted / path.lstrip("/")
    return mounted


def cgroup_limits(root: Path, name: str, process: str = "self") -> list[str]:
    """Return a setting of a process's control group and of those around it."""
    mounted, folder = root / "sys/fs/cgroup", cgroup_folder(root, process)
    around = [folder, *folder.parents]
    folders = around[: around.index(mounted) + 1] if mounted in around else [folder]
    lines = [read_line(one / name) for one in folders]
    return [line for line in lines if line]


def mib(n_bytes: float) -> str:
    """Return a size in MiB or GiB, for people."""
    size = n_bytes / (1 << 20)
    return f"{size:.0f} MiB" if size < 1024 else f"{size / 1024:.1f} GiB"  # noqa: PLR2004 # MiB in a GiB
