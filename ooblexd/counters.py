"""Counters and histograms: one page a (stream, stage, worker), one writer each.

The supervisor makes the pages and keeps them while workers come and go, so that a
counter never goes back. The stage that owns a page writes it frame by frame with plain
stores; `control` reads it for ``/metrics`` and for the state of a stream. Dropped
frames are counted by whoever reads, from gaps in the sequence, never computed.
"""

from __future__ import annotations

import enum
from bisect import bisect_left
from typing import TYPE_CHECKING

from ooblexd.clock import NS_PER_S, monotonic_ns

if TYPE_CHECKING:
    from ooblexd.board import Page

BUCKETS_S = (
    0.001, 0.0025, 0.005, 0.010, 0.015, 0.020, 0.030, 0.040, 0.050, 0.075,
    0.100, 0.150, 0.200, 0.300, 0.500, 0.750, 1.0, 1.5, 2.5, 5.0, 10.0,
)  # fmt: skip # upper bounds in seconds; the last bucket, above them, has none
_BUCKETS_NS = tuple(int(bound * NS_PER_S) for bound in BUCKETS_S)
_BUCKET_COUNT = len(BUCKETS_S) + 1


class DropReason(enum.IntEnum):
    """Why a frame was discarded."""

    PASSED_OVER = 0  # a newer one was there
    STALE = 1  # older than max_age_ms
    RATE = 2  # above max_fps
    NO_ROOM = 3  # larger than the slots, and no memory for larger ones
    IDLE = 4  # nobody looks


class SourceState(enum.IntEnum):
    """What ingest says of its source."""

    STARTING = 0
    RUNNING = 1
    DOWN = 2
    WAITING = 3  # nobody sends, and nobody has to


class PushState(enum.IntEnum):
    """What output says of a push."""

    NONE = 0  # there is none
    CONNECTING = 1
    RUNNING = 2
    WAITING = 3  # lost, or never there; tried again soon
    FAILED = 4  # refused, or tried in vain for long; tried again now and then


class PushWord(enum.IntEnum):
    """The words of one push on its stream's page of pushes; its text is the reason."""

    WHICH = 0  # of `pushes.url.number_of`
    STATE = 1
    SINCE_NS = 2
    SENT = 3  # pictures
    DROPPED = 4  # pictures that it was too slow for, or that might not be shown then


PUSH_WORDS = 8  # from one push to the next


class StageWord(enum.IntEnum):
    """The words of a stage's page; its text is the reason of the state."""

    FRAMES_IN = 0
    FRAMES_OUT = 1
    FAILED = 2
    COVERED = 3
    SOUND_NS = 4  # when the source was heard last; ingest's page alone
    SOUND_CODEC = 5  # an `audio.AudioCodec`; likewise
    DROPPED = 8  # one word a `DropReason`
    STATE = 16
    STATE_SINCE_NS = 17
    LAST_FRAME_NS = 18
    WIDTH = 19
    HEIGHT = 20
    REVISION = 21  # of the chain that runs
    MAX_AGE_NS = 22
    FAILING_SINCE_NS = 23  # 0: the chain runs as it should
    PEERS = 26  # who watch by WebRTC; output's page alone
    PEER_FRAMES = 27  # pictures that were sent to them
    PEER_DROPPED = 28  # and those that were not, though they watched
    PUSHES = 29  # how many it is to push to; likewise
    IS_IDLE = 25  # 1: nobody wants the frames, see `stages.idle`
    CALL = 24  # the effect being called, see `stages.calls`; 0 between
    RETURN_UNTIL_NS = 30  # who publishes wants the pictures back; ingest's page alone
    RETURN_KEYFRAMES = 31  # how often it has asked for one
    AGE = 32  # a histogram: sum in ns, then the buckets
    DURATION = 64  # likewise
    ENDS = 96  # eight rows of three words, see `stages.calls`
    DETECTED = 128  # one word a `detection.Label`; inference's page alone


class StreamWord(enum.IntEnum):
    """The words of a stream's page, written by the supervisor."""

    REVISION = 0  # of the newest configuration
    REQUIRED_REVISION = 1  # what a frame must have passed to be shown


