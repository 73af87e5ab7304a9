"""Calls within a network namespace of this machine."""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Answer = TypeVar("_Answer")
_CLONE_NEWNET = 0x40000000


def inside(namespace: str, call: Callable[[], _Answer]) -> _Answer:
    """Return what ``call`` returns in a namespace; it runs in a thread.

    What it starts stays there.
    """

    def enter_and_call() -> _Answer:
        libc = ctypes.CDLL(None, use_errno=True)
        with Path(f"/run/netns/{namespace}").open() as place:
            assert libc.setns(place.fileno(), _CLONE_NEWNET) == 0
        return call()

    with ThreadPoolExecutor(1) as thread:  # which leaves the namespace by its end
        return thread.submit(enter_and_call).result()
