"""Step 6: encoded pictures out of the rings, to everybody who looks.

One `Feed` a stream. While somebody looks it sleeps on its place's eventfd, takes the
newest picture out of the slot once, and has its viewers look; all of them send the same
bytes. A viewer holds no picture of its own: it asks for the newest when its socket has
room, so a slow one skips, and a stalled one costs one part in one socket buffer.

Whether a picture may still be shown is decided at the last moment, right before it is
sent, by `may_show`: between its encoding and this moment the configuration may have
come to ask for more, or the picture may have become too old.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections import Counter
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.control.encoded import copy_out
from ooblexd.control.renditions import WantedRenditions
from ooblexd.control.ring_tap import RingTap
from ooblexd.counters import DemandWord, Watching
from ooblexd.frame import Verdict, may_show
from ooblexd.renditions import AS_IT_IS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ooblexd.commands import AttachReader
    from ooblexd.control.encoded import EncodedPicture
    from ooblexd.control.readings import StreamPages
    from ooblexd.renditions import Rendition
    from ooblexd.ring import RingReader

logger = logging.getLogger(__name__)

STALLED_S = 30.0
PEER_COMES_NS = 15 * NS_PER_S  # from its offer to its place among the viewers
FRESH_NS = NS_PER_S  # what a viewer that connects may be shown at once
COVER_AFTER_S = 1.5  # five frames of a slow camera
_REFUSED = (  # what is no answer yet, until so many seconds after the question
    (frozenset({Verdict.HELD, Verdict.COVERED}), COVER_AFTER_S),
    (frozenset({Verdict.HELD}), math.inf),
)


class Viewer(Protocol):
    """One who looks at a feed."""

    @property
    def watching(self) -> Watching | None:
        """By what it watches until it leaves; None of one who is not counted."""

    def look(self) -> None:
        """Look at the feed: it has a new picture, or has closed."""

    def end_if_stalled(self, now_ns: int) -> None:
        """End if it has taken nothing for `STALLED_S`; called each second."""


class _Waiter:
    """A viewer who waits for one picture.

    Attributes:
        seen: Ring sequence of the last picture it looked at.
    """

    watching = None

    def __init__(self, feed: Feed, rendition: Rendition) -> None:
        self.seen = feed.fresh_from(monotonic_ns())
        self._feed = feed
        self._rendition = rendition
        self._wake = asyncio.Event()

    async def picture(self) -> EncodedPicture | None:
        """Return the newest picture that was not seen, waiting for one.

        Returns:
            None when the stream is gone or the daemon stops.
        """
        while not self._feed.is_closed:
            picture = self._feed.picture_since(self.seen)
            if picture is not None:
                self.seen = picture.sequence
            if picture is not None and picture.jpeg_as(self._rendition) is not None:
                return picture
            self._wake.clear()
            await self._wake.wait()
        return None

    def look(self) -> None:
        """Look again."""
        self._wake.set()

    def end_if_stalled(self, now_ns: int) -> None:
        """Do nothing: how long it waits is limited."""


class Feed:
    """The pictures of one stream, and who looks at them.

    Attributes:
        name: Of the stream.
        pages: Where its numbers stand; None until the supervisor has said so.
        picture: The newest one taken; None before the first.
        is_closed: The stream is gone; nobody waits for it any more.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.pages: StreamPages | None = None
        self.picture: EncodedPicture | None = None
        self.is_closed = False
        self._tap = RingTap(self._drain_ring)
        self._demand_fds: list[int] = []
        self._viewers: set[Viewer] = set()
        self._renditions = WantedRenditions()
        self._is_damaged = False

    @property
    def has_ring(self) -> bool:
        """Whether there is anything that pictures could come out of."""
        return self._tap.reader is not None

    def attach(self, message: AttachReader, segment: int, wake_fd: int) -> None:
        """Read a new segment from now on, after what the former one had shown.

        Raises:
            RingError: It is not the ring that the message describes.
        """
        self._tap.attach(message, segment, wake_fd)

    def set_pages(self, pages: StreamPages) -> None:
        """Take where the stream's numbers stand, and say there who looks."""
        self.pages = pages
        self._publish_demand()

    def set_demand(self, wake_fds: list[int]) -> None:
        """Take the eventfds that wake inference and output; they are the feed's now."""
        self._close_demand()
        self._demand_fds = wake_fds
        self._publish_demand()

    def close(self) -> None:
        """End: viewers leave, and the ring and its descriptors are given back."""
        self.is_closed = True
        self._have_viewers_look()
        self._viewers.clear()
        self._write_demand()
        self._tap.close()
        self._close_demand()
        self.pages = None  # they may soon be another stream's

    @contextmanager
    def joined(self, viewer: Viewer) -> Iterator[None]:
        """Have ``viewer`` among those who look; demand rises and falls with it."""
        is_first = not self._lasting_viewers()
        self._viewers.add(viewer)
        self._write_demand()
        if is_first:  # else they are awake
            self.wake_workers()
        self._tap.open()
        try:
            yield
        finally:
            self._viewers.discard(viewer)
            self._write_demand()
            if not self._viewers:
                self._tap.shut()

    @contextmanager
    def rendered(self, rendition: Rendition) -> Iterator[None]:
        """Have pictures made in a smaller form as well.

        Raises:
            ProblemError: 503 where others want all that there may be.
        """
        if rendition == AS_IT_IS:
            yield
            return
        try:
            with self._renditions.wanted(rendition, self.name):
                self._publish_demand()
                yield
        finally:
            self._write_demand()

    async def picture_after(
        self, at_ns: int, within_s: float, rendition: Rendition = AS_IT_IS
    ) -> EncodedPicture | None:
        """Return a picture encoded after ``at_ns`` that may be shown and is not held.

        Args:
            at_ns: Monotonic time.
            within_s: How long it is waited for.
            rendition: The form that it must be there in; it is `rendered`.

        A cover is an answer only where nothing better comes within ``COVER_AFTER_S``: a
        chain that was idle covers its first frames.

        Returns:
            None where none came in time, or the stream went away.
        """
        if self.pages is not None:
            until_ns = at_ns + int(within_s * NS_PER_S)
            self.pages.demand.words[DemandWord.JPEG_WANTED_UNTIL_NS] = until_ns
        waiter = _Waiter(self, rendition)
        seen = waiter.seen
        with self.joined(waiter):
            for refused, until_s in _REFUSED:
                waiter.seen = seen
                left_s = min(until_s, within_s) - (monotonic_ns() - at_ns) / NS_PER_S
                with suppress(asyncio.TimeoutError):
                    first = self._first_after(waiter, at_ns, refused)
                    return await asyncio.wait_for(first, max(left_s, 0))
            return None

    def expect_peer(self) -> None:
        """Have the stream work for somebody who is about to watch by WebRTC."""
        if self.pages is not None:
            until_ns = monotonic_ns() + PEER_COMES_NS
            self.pages.demand.words[DemandWord.PEER_WANTED_UNTIL_NS] = until_ns
        self.wake_workers()

    def picture_since(self, seen: int) -> EncodedPicture | None:
        """Return the newest picture, if it came after that of sequence ``seen``."""
        picture = self.picture
        return picture if picture is not None and picture.sequence > seen else None

    def may_show(self, picture: EncodedPicture) -> bool:
        """Say whether ``picture`` may be sent at this very moment."""
        pages = self.pages
        if pages is None:
            return False
        return may_show(
            picture.header, pages.required_revision, pages.max_age_ns, monotonic_ns()
        )

    def fresh_from(self, now_ns: int) -> int:
        """Return what a new viewer has seen: all but a picture of the last second."""
        reader = self._tap.reader
        if reader is not None:
            self._drain_ring(reader)  # nothing else tells those who look already
        picture = self.picture
        if picture is None:
            return reader.seen if reader else 0
        is_fresh = now_ns - picture.encoded_ns < FRESH_NS
        return picture.sequence - 1 if is_fresh else picture.sequence

    def count(self, watching: Watching, *, passed: int) -> None:
        """Count a picture that a viewer takes and those that it passed over."""
        if self.pages is not None:
            words = self.pages.demand.words
            words[DemandWord.VIEWER_FRAMES + watching] += 1
            words[DemandWord.VIEWER_DROPPED + watching] += max(passed, 0)

    def tick(self, now_ns: int) -> None:
        """Do what is due each second: end viewers that have stalled for too long."""
        for viewer in tuple(self._viewers):
            viewer.end_if_stalled(now_ns)

    async def _first_after(
        self, waiter: _Waiter, at_ns: int, refused: frozenset[Verdict]
    ) -> EncodedPicture | None:
        while (picture := await waiter.picture()) is not None:
            is_new = picture.encoded_ns >= at_ns
            is_wanted = picture.header.verdict not in refused
            if is_new and is_wanted and self.may_show(picture):
                return picture
        return None

    def _drain_ring(self, reader: RingReader) -> None:
        if self._take_newest(reader):
            self._have_viewers_look()

    def _take_newest(self, reader: RingReader) -> bool:
        lent = reader.newest()
        if lent is None:
            return False
        with lent:
            try:
                self.picture = copy_out(lent)
            except ValueError as exc:
                self._report_damage(exc)
                return False
        return True

    def _report_damage(self, exc: ValueError) -> None:
        if not self._is_damaged:
            self._is_damaged = True
            logger.error("[stream %s] skips what is no picture: %s", self.name, exc)

    def _have_viewers_look(self) -> None:
        for viewer in tuple(self._viewers):
            viewer.look()

    def _lasting_viewers(self) -> int:
        return sum(viewer.watching is not None for viewer in self._viewers)

    def _publish_demand(self) -> None:
        self._write_demand()
        self.wake_workers()

    def _write_demand(self) -> None:
        if self.pages is not None:
            words = self.pages.demand.words
            by = Counter(viewer.watching for viewer in self._viewers)
            for watching in Watching:
                words[DemandWord.VIEWERS + watching] = by[watching]
            row = self._renditions.row(is_wanted=not self.is_closed)
            for place, key in enumerate(row, DemandWord.RENDITIONS):
                words[place] = key

    def wake_workers(self) -> None:
        """Have those begin who sleep while nobody looks."""
        for fd in self._demand_fds:
            with suppress(BlockingIOError):  # it is full of wake-ups already
                os.eventfd_write(fd, 1)

    def _close_demand(self) -> None:
        for fd in self._demand_fds:
            os.close(fd)
        self._demand_fds = []
