"""When a frame is analysed: before it leaves, or beside the video.

An effect asks its `Analysis` at each frame and gets what is new. The two modes of the
configuration are the two classes here; an effect does not know which it has.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from ooblexd.clock import NS_PER_MS
from ooblexd.errors import EngineError
from ooblexd.pixels import copy_planes, new_planes

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.pixels import Planes

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

OLDEST_MS = 500
"""An analysis older than this no longer says anything about the picture."""

_CLOSE_WITHIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Sighting(Generic[T_co]):
    """What an analysis says about one frame.

    Attributes:
        result: Of the analysis.
        at_ns: Capture time of the frame that was analysed.
        size: Its width and height, in pixels.
    """

    result: T_co
    at_ns: int
    size: tuple[int, int]


class Analysis(Protocol[T_co]):
    """Analyses the frames of one stream; asked by one thread."""

    def look(self, planes: Planes, at_ns: int) -> Sighting[T_co] | None:
        """Return what is new since the last call, or nothing.

        Args:
            planes: The frame that is to be shown; read during the call only.
            at_ns: Its capture time.

        Raises:
            EngineError: The analysis failed or is too old.
        """
        ...

    def close(self) -> None:
        """End the analysis; a second call does nothing."""
        ...


class EveryFrame(Generic[T]):
    """Analyses each frame before it leaves."""

    def __init__(self, analyse: Callable[[Planes], T]) -> None:
        self._analyse = analyse

    def look(self, planes: Planes, at_ns: int) -> Sighting[T]:
        """See `Analysis.look`."""
        return Sighting(self._analyse(planes), at_ns, (planes.width, planes.height))

    def close(self) -> None:
        """See `Analysis.close`."""


class Beside(Generic[T]):
    """Analyses beside the video, in one thread, at the rate the hardware gives.

    Whenever the thread is free it takes the frame of the day; the frames between are
    not analysed. A failed analysis is raised by the next `look` and the thread goes on.

    Of a source so slow that the newest analysis is too old at each frame, the frame's
    own analysis is waited for, but never longer than `OLDEST_MS`.
    """

    def __init__(
        self, analyse: Callable[[Planes], T], oldest_ms: int = OLDEST_MS
    ) -> None:
        self._analyse = analyse
        self._oldest_ms = oldest_ms
        self._changed = threading.Condition()
        self._picture = new_planes(2, 2)
        self._todo_ns: int | None = None
        self._new: Sighting[T] | None = None
        self._failure: EngineError | None = None
        self._newest_ns: int | None = None
        self._is_closed = False
        self._thread = threading.Thread(target=self._work, name="analysis", daemon=True)
        self._thread.start()

    def look(self, planes: Planes, at_ns: int) -> Sighting[T] | None:
        """See `Analysis.look`."""
        with self._changed:
            self._raise_failure()
            if self._todo_ns is None:
                self._hand_over(planes, at_ns)
            if self._is_stale(at_ns):
                self._changed.wait_for(
                    lambda: self._failure is not None or not self._is_stale(at_ns),
                    self._oldest_ms / 1000,
                )
                self._raise_failure()
            if self._is_stale(at_ns):
                raise EngineError(
                    f"the newest analysis is more than {self._oldest_ms} ms old"
                )
            new, self._new = self._new, None
            return new

    def close(self) -> None:
        """See `Analysis.close`."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join(_CLOSE_WITHIN_S)

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise EngineError(str(failure)) from failure
        if not self._thread.is_alive():
            raise EngineError("the analysis has ended")

    def _is_stale(self, at_ns: int) -> bool:
        """Say whether the newest analysis is too old; the first may take its time."""
        if self._newest_ns is None:
            return False
        return at_ns - self._newest_ns > self._oldest_ms * NS_PER_MS

    def _hand_over(self, planes: Planes, at_ns: int) -> None:
        """Give the thread a copy of the frame: the caller goes on to change it."""
        if self._picture.y.shape != planes.y.shape:
            self._picture = new_planes(planes.width, planes.height)
        copy_planes(planes, self._picture)
        self._todo_ns = at_ns
        self._changed.notify_all()

    def _work(self) -> None:
        while (at_ns := self._taken()) is not None:
            picture = self._picture
            try:
                result = self._analyse(picture)
            except EngineError as exc:
                self._finish(None, exc)
            else:
                size = picture.width, picture.height
                self._finish(Sighting(result, at_ns, size), None)

    def _taken(self) -> int | None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._todo_ns is not None)
            return None if self._is_closed else self._todo_ns

    def _finish(self, new: Sighting[T] | None, failure: EngineError | None) -> None:
        with self._changed:
            self._todo_ns = None
            self._failure = failure
            if new is not None:
                self._new, self._newest_ns = new, new.at_ns
            self._changed.notify_all()
