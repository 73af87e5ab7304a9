"""H.264 out of the video rings, picture by picture, to everybody who muxes it.

One `VideoFeed` a stream, asleep while nobody takes anything. What it hands on is whole:
each picture in its order, and after a gap nothing before the next keyframe. Who takes
pictures asks `may_show` once more right before they leave, since they may lie for a
while.
"""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.control.ring_tap import RingTap, in_order
from ooblexd.counters import DemandWord
from ooblexd.frame import HEADER_BYTES, PixelFormat, unpack_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ooblexd.commands import AttachReader
    from ooblexd.control.readings import StreamPages
    from ooblexd.frame import FrameHeader
    from ooblexd.ring import Lent

logger = logging.getLogger(__name__)

_WANTED_NS = 3 * NS_PER_S  # said again each second


@dataclass(frozen=True, slots=True)
class VideoUnit:
    """One picture as H.264.

    Attributes:
        header: Its ledger and verdict; `pts_ns` always grows, and `is_keyframe` says
            whether one can begin here.
        data: An access unit, Annex B.
    """

    header: FrameHeader
    data: bytes


class Taker(Protocol):
    """One who takes every picture of a stream."""

    def take(self, unit: VideoUnit) -> None:
        """Take a picture, in the event loop; must not block."""

    def end(self) -> None:
        """End: the stream is gone, or control stops."""


class VideoFeed:
    """The H.264 of one stream, and who takes it.

    Args:
        name: Of the stream.
        wake_workers: Called when somebody begins to take pictures.

    Attributes:
        name: As given.
        pages: Where its numbers stand; None until the supervisor has said so.
        viewers: How many watch what takers make of it, by protocol; they keep it true.
    """

    def __init__(self, name: str, wake_workers: Callable[[], None]) -> None:
        self.name = name
        self.pages: StreamPages | None = None
        self.viewers: Counter[str] = Counter()
        self._wake_workers = wake_workers
        self._tap = RingTap(in_order(self._hand_on))
        self._takers: set[Taker] = set()
        self._behind: set[Taker] = set()  # who waits for a keyframe

    @property
    def required_revision(self) -> int:
        """What a picture must have passed to be shown now."""
        return self.pages.required_revision if self.pages else 1 << 62

    def attach(self, message: AttachReader, segment: int, wake_fd: int) -> None:
        """Read a new segment from now on.

        Raises:
            RingError: It is not the ring that the message describes.
        """
        self._behind = set(self._takers)
        self._tap.attach(message, segment, wake_fd)

    @contextmanager
    def joined(self, taker: Taker) -> Iterator[None]:
        """Have ``taker`` get every picture from the next keyframe on."""
        is_first = not self._takers
        self._takers.add(taker)
        self._behind.add(taker)
        self.ask_keyframe()
        self.say_demand(monotonic_ns())
        if is_first:
            self._tap.pass_over()
            self._wake_workers()
        self._tap.open()
        try:
            yield
        finally:
            self._takers.discard(taker)
            self._behind.discard(taker)
            self.say_demand(monotonic_ns())
            if not self._takers:
                self._tap.shut()

    def ask_keyframe(self) -> None:
        """Have one of the next pictures be decodable by itself."""
        if self.pages is not None:
            self.pages.demand.words[DemandWord.KEYFRAMES_ASKED] += 1

    def say_demand(self, now_ns: int) -> None:
        """Say on the board whether anybody takes pictures; due each second."""
        if self.pages is not None:
            until_ns = now_ns + _WANTED_NS if self._takers else 0
            self.pages.demand.words[DemandWord.VIDEO_WANTED_UNTIL_NS] = until_ns

    def close(self) -> None:
        """End: the takers are told, and the ring is given back."""
        for taker in tuple(self._takers):
            taker.end()
        self._takers.clear()
        self._behind.clear()
        self.say_demand(monotonic_ns())
        self._tap.close()
        self.pages = None  # they may soon be another stream's

    def _hand_on(self, lent: Lent) -> None:
        if lent.passed:
            self._behind = set(self._takers)
            self.ask_keyframe()
        try:
            unit = _copy_out(lent)
        except ValueError as error:
            logger.error("[stream %s] skips what is no H.264: %s", self.name, error)
            return
        if unit.header.is_keyframe:
            self._behind.clear()
        for taker in tuple(self._takers - self._behind):
            taker.take(unit)


def _copy_out(lent: Lent) -> VideoUnit:
    header = unpack_header(lent.memory)
    if header.pixel_format != PixelFormat.H264:
        raise ValueError(f"expected H.264, found {header.pixel_format.name}")
    end = HEADER_BYTES + header.payload_bytes
    return VideoUnit(header, bytes(lent.memory[HEADER_BYTES:end]))
