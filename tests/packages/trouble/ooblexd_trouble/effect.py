"""Goes wrong in the way that it was told."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ooblexd.effects import EffectContext, FrameTime
    from ooblexd.pixels import Planes
    from ooblexd.plan import EffectPlan

_LIBC = ctypes.CDLL(None)
_FILES = 1024


class Trouble:
    """Whitens the picture, until it goes wrong."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._how: str = parameters["how"]
        self._after: int = parameters["after"]
        self._whitens: bool = parameters["whitens"]
        self._told_by: str = parameters["told_by"]
        self._notes: str = parameters["notes"]
        self._frames = 0

    def apply(self, planes: Planes, at: FrameTime) -> bool:
        """Do it."""
        if self._notes:
            age_ns = time.monotonic_ns() - at.capture_ns
            with Path(self._notes).open("a") as notes:
                notes.write(f"{age_ns}\n")
        if self._whitens:
            planes.y.fill(235)
        self._frames += 1
        if self._frames > self._after and at.sequence >= 0:
            how = self._told() or self._how
            if how == "memory":  # what a process lacks once it lacks for good
                self._how = how
            _go_wrong(how)
        return True

    def _told(self) -> str:
        if not self._told_by:
            return ""
        try:
            told = Path(self._told_by).read_text()
        except FileNotFoundError:
            return ""
        Path(self._told_by).unlink()
        return told

    def close(self) -> None:
        """Nothing was started."""


def _go_wrong(how: str) -> None:
    match how:
        case "raise":
            raise RuntimeError("as told")
        case "exit":
            sys.exit(3)
        case "slow":
            _LIBC.usleep(300_000)
        case _:
            _never_return(how)
            _end(how)
            _use_up(how)


def _never_return(how: str) -> None:
    match how:
        case "sleep":  # in C, where no signal handler of Python's comes through
            while True:
                _LIBC.sleep(3600)
        case "spin":
            while True:
                pass


def _end(how: str) -> None:
    match how:
        case "segfault":
            ctypes.string_at(0)
        case "engine":  # as a runtime crashes: in a thread of its own
            crashing = threading.Thread(target=ctypes.string_at, args=(0,))
            crashing.start()
            crashing.join()
        case "quit":
            os._exit(0)


def _use_up(how: str) -> None:
    match how:
        case "memory":  # and every effect after it has none either
            taken = int(Path("/proc/self/statm").read_text().split()[0])
            limit = taken * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            raise MemoryError
        case "descriptors":  # as many as many a machine grants, not a million
            resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, _FILES))
            with contextlib.suppress(OSError):
                while True:
                    os.open("/dev/null", os.O_RDONLY)


def build(plan: EffectPlan, context: EffectContext) -> Trouble:
    """Return the effect."""
    del context
    return Trouble(plan.parameters)
