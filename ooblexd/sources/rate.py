"""Thins pictures out to ``max_fps``, before they are decoded where the codec allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.sources import Picture, Source
    from ooblexd.sources.options import SourceDescription

_JITTER_SHARE = 10  # a tenth of a period costs no picture of a source at just that rate


class Rate:
    """Which pictures of a source are wanted.

    Args:
        max_fps: The most that are; 0 is no limit.
        on_refused: Called by the thread that reads the source, for each other one.

    Attributes:
        max_fps: May be changed by any thread, for the pictures that follow.
    """

    def __init__(
        self, max_fps: float = 0.0, on_refused: Callable[[], None] = lambda: None
    ) -> None:
        self.max_fps = max_fps
        self._on_refused = on_refused
        self._due_ns = 0

    def admits(self, arrival_ns: int) -> bool:
        """Say whether the picture that arrived now is wanted; ask once for each."""
        max_fps = self.max_fps
        if not max_fps:
            return True
        interval_ns = int(NS_PER_S / max_fps)
        wait_ns = self._due_ns - arrival_ns
        # More than a period away, either way: the rate, or the source, was another one.
        is_from_before = abs(wait_ns) > interval_ns
        if not is_from_before and wait_ns > interval_ns // _JITTER_SHARE:
            self._on_refused()
            return False
        start_ns = arrival_ns if is_from_before else self._due_ns
        self._due_ns = start_ns + interval_ns
        return True


class Thinned:
    """A `ooblexd.sources.Source` of which only the wanted pictures are read.

    For sources that decode at no cost that matters, or know of no packets.

    Attributes:
        description: Of the source.
    """

    def __init__(self, source: Source, rate: Rate) -> None:
        self._source = source
        self._rate = rate

    @property
    def description(self) -> SourceDescription:
        """See `ooblexd.sources.Source`."""
        return self._source.description

    def read(self) -> Picture:
        """See `ooblexd.sources.Source.read`; blocks until the next one is wanted."""
        while True:
            picture = self._source.read()
            if self._rate.admits(picture.capture_ns):
                return picture

    def close(self) -> None:
        """See `ooblexd.sources.Source.close`."""
        self._source.close()
