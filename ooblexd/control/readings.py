"""What the board says of a stream, read once a second and kept for ten.

The rates and ages of a `StreamReading` are over that window, or since frames last began
to pass: a stream at which somebody begins to look is not slow because it has rested.
What the numbers mean for a person (running, down, and why) is decided by pure functions
at the end.
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from ooblexd.clock import NS_PER_MS, NS_PER_S, monotonic_ns
from ooblexd.counters import (
    DropReason,
    Histogram,
    SourceState,
    StageWord,
    StreamWord,
    read_histogram,
)
from ooblexd.heartbeat import WorkerState, WorkerWord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ooblexd.board import Board, Page
    from ooblexd.layout import StreamLayout

WINDOW_S = 10
SILENT_NS = 3 * NS_PER_S  # without a frame for longer, a source is down
_STAGES = ("ingest", "inference", "output")


class StreamState(str, enum.Enum):
    """What a stream is doing, as the API says it."""

    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"
    DOWN = "down"
    FAILED = "failed"
    STOPPED = "stopped"


class Picture(str, enum.Enum):
    """What a viewer is shown, as ``X-Picture`` names it."""

    LIVE = "live"
    HELD = "held"
    COVERED = "covered"
    SLATE = "slate"


class WorkerReading(NamedTuple):
    """A worker as the supervisor knows it.

    Attributes:
        name: Such as ``ingest:door``.
        state: Of its process.
        reason: Why it ended the last time.
    """

    name: str
    state: WorkerState
    reason: str


class Verdict(NamedTuple):
    """A stream in words.

    Attributes:
        state: What it does.
        reason: Why, where that is not plain; else empty.
        picture: What a viewer sees.
    """

    state: StreamState
    reason: str
    picture: Picture


@dataclass(frozen=True, slots=True)
class Rates:
    """The window of a stream in numbers.

    Attributes:
        fps_in: Frames a second out of the source.
        fps_out: Frames a second that output has taken: live, held or covered.
        age_p50_ms: Median age of a frame at the last stage that worked; None without.
        age_p99_ms: Likewise, the 99th percentile.
    """

    fps_in: float = 0.0
    fps_out: float = 0.0
    age_p50_ms: float | None = None
    age_p99_ms: float | None = None


class _Sample(NamedTuple):
    at_ns: int
    is_at_rest: bool
    frames_in: int
    frames_out: int
    output_age: Histogram
    inference_age: Histogram


class StreamPages:
    """The pages of one stream.

    Args:
        board: All pages.
        layout: Which are this stream's.
    """

    def __init__(self, board: Board, layout: StreamLayout) -> None:
        self.layout = layout
        self.stream = board.page(layout.stream_page)
        self.demand = board.page(layout.demand_page)
        self.pushes = board.page(layout.pushes_page)
        indices = (layout.ingest_page, layout.inference_page, layout.output_page)
        self.stages: dict[str, Page] = dict(
            zip(_STAGES, map(board.page, indices), strict=True)
        )
        self._samples: deque[_Sample] = deque(maxlen=WINDOW_S + 1)

    def take(self, layout: StreamLayout) -> bool:
        """Take a layout with another plan or other workers; False of other pages."""
        if _without_plan(layout) != _without_plan(self.layout):
            return False
        self.layout = layout
        return True

    def sample(self, now_ns: int) -> None:
        """Add a moment to the window."""
        stages = self.stages
        self._samples.append(
            _Sample(
                now_ns,
                self.is_idle
                or stages["ingest"].words[StageWord.STATE] != SourceState.RUNNING,
                _delivered(stages["ingest"]),
                stages["output"].words[StageWord.FRAMES_OUT],
                read_histogram(stages["output"], StageWord.AGE),
                read_histogram(stages["inference"], StageWord.AGE),
            )
        )

    def rates(self) -> Rates:
        """Return the numbers of the window; zeros while it is empty."""
        if len(self._samples) < 2:  # noqa: PLR2004 # a rate is between two moments
            return Rates()
        first, last = self._beginning(), self._samples[-1]
        span_s = (last.at_ns - first.at_ns) / NS_PER_S
        age = last.output_age.since(first.output_age)
        if not any(age.counts):
            age = last.inference_age.since(first.inference_age)
        return Rates(
            fps_in=(last.frames_in - first.frames_in) / span_s,
            fps_out=(last.frames_out - first.frames_out) / span_s,
            age_p50_ms=_ms(age.quantile_s(0.5)),
            age_p99_ms=_ms(age.quantile_s(0.99)),
        )

    def _beginning(self) -> _Sample:
        """Return the moment since which frames pass; the oldest where none do now."""
        passing = list(
            takewhile(lambda one: not one.is_at_rest, reversed(self._samples))
        )
        if not passing:
            return self._samples[0]
        return passing[-1] if len(passing) > 1 else self._samples[-2]

    @property
    def required_revision(self) -> int:
        """What a picture must have passed to be shown; read anew each time."""
        return self.stream.words[StreamWord.REQUIRED_REVISION]

    @property
    def max_age_ns(self) -> int:
        """How old a live picture may be when it is sent."""
        return self.stages["output"].words[StageWord.MAX_AGE_NS] or NS_PER_S

    @property
    def peers(self) -> int:
        """Who watch by WebRTC."""
        return self.stages["output"].words[StageWord.PEERS]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture in pixels; zeros before the first."""
        words = self.stages["ingest"].words
        return words[StageWord.WIDTH], words[StageWord.HEIGHT]

    def dropped(self) -> int:
        """Return how many frames the stages have discarded since the start."""
        words = [StageWord.DROPPED + reason for reason in DropReason]
        return sum(page.words[w] for page in self.stages.values() for w in words)

    def dropped_idle(self) -> int:
        """Return how many of these were discarded because nobody looked."""
        word = StageWord.DROPPED + DropReason.IDLE
        return sum(page.words[word] for page in self.stages.values())

    @property
    def is_idle(self) -> bool:
        """Whether nobody looks, so that the chain of effects rests."""
        return self.stages["inference"].words[StageWord.IS_IDLE] == 1

    def last_frame_age_ns(self, now_ns: int) -> int | None:
        """Return how long ago the source delivered; None before its first frame."""
        at_ns = self.stages["ingest"].words[StageWord.LAST_FRAME_NS]
        return max(now_ns - at_ns, 0) if at_ns else None

    def down_for_ns(self, now_ns: int) -> int:
        """Return how long a source that is down has been so."""
        age_ns = self.last_frame_age_ns(now_ns)
        if age_ns is not None:
            return age_ns
        since_ns = self.stages["ingest"].words[StageWord.STATE_SINCE_NS]
        return max(now_ns - since_ns, 0)

    def judge(self, workers: Sequence[WorkerReading], *, is_enabled: bool) -> Verdict:
        """Say what the stream does."""
        if not is_enabled:
            return Verdict(StreamState.STOPPED, "switched off", Picture.SLATE)
        broken = judge_workers(workers)
        broken = broken or judge_source(self.stages["ingest"], monotonic_ns())
        return broken or judge_inference(
            self.stages["inference"], self.required_revision, workers
        )


