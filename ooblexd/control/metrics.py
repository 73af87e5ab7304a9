"""``/metrics``: what the board counts, under the names that dashboards rely on.

A collector reads the pages at each scrape. There is no state here and no multiprocess
directory: the numbers outlive the workers that count them because the pages do.
"""

from __future__ import annotations

import itertools
import platform
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)

from ooblexd._version import __version__
from ooblexd.counters import (
    BUCKETS_S,
    DemandWord,
    DropReason,
    PushState,
    SourceState,
    StageWord,
    Watching,
    read_histogram,
)
from ooblexd.detection import Label
from ooblexd.heartbeat import WorkerState, WorkerWord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.metrics_core import Metric

    from ooblexd.board import Board, Page
    from ooblexd.control.requests import RequestCounts
    from ooblexd.control.streams import Streams

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BOUNDS = (*(f"{bound:g}" for bound in BUCKETS_S), "+Inf")
_STAGE = ("stream", "stage")
_VIEWER = ("stream", "protocol")
_PUSH = ("stream", "push")
_VIEWER_WORDS = {
    **{
        watching.name.lower(): (
            DemandWord.VIEWER_FRAMES + watching,
            DemandWord.VIEWER_DROPPED + watching,
        )
        for watching in Watching
    },
    "ts": (DemandWord.TS_FRAMES, DemandWord.TS_DROPPED),
    "mp4": (DemandWord.MP4_FRAMES, DemandWord.MP4_DROPPED),
    "rtsp": (DemandWord.RTSP_FRAMES, DemandWord.RTSP_DROPPED),
}