class DemandWord(enum.IntEnum):
    """The words of a stream's demand page, written by control."""

    JPEG_WANTED_UNTIL_NS = 1
    PEER_WANTED_UNTIL_NS = 4  # somebody is about to watch by WebRTC
    VIDEO_WANTED_UNTIL_NS = 5  # H.264 by the video ring
    KEYFRAMES_ASKED = 6  # how often somebody asked that reads it
    TS_FRAMES = 8  # sent to those who pull MPEG-TS
    TS_DROPPED = 9  # those that somebody was too slow for
    MP4_FRAMES = 10  # likewise of MP4
    MP4_DROPPED = 11
    RTSP_FRAMES = 12  # and of those who play by RTSP
    RTSP_DROPPED = 13
    VIEWERS = 16  # a row a `Watching`
    VIEWER_FRAMES = 24
    VIEWER_DROPPED = 32  # frames that some viewer passed over
    RENDITIONS = 40  # a row of `renditions.Rendition.key`; 0 is none


class Watching(enum.IntEnum):
    """By what somebody watches as JPEGs; places in rows of words."""

    MJPEG = 0
    WEBSOCKET = 1


def jpeg_viewers(words: memoryview) -> int:
    """Return how many watch as JPEGs, off the words of a stream's demand page."""
    return sum(words[DemandWord.VIEWERS + watching] for watching in Watching)


class StageCounters:
    """The writing side of a stage's page, owned by the stage's loop."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._words = page.words

    def add(self, word: StageWord, count: int = 1) -> None:
        """Add ``count`` to ``word``."""
        self._words[word] += count

    def set(self, word: StageWord, value: int) -> None:
        """Write ``value`` to ``word``."""
        self._words[word] = value

    def value(self, word: StageWord) -> int:
        """Return what stands in ``word``."""
        return self._words[word]

    def drop(self, reason: DropReason, count: int = 1) -> None:
        """Count ``count`` discarded frames."""
        self._words[StageWord.DROPPED + reason] += count

    def detect(self, label: int, count: int = 1) -> None:
        """Count what was found in a picture that was passed on.

        Args:
            label: A `ooblexd.detection.Label`.
            count: Of such things.
        """
        self._words[StageWord.DETECTED + label] += count

    def observe(self, word: StageWord, duration_ns: int) -> None:
        """Add one observation to the histogram that starts at ``word``."""
        bucket = bisect_left(_BUCKETS_NS, duration_ns)
        self._words[word] += max(duration_ns, 0)
        self._words[word + 1 + bucket] += 1

    def report(self, state: SourceState, reason: str = "") -> None:
        """Write the state and its reason; the time stands while the state does."""
        if (
            self._words[StageWord.STATE] != state
            or not (self._words[StageWord.STATE_SINCE_NS])
        ):
            self._words[StageWord.STATE_SINCE_NS] = monotonic_ns()
        self._page.write_text(reason)
        self._words[StageWord.STATE] = state


class Histogram:
    """A snapshot of a histogram.

    Attributes:
        counts: Observations a bucket of ``BUCKETS_S``, and above, not cumulative.
        sum_s: Of all observations, in seconds.
    """

    def __init__(self, counts: tuple[int, ...], sum_s: float) -> None:
        self.counts = counts
        self.sum_s = sum_s

    def since(self, earlier: Histogram) -> Histogram:
        """Return what was observed after ``earlier`` was taken."""
        pairs = zip(self.counts, earlier.counts, strict=True)
        return Histogram(tuple(a - b for a, b in pairs), self.sum_s - earlier.sum_s)

    def quantile_s(self, share: float) -> float | None:
        """Return the quantile in seconds, linear within its bucket; None if empty."""
        total = sum(self.counts)
        if total == 0:
            return None
        rank, below = share * total, 0
        for index, count in enumerate(self.counts):
            if count and below + count >= rank:
                low = BUCKETS_S[index - 1] if index else 0.0
                high = BUCKETS_S[min(index, len(BUCKETS_S) - 1)]
                return low + (high - low) * (rank - below) / count
            below += count
        return BUCKETS_S[-1]


def read_histogram(page: Page, word: StageWord) -> Histogram:
    """Take a snapshot of the histogram that starts at ``word``."""
    start = word + 1
    counts = tuple(page.words[start : start + _BUCKET_COUNT])
    return Histogram(counts, page.words[word] / NS_PER_S)
