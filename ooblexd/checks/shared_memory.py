"""The file system of the rings: without it there is no stream at all."""

from __future__ import annotations

import os
from pathlib import Path

from ooblexd.checks import Finding, fail, ok, warn
from ooblexd.checks.files import mib
from ooblexd.errors import RingError
from ooblexd.ring import RingSpec, create_segment

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 # where POSIX shared memory lies
_LEAST_BYTES = 16 << 20
_CONTAINERS_BYTES = 64 << 20  # what Docker gives where it is not told
_GROW = "sudo mount -o remount,size=50% /dev/shm"


def check_shared_memory(folder: Path = SHARED_MEMORY) -> Finding:
    """Judge whether there is shared memory, and some of it left."""
    try:
        found = os.statvfs(folder)
    except OSError as exc:
        remedy = f"sudo mount -t tmpfs -o size=50% tmpfs {folder}"
        return fail("shm", f"{folder}: {(exc.strerror or '').lower()}", remedy)
    free_bytes = found.f_bavail * found.f_frsize
    if found.f_blocks and free_bytes < _LEAST_BYTES:
        return warn("shm", f"{mib(free_bytes)} free in {folder}", _GROW)
    return ok("shm", f"{mib(free_bytes)} free in {folder}")


def try_segment() -> list[Finding]:
    """Make a small ring, as each stream does; nothing is told where that works."""
    try:
        create_segment(RingSpec.newest_only(slot_bytes=4096, readers=1)).close()
    except (RingError, OSError) as error:
        why = (error.strerror or "").lower() if isinstance(error, OSError) else error
        text = f"shared memory cannot be made in {SHARED_MEMORY}: {why}"
        return [fail("shm", text, f"{_GROW},rw,mode=1777")]
    return []


def check_room(
    needed_bytes: int, advised_bytes: int, *, folder: Path = SHARED_MEMORY
) -> Finding:
    """Judge shared memory against what the streams need.

    Args:
        needed_bytes: To begin with, at 1280x720; 0 where they have it already.
        advised_bytes: Were all of them 1920x1080.
        folder: Where it lies.
    """
    first = check_shared_memory(folder)
    if first.text.endswith("directory") or needed_bytes == 0:
        return first
    found = os.statvfs(folder)
    size_bytes, free_bytes = (
        blocks * found.f_frsize for blocks in (found.f_blocks, found.f_bavail)
    )
    text = f"{mib(free_bytes)} of {mib(size_bytes)} free in {folder}; "
    remedy = _GROW
    if size_bytes <= _CONTAINERS_BYTES:
        remedy = (
            "in a container: docker run --shm-size=512m, or `shm_size: 512m` in "
            f"compose; else {_GROW}"
        )
    if not size_bytes or free_bytes >= max(advised_bytes, _LEAST_BYTES):
        return ok("shm", f"{text}the streams need {mib(needed_bytes)}")
    if free_bytes < needed_bytes:
        return fail("shm", f"{text}the streams need {mib(needed_bytes)}", remedy)
    enough = f"enough for 1280x720, not for 1920x1080 ({mib(advised_bytes)})"
    return warn("shm", f"{text}{enough}", remedy)