class BoardCollector:
    """Reads the board for prometheus_client, at each scrape.

    Args:
        board: All pages.
        streams: Which there are.
        requests: Answers of the API.
    """

    def __init__(self, board: Board, streams: Streams, requests: RequestCounts) -> None:
        self._board = board
        self._streams = streams
        self._requests = requests

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics as they are now."""
        yield from self._sources()
        yield self._detections()
        yield from self._stages()
        yield from self._histograms()
        yield from self._viewers()
        yield from self._pushes()
        yield from self._workers()
        yield self._http()
        build = GaugeMetricFamily(
            "ooblexd_build_info", "Always 1.", labels=("version", "python")
        )
        build.add_metric((__version__, platform.python_version()), 1)
        yield build

    def _sources(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            "ooblexd_source_up", "Whether the source delivers.", labels=("stream",)
        )
        covered = CounterMetricFamily(
            "ooblexd_covered_frames",
            "Frames of which only a cover could be shown.",
            labels=("stream",),
        )
        for name in self._streams.names:
            stages = self._streams.pages(name).stages
            state = stages["ingest"].words[StageWord.STATE]
            up.add_metric((name,), state == SourceState.RUNNING)
            # Each counts its own: where the chain failed, and where nothing came.
            made = (stages[s].words[StageWord.COVERED] for s in ("inference", "output"))
            covered.add_metric((name,), sum(made))
        yield from (up, covered)

    def _detections(self) -> Metric:
        family = CounterMetricFamily(
            "ooblexd_detections",
            "Things that effects have found, in each picture that they passed on.",
            labels=("stream", "label"),
        )
        for name in self._streams.names:
            words = self._streams.pages(name).stages["inference"].words
            for label in Label:
                count = words[StageWord.DETECTED + label]
                family.add_metric((name, label.name.lower()), count)
        return family

    def _stages(self) -> Iterator[Metric]:
        received = CounterMetricFamily(
            "ooblexd_frames_received", "Frames a stage has met.", labels=_STAGE
        )
        done = CounterMetricFamily(
            "ooblexd_frames", "Frames a stage has passed on.", labels=_STAGE
        )
        failed = CounterMetricFamily(
            "ooblexd_frames_failed", "Frames a stage could not work on.", labels=_STAGE
        )
        dropped = CounterMetricFamily(
            "ooblexd_frames_dropped",
            "Frames a stage has discarded.",
            labels=(*_STAGE, "reason"),
        )
        for labels, page in self._pages():
            received.add_metric(labels, page.words[StageWord.FRAMES_IN])
            done.add_metric(labels, page.words[StageWord.FRAMES_OUT])
            failed.add_metric(labels, page.words[StageWord.FAILED])
            for reason in DropReason:
                count = page.words[StageWord.DROPPED + reason]
                dropped.add_metric((*labels, reason.name.lower()), count)
        yield from (received, done, failed, dropped)

    def _histograms(self) -> Iterator[Metric]:
        age = HistogramMetricFamily(
            "ooblexd_frame_age_seconds",
            "Age of a frame when the stage was done with it.",
            labels=_STAGE,
        )
        duration = HistogramMetricFamily(
            "ooblexd_stage_duration_seconds",
            "How long the stage worked on a frame.",
            labels=_STAGE,
        )
        for labels, page in self._pages():
            _add_histogram(age, labels, page, StageWord.AGE)
            _add_histogram(duration, labels, page, StageWord.DURATION)
        yield from (age, duration)

    def _viewers(self) -> Iterator[Metric]:
        viewers = GaugeMetricFamily(
            "ooblexd_viewers", "Who looks at the stream.", labels=_VIEWER
        )
        sent = CounterMetricFamily(
            "ooblexd_viewer_frames", "Frames taken for viewers.", labels=_VIEWER
        )
        dropped = CounterMetricFamily(
            "ooblexd_viewer_frames_dropped",
            "Frames that a viewer was too slow for.",
            labels=_VIEWER,
        )
        for name in self._streams.names:
            for protocol, count in self._streams.viewers(name).items():
                viewers.add_metric((name, protocol), count)
            words = self._streams.pages(name).demand.words
            for protocol, (frames, lost) in _VIEWER_WORDS.items():
                sent.add_metric((name, protocol), words[frames])
                dropped.add_metric((name, protocol), words[lost])
            by_webrtc = (name, "webrtc")
            output = self._streams.pages(name).stages["output"].words
            sent.add_metric(by_webrtc, output[StageWord.PEER_FRAMES])
            dropped.add_metric(by_webrtc, output[StageWord.PEER_DROPPED])
        yield from (viewers, sent, dropped)

    def _pushes(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            "ooblexd_push_up", "Whether pictures reach it.", labels=_PUSH
        )
        sent = CounterMetricFamily(
            "ooblexd_push_frames", "Frames sent by a push.", labels=_PUSH
        )
        dropped = CounterMetricFamily(
            "ooblexd_push_frames_dropped",
            "Frames that a push was too slow for, or that might not be shown then.",
            labels=_PUSH,
        )
        for name in self._streams.names:
            for push in self._streams.pushes(name):
                labels = (name, push.name)
                up.add_metric(labels, push.state == PushState.RUNNING)
                sent.add_metric(labels, push.sent)
                dropped.add_metric(labels, push.dropped)
        yield from (up, sent, dropped)

    def _workers(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            "ooblexd_worker_up", "Whether the worker runs.", labels=("worker",)
        )
        restarts = CounterMetricFamily(
            "ooblexd_worker_restarts", "How often it was replaced.", labels=("worker",)
        )
        resident = GaugeMetricFamily(
            "ooblexd_worker_resident_bytes",
            "Memory of the worker, shared pages by share.",
            labels=("worker",),
        )
        for worker in self._streams.workers():
            labels = (worker.name,)
            words = self._board.page(self._streams.worker_page(worker.name)).words
            up.add_metric(labels, worker.state == WorkerState.UP)
            restarts.add_metric(labels, words[WorkerWord.RESTARTS])
            resident.add_metric(labels, words[WorkerWord.PSS_BYTES])
        yield from (up, restarts, resident)

    def _http(self) -> Metric:
        family = CounterMetricFamily(
            "ooblexd_http_requests",
            "Answers by route template.",
            labels=("method", "path", "status"),
        )
        for line in self._requests.read():
            family.add_metric((line.method, line.path, line.status), line.answers)
        return family

    def _pages(self) -> Iterable[tuple[tuple[str, str], Page]]:
        for name in self._streams.names:
            for stage, page in self._streams.pages(name).stages.items():
                yield (name, stage), page


def format_metrics(collector: BoardCollector) -> bytes:
    """Return all metrics in the text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry)


def _add_histogram(
    family: HistogramMetricFamily, labels: tuple[str, str], page: Page, word: StageWord
) -> None:
    histogram = read_histogram(page, word)
    cumulative = itertools.accumulate(histogram.counts)
    family.add_metric(
        labels, list(zip(_BOUNDS, cumulative, strict=True)), histogram.sum_s
    )
