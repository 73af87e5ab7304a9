"""Whether anybody wants the pictures of a stream, and the descriptor that tells of it.

Control counts who looks by HTTP on the stream's demand page, output who watches by
WebRTC on its own. Control sees both come, and then writes to one eventfd for each
worker that sleeps while nobody does: one eventfd, one sleeper, since whoever reads it
first takes the wake-up from all others. What does not come from viewers is asked for by
the plan: an effect with ``runs_unwatched`` (it counts or alerts) works all the time,
and so does all of a stream that is pushed, which output says on its page.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from ooblexd.counters import DemandWord, StageWord, jpeg_viewers
from ooblexd.renditions import MOST_RENDITIONS, of_key

if TYPE_CHECKING:
    from ooblexd.board import Page
    from ooblexd.renditions import Rendition


class Demand:
    """The demand for one stream, as one worker sees it.

    Args:
        page: Control's.
        output_page: Of the stream's output, which knows who watches by WebRTC.
        ingest_page: Of its ingest, which knows whether who publishes watches.
        wake_fd: The worker's own eventfd; closed by `close`.

    Attributes:
        wake_fd: Readable once demand may have risen.
    """

    def __init__(
        self, page: Page, output_page: Page, ingest_page: Page, wake_fd: int
    ) -> None:
        self._words = page.words
        self._output = output_page.words
        self._ingest = ingest_page.words
        self.wake_fd = wake_fd

    def is_watched(self, now_ns: int) -> bool:
        """Say whether anybody looks now, and take the wake-ups that said so.

        Whoever sleeps after a no is woken by the next viewer.
        """
        with suppress(BlockingIOError):  # none came
            os.eventfd_read(self.wake_fd)
        return self.is_there(now_ns)

    def is_there(self, now_ns: int) -> bool:
        """Say whether anybody looks now, for threads that nothing wakes."""
        return (
            self.wants_jpeg(now_ns)
            or self.wants_video(now_ns)
            or self._output[StageWord.PEERS] > 0
            or self._output[StageWord.PUSHES] > 0
            or self._words[DemandWord.PEER_WANTED_UNTIL_NS] > now_ns
        )

    def wants_video(self, now_ns: int) -> bool:
        """Say whether anybody wants H.264 off the video ring."""
        return (
            self._words[DemandWord.VIDEO_WANTED_UNTIL_NS] > now_ns
            or self._ingest[StageWord.RETURN_UNTIL_NS] > now_ns
        )

    @property
    def keyframes_asked(self) -> int:
        """How often those who read the video ring have asked for one."""
        by_control = self._words[DemandWord.KEYFRAMES_ASKED]
        return by_control + self._ingest[StageWord.RETURN_KEYFRAMES]

    def wants_jpeg(self, now_ns: int) -> bool:
        """Say whether anybody looks at JPEGs by HTTP."""
        return (
            jpeg_viewers(self._words) > 0
            or self._words[DemandWord.JPEG_WANTED_UNTIL_NS] > now_ns
        )

    def renditions(self) -> tuple[Rendition, ...]:
        """Return the smaller forms that somebody wants."""
        row = range(DemandWord.RENDITIONS, DemandWord.RENDITIONS + MOST_RENDITIONS)
        return tuple(of_key(key) for word in row if (key := self._words[word]))

    def close(self) -> None:
        """Close the eventfd."""
        os.close(self.wake_fd)
