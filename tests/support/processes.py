"""Waiting for what other processes do."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_PAUSE_S = 0.01


def eventually(condition: Callable[[], bool], within_s: float = 20.0) -> None:
    """Return once ``condition`` holds; the only loop of the tests with a pause.

    Raises:
        AssertionError: It did not hold within ``within_s`` seconds.
    """
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(_PAUSE_S)  # noqa: TID251 # the one pause that all tests share


def has_ended(process: Path) -> bool:
    """Say whether the process of this folder in ``/proc`` is gone, or as good as."""
    try:
        return "\nState:\tZ" in (process / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


class Held(NamedTuple):
    """What a process holds of the memory between workers.

    Attributes:
        rings: Mapped segments.
        ring_fds: Descriptors of segments.
        eventfds: Descriptors that wake somebody.
    """

    rings: int
    ring_fds: int
    eventfds: int


def held_by(pid: int) -> Held:
    """Return what process ``pid`` holds now."""
    proc = Path(f"/proc/{pid}")
    rings = set(re.findall(r"/ooblexd-\w+", (proc / "maps").read_text()))
    links = []
    for fd in (proc / "fd").iterdir():
        with suppress(FileNotFoundError):  # a connection that ends meanwhile
            links.append(str(fd.readlink()))
    ring_fds = sum("/ooblexd-" in link for link in links)
    return Held(len(rings), ring_fds, links.count("anon_inode:[eventfd]"))
