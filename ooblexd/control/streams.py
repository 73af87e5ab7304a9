"""The streams as the supervisor laid them out: feeds, numbers, states."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, NamedTuple

from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.commands import RingKind
from ooblexd.control.audio_feed import AudioFeed
from ooblexd.control.feeds import FRESH_NS, Feed
from ooblexd.control.intake import Intake
from ooblexd.control.pushes import carried_by, read_pushes
from ooblexd.control.readings import (
    Picture,
    StreamPages,
    StreamState,
    Verdict,
    read_worker,
)
from ooblexd.control.video_feed import VideoFeed
from ooblexd.counters import DemandWord, Watching
from ooblexd.errors import RingError
from ooblexd.heartbeat import WorkerWord, is_overdue
from ooblexd.plan import parse_stream_plan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ooblexd.board import Board
    from ooblexd.commands import (
        AttachReader,
        AttachWriter,
        SlotsRefused,
    )
    from ooblexd.control.pushes import PushReading
    from ooblexd.control.readings import WorkerReading
    from ooblexd.layout import Layout
    from ooblexd.plan import StreamPlan

logger = logging.getLogger(__name__)

SUPERVISOR_OVERDUE_NS = 3 * NS_PER_S


class _Stream(NamedTuple):
    pages: StreamPages
    plan: StreamPlan


class Streams:
    """All streams; it takes what the supervisor says (`link.Subscriber`).

    Args:
        board: All pages.
        supervisor_page: The page with the supervisor's promise.

    Attributes:
        laid_out: Set once it is known which streams there are.
        is_closed: The web server ends.
    """

    def __init__(self, board: Board, supervisor_page: int) -> None:
        self.laid_out = asyncio.Event()
        self.is_closed = False
        self._board = board
        self._supervisor = board.page(supervisor_page)
        self._streams: dict[str, _Stream] = {}
        self._workers: dict[str, int] = {}
        self._feeds: dict[str, Feed] = {}
        self._videos: dict[str, VideoFeed] = {}
        self._audios: dict[str, AudioFeed] = {}
        self._intakes: dict[str, Intake] = {}

    def layout_changed(self, layout: Layout) -> None:
        """Take where all pages are; a stream that is not named is gone."""
        self._workers = {worker.name: worker.page for worker in layout.workers}
        former, self._streams = self._streams, {}
        for stream in layout.streams:
            known = former.get(stream.name)
            if known is not None and known.pages.take(stream):
                pages = known.pages  # with the numbers of the last seconds
            else:
                pages = StreamPages(self._board, stream)
            self._streams[stream.name] = _Stream(pages, parse_stream_plan(stream.plan))
            self._feed_of(stream.name).set_pages(pages)
            self._video_of(stream.name).pages = pages
            self._audio_of(stream.name).pages = pages
            if not self._streams[stream.name].plan.takes_uploads:
                self._end_intake(stream.name)
        for name in former.keys() - self._streams.keys():
            self._end_feed(name)
            self._end_intake(name)
        self.laid_out.set()

    def attach(self, message: AttachReader, segment: int, wake: int) -> None:
        """Read a ring of a stream's encoded pictures, or of its sound."""
        feed: Feed | VideoFeed | AudioFeed
        match message.kind:
            case RingKind.VIDEO.value:
                feed = self._video_of(message.stream)
            case RingKind.AUDIO.value:
                feed = self._audio_of(message.stream)
            case _:
                feed = self._feed_of(message.stream)
        try:
            feed.attach(message, segment, wake)
        except RingError:
            os.close(wake)
            logger.exception("[stream %s] cannot read its ring", message.stream)

    def attach_uploads(self, message: AttachWriter, fds: list[int]) -> None:
        """Write a stream's ring of uploads."""
        intake = self._intakes.setdefault(message.stream, Intake(message.stream))
        try:
            intake.attach(message, fds)
        except RingError:
            logger.exception("[stream %s] cannot write its ring", message.stream)

    def refuse_uploads(self, message: SlotsRefused) -> None:
        """Tell those whose pictures are too large that there is no memory."""
        if message.stream in self._intakes:
            self._intakes[message.stream].refuse(message.reason)

    def set_demand(self, stream: str, wakes: list[int]) -> None:
        """Take the eventfds that wake a stream's workers."""
        self._feed_of(stream).set_demand(wakes)

    def forget(self, stream: str) -> None:
        """End the viewers of a stream and close its ring; it may yet come back."""
        self._end_feed(stream)
        self._end_intake(stream)

    def close(self) -> None:
        """End all viewers, and take nothing more."""
        self.is_closed = True
        for name in tuple(self._feeds):
            self._end_feed(name)
        for name in tuple(self._intakes):
            self._end_intake(name)

    def tick(self, now_ns: int) -> None:
        """Do what is due each second."""
        for stream in self._streams.values():
            stream.pages.sample(now_ns)
        for feed in self._feeds.values():
            feed.tick(now_ns)
        for video in self._videos.values():
            video.say_demand(now_ns)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all streams, in the order of the configuration."""
        return tuple(self._streams)

    @property
    def enabled(self) -> tuple[str, ...]:
        """The names of those that are not switched off."""
        return tuple(n for n in self._streams if self._streams[n].plan.enabled)

    @property
    def started_ns(self) -> int:
        """Monotonic time at which the daemon started."""
        return self._supervisor.words[WorkerWord.STATE_SINCE_NS]

    def without_memory(self) -> dict[str, str]:
        """Return why, by the name of each enabled stream that got no shared memory."""
        lacking = [name for name in self.enabled if not self._feed_of(name).has_ring]
        verdicts = {name: self.judge(name) for name in lacking}
        return {
            name: verdict.reason
            for name, verdict in verdicts.items()
            if verdict.state == StreamState.DOWN and not self._lacks_port(name)
        }

    def _lacks_port(self, name: str) -> bool:
        listening = self._streams[name].plan.listening
        reason = self.judge(name).reason
        return listening is not None and str(listening.place) in reason

    def feed(self, name: str) -> Feed | None:
        """Return a stream's feed; None where there is no such stream."""
        return self._feeds.get(name) if name in self._streams else None

    def video(self, name: str) -> VideoFeed | None:
        """Return a stream's H.264; None where there is no such stream."""
        return self._videos.get(name) if name in self._streams else None

    def audio(self, name: str) -> AudioFeed | None:
        """Return a stream's sound; None where there is no such stream."""
        return self._audios.get(name) if name in self._streams else None

    def viewers(self, name: str) -> dict[str, int]:
        """Return how many watch a stream that exists, by protocol."""
        pages, video = self.pages(name), self._videos.get(name)
        by_video = video.viewers if video else {}
        words = pages.demand.words
        return {
            **{
                watching.name.lower(): words[DemandWord.VIEWERS + watching]
                for watching in Watching
            },
            "webrtc": pages.peers,
            **{
                protocol: by_video.get(protocol, 0)
                for protocol in ("hls", "ts", "mp4", "rtsp")
            },
        }

    def intake(self, name: str) -> Intake | None:
        """Return where a stream's uploads go in; None where there is no way in."""
        return self._intakes.get(name)

    def pages(self, name: str) -> StreamPages:
        """Return the pages of a stream that exists."""
        return self._streams[name].pages

    def plan(self, name: str) -> StreamPlan:
        """Return what a stream that exists runs by; it holds its credentials."""
        return self._streams[name].plan

    def pushes(self, name: str) -> list[PushReading]:
        """Return how the pushes of a stream that exists are."""
        stream = self._streams[name]
        if not stream.plan.enabled:
            return []
        readings = read_pushes(stream.plan, stream.pages.pushes)
        for worker in self.workers(stream.pages.layout.workers):
            if worker.name.startswith("output:"):
                readings = [carried_by(worker, reading) for reading in readings]
        return readings

    def workers(self, names: Iterable[str] | None = None) -> list[WorkerReading]:
        """Read the workers ``names``, or all."""
        wanted = self._workers if names is None else names
        return [
            read_worker(self._board, name, self._workers[name])
            for name in wanted
            if name in self._workers
        ]

    def worker_page(self, name: str) -> int:
        """Return the page of a worker that exists."""
        return self._workers[name]

    def judge(self, name: str) -> Verdict:
        """Say what a stream that exists does, and what its viewers see."""
        stream = self._streams[name]
        verdict = stream.pages.judge(
            self.workers(stream.pages.layout.workers), is_enabled=stream.plan.enabled
        )
        if verdict.state != StreamState.RUNNING:
            return verdict
        return verdict._replace(picture=self._shown(name) or verdict.picture)

    def is_idle(self, name: str) -> bool:
        """Say whether a stream that exists could be live, but nobody looks."""
        verdict = self.judge(name)
        is_live = verdict.state == StreamState.RUNNING
        is_live = is_live and verdict.picture == Picture.LIVE
        return is_live and self._streams[name].pages.is_idle

    def is_supervisor_overdue(self, now_ns: int) -> bool:
        """Say whether the supervisor has outlived its promise by three seconds."""
        return is_overdue(self._supervisor.words[0] + SUPERVISOR_OVERDUE_NS, now_ns)

    def _shown(self, name: str) -> Picture | None:
        feed = self._feeds.get(name)
        picture = feed.picture if feed else None
        if picture is None or monotonic_ns() - picture.encoded_ns > FRESH_NS:
            return None
        return Picture(picture.header.verdict.name.lower())

    def _feed_of(self, name: str) -> Feed:
        if name not in self._feeds:
            self._feeds[name] = Feed(name)
        return self._feeds[name]

    def _video_of(self, name: str) -> VideoFeed:
        if name not in self._videos:
            self._videos[name] = VideoFeed(name, self._feed_of(name).wake_workers)
        return self._videos[name]

    def _audio_of(self, name: str) -> AudioFeed:
        return self._audios.setdefault(name, AudioFeed(name))

    def _end_intake(self, name: str) -> None:
        intake = self._intakes.pop(name, None)
        if intake is not None:
            intake.close()

    def _end_feed(self, name: str) -> None:
        feed = self._feeds.pop(name, None)
        if feed is not None:
            feed.close()
        video = self._videos.pop(name, None)
        if video is not None:
            video.close()
        audio = self._audios.pop(name, None)
        if audio is not None:
            audio.close()