def read_worker(board: Board, name: str, page_index: int) -> WorkerReading:
    """Read the page of a worker."""
    page = board.page(page_index)
    state = WorkerState(page.words[WorkerWord.STATE])
    return WorkerReading(name, state, page.read_text())


def judge_workers(workers: Sequence[WorkerReading]) -> Verdict | None:
    """Say what the workers of a stream make impossible; None where nothing."""
    for worker in workers:
        if worker.state == WorkerState.GIVEN_UP:
            reason = f"{worker.name} was given up: {worker.reason or 'it kept failing'}"
            return Verdict(StreamState.FAILED, reason, Picture.SLATE)
    for worker in workers:
        if worker.name.startswith("ingest:") and worker.state != WorkerState.UP:
            return Verdict(StreamState.STARTING, _restarting(worker), Picture.SLATE)
    return None


def judge_source(ingest: Page, now_ns: int) -> Verdict | None:
    """Say what ingest reports of its source; None while it delivers."""
    source = SourceState(ingest.words[StageWord.STATE])
    if source == SourceState.RUNNING:
        silent_ns = now_ns - ingest.words[StageWord.LAST_FRAME_NS]
        if silent_ns <= SILENT_NS:
            return None
        reason = f"the source delivers nothing for {silent_ns // NS_PER_S} s"
        return Verdict(StreamState.DOWN, reason, Picture.SLATE)
    reason = ingest.read_text()
    if source == SourceState.DOWN:
        return Verdict(StreamState.DOWN, reason, Picture.SLATE)
    if source == SourceState.WAITING:
        return Verdict(StreamState.WAITING, reason, Picture.SLATE)
    return Verdict(StreamState.STARTING, reason, Picture.SLATE)


def judge_inference(
    inference: Page, required_revision: int, workers: Sequence[WorkerReading]
) -> Verdict:
    """Say whether the pictures of a running stream come through its effects."""
    for worker in workers:
        if worker.name.startswith("inference:") and worker.state != WorkerState.UP:
            reason = f"covered: {_restarting(worker)}"
            return Verdict(StreamState.RUNNING, reason, Picture.COVERED)
    why = inference.read_text()
    if inference.words[StageWord.STATE] == SourceState.DOWN:
        why = why or "an effect fails"
        return Verdict(StreamState.RUNNING, f"covered: {why}", Picture.COVERED)
    if inference.words[StageWord.REVISION] < required_revision:
        reason = "covered: the effects are getting ready"
        return Verdict(StreamState.RUNNING, reason, Picture.COVERED)
    if inference.words[StageWord.FAILING_SINCE_NS]:
        reason = f"shown without an effect that fails: {why}"
        return Verdict(StreamState.RUNNING, reason, Picture.LIVE)
    return Verdict(StreamState.RUNNING, why, Picture.LIVE)


def _without_plan(layout: StreamLayout) -> StreamLayout:
    return replace(layout, plan="", workers=())


def _restarting(worker: WorkerReading) -> str:
    if worker.state == WorkerState.STARTING and not worker.reason:
        return f"{worker.name} is starting"
    why = f" ({worker.reason})" if worker.reason else ""
    return f"{worker.name} is being restarted{why}"


def _delivered(ingest: Page) -> int:
    """Return how many frames the source has given, wanted or not."""
    words = ingest.words
    return words[StageWord.FRAMES_OUT] + words[StageWord.DROPPED + DropReason.IDLE]


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * NS_PER_S / NS_PER_MS, 1)
