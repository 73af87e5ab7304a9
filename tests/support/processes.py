"""Waiting for what other processes do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_PAUSE_S = 0.01


def eventually(condition: Callable[[], bool], within_s: float = 5.0) -> None:
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
