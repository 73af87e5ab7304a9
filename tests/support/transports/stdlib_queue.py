"""``multiprocessing.Queue``: a thread that pickles, a pipe, and a lock at each end."""

from __future__ import annotations

import multiprocessing
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

    from tests.support.transports import Picture


class StdlibQueue:
    """A queue of one picture, so that nothing older is ever waiting.

    A sender that is faster waits. Pictures travel as ``bytes``, which pickle copies
    once less than arrays.
    """

    def __init__(self, picture_bytes: int) -> None:
        del picture_bytes
        self._queue = multiprocessing.get_context("fork").Queue(maxsize=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._queue.close()

    @contextmanager
    def sender(self) -> Iterator[Callable[[Picture], None]]:
        """Copy into an object that the queue's thread may pickle later."""
        yield lambda picture: self._queue.put(picture.tobytes())
        self._queue.close()
        self._queue.join_thread()

    @contextmanager
    def receiver(self) -> Iterator[Callable[[Picture], None]]:
        """Copy out of what was unpickled."""

        def receive(picture: Picture) -> None:
            np.copyto(picture, np.frombuffer(self._queue.get(), np.uint8))

        yield receive
