"""Step 6: H.264 on its way into a connection, picture by picture, and sound.

What the socket has no room for waits in a short queue; each picture is asked for once
more right before it leaves, and if one may not, or too many wait, all go, and the next
is a keyframe.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from ooblexd.clock import NS_PER_MS, NS_PER_S, monotonic_ns
from ooblexd.control.feeds import STALLED_S
from ooblexd.frame import may_show

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from ooblexd.control.video_feed import VideoFeed
    from ooblexd.counters import DemandWord
    from ooblexd.frame import FrameHeader

MOST_WAITING = 64  # pictures; they become too old much earlier
MOST_WAITING_BYTES = 4 << 20
_ASK_EVERY_NS = 500 * NS_PER_MS


class Counts(NamedTuple):
    """Where pictures are counted.

    Attributes:
        frames: Those sent.
        dropped: Those that viewers were too slow for.
    """

    frames: DemandWord
    dropped: DemandWord


class Waiting(NamedTuple):
    """A picture that waits for room.

    Attributes:
        header: Its verdict and revision.
        data: To be sent.
        held_ns: How long its container itself has held it back.
    """

    header: FrameHeader
    data: bytes
    held_ns: int = 0


class Sounding(NamedTuple):
    """Sound that waits for room.

    Attributes:
        revision: What it has passed.
        data: To be sent.
        samples: When it begins, counted from where the track does.
    """

    revision: int
    data: bytes
    samples: int = 0


class Outlet:
    """Writes pictures, and sound beside them, to a connection, while that keeps up.

    Args:
        feed: Whose pictures.
        counts: Where they are counted.
        transport: Of the connection.
        dress: Makes of what waits what is written, right before it is.

    Attributes:
        is_behind: It waits for a keyframe.
    """

    def __init__(
        self,
        feed: VideoFeed,
        counts: Counts,
        transport: asyncio.Transport,
        dress: Callable[[Waiting | Sounding], bytes],
    ) -> None:
        self.is_behind = True
        self._feed = feed
        self._counts = counts
        self._transport = transport
        self._dress = dress
        self._waiting: deque[Waiting | Sounding] = deque()
        self._asked_ns = 0
        self._blocked_since_ns = 0
        transport.set_write_buffer_limits(high=0)  # as MJPEG, for the same reason

    def admits(self, header: FrameHeader) -> bool:
        """Say whether a picture can follow what was sent; else it is dropped."""
        if self.is_behind and not header.is_keyframe:
            self._count(self._counts.dropped)
            self._ask_keyframe()
            return False
        self.is_behind = False
        return True

    def put(self, piece: Waiting | Sounding) -> None:
        """Have a picture or sound sent, once `look` finds room."""
        self._waiting.append(piece)

    def look(self) -> None:
        """Send what waits, as far as there is room and it may be shown."""
        now_ns = monotonic_ns()
        while self._waiting and not self._transport.is_closing():
            if self._transport.get_write_buffer_size():
                self._wait_for_room(now_ns)
                return
            piece = self._waiting.popleft()
            if isinstance(piece, Sounding):
                if piece.revision >= self._feed.required_revision:
                    self._transport.write(self._dress(piece))
                continue
            if not self._may_show(piece):
                self._skip(1 + self._pictures)
                return
            self._transport.write(self._dress(piece))
            self._count(self._counts.frames)
        self._blocked_since_ns = 0

    def end(self) -> None:
        """Drop the connection of who would not read the end."""
        if self._transport.get_write_buffer_size():
            self._transport.abort()  # who did not read a picture would not read the end

    @property
    def _pictures(self) -> int:
        return sum(isinstance(piece, Waiting) for piece in self._waiting)

    def _may_show(self, picture: Waiting) -> bool:
        pages = self._feed.pages
        if pages is None:
            return False
        max_age_ns = pages.max_age_ns + picture.held_ns
        now_ns = monotonic_ns()
        return may_show(picture.header, pages.required_revision, max_age_ns, now_ns)

    def _wait_for_room(self, now_ns: int) -> None:
        self._blocked_since_ns = self._blocked_since_ns or now_ns
        if now_ns - self._blocked_since_ns > STALLED_S * NS_PER_S:
            self._transport.abort()
        waiting_bytes = sum(len(piece.data) for piece in self._waiting)
        is_much = waiting_bytes > MOST_WAITING_BYTES
        if is_much or self._pictures > MOST_WAITING:
            self._skip(self._pictures)

    def _skip(self, pictures: int) -> None:
        """Go on with the next keyframe."""
        self._count(self._counts.dropped, pictures)
        self._waiting.clear()
        self.is_behind = True
        self._ask_keyframe()

    def _ask_keyframe(self) -> None:
        now_ns = monotonic_ns()
        if now_ns - self._asked_ns >= _ASK_EVERY_NS:
            self._asked_ns = now_ns
            self._feed.ask_keyframe()

    def _count(self, word: DemandWord, pictures: int = 1) -> None:
        if self._feed.pages is not None:
            self._feed.pages.demand.words[word] += pictures
