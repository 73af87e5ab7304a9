"""Goes wrong in the way that it was told."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ooblexd.effects import EffectContext, FrameTime
    from ooblexd.pixels import Planes
    from ooblexd.plan import EffectPlan

_LIBC = ctypes.CDLL(None)


class Trouble:
    """Whitens the picture, until it goes wrong."""

    def __init__(self, how: str, after: int) -> None:
        self._how = how
        self._after = after
        self._frames = 0

    def apply(self, planes: Planes, at: FrameTime) -> bool:
        """Do it."""
        planes.y.fill(235)
        self._frames += 1
        if self._frames > self._after and at.sequence >= 0:
            _go_wrong(self._how)
        return True

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
        case "sleep":  # in C, where no signal handler of Python's comes through
            while True:
                _LIBC.sleep(3600)
        case "spin":
            while True:
                pass
        case "segfault":
            ctypes.string_at(0)
        case "quit":
            os._exit(0)


def build(plan: EffectPlan, context: EffectContext) -> Trouble:
    """Return the effect."""
    del context
    return Trouble(plan.parameters["how"], plan.parameters["after"])
