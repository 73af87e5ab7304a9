"""A stream as control sees it, for whoever takes its H.264: no ring, real pages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ooblexd.aac import PACKET_SAMPLES, SILENCE
from ooblexd.audio import AudioCodec, AudioPacket
from ooblexd.board import Board
from ooblexd.clock import NS_PER_S, monotonic_ns
from ooblexd.control.audio_feed import AudioFeed
from ooblexd.control.readings import StreamPages
from ooblexd.control.video_feed import VideoFeed, VideoUnit
from ooblexd.counters import DemandWord, StreamWord
from ooblexd.frame import FrameHeader, PixelFormat, Verdict
from ooblexd.layout import StreamLayout

if TYPE_CHECKING:
    from tests.support.h264 import Unit


class LoneFeed:
    """A feed whose pictures the test hands over.

    Attributes:
        feed: For takers.
        audio: For listeners.
    """

    def __init__(self) -> None:
        board = Board()
        stream, demand, stage = (board.allocate() for _ in range(3))
        self.feed = VideoFeed("door", lambda: None)
        layout = StreamLayout("door", "", stream, demand, stage, stage, stage, ())
        self._pages = StreamPages(board, layout)
        self.feed.pages = self._pages
        self.audio = AudioFeed("door")
        self.audio.pages = self._pages

    def require(self, revision: int) -> None:
        """Ask for a revision from now on."""
        self._pages.stream.words[StreamWord.REQUIRED_REVISION] = revision

    def demand(self, word: DemandWord) -> int:
        """Return what control says on the demand page."""
        return self._pages.demand.words[word]


async def let_write() -> None:
    """Have the transports of this loop write what they can."""
    await asyncio.sleep(0)  # noqa: TID251 # a turn of the loop, and no pause


def video_unit(
    unit: Unit,
    size: tuple[int, int] = (320, 180),
    revision: int = 1,
    verdict: Verdict = Verdict.LIVE,
) -> VideoUnit:
    """Return a picture as the feed hands it on, captured now."""
    header = FrameHeader(
        sequence=0,
        width=size[0],
        height=size[1],
        capture_ns=monotonic_ns(),
        payload_bytes=len(unit.data),
        pixel_format=PixelFormat.H264,
        verdict=verdict,
        pts_ns=unit.pts_ns,
        revision=revision,
        is_keyframe=unit.is_keyframe,
    )
    return VideoUnit(header, unit.data)


def sound_until(
    start_ns: int, end_ns: int, revision: int = 1, channels: int = 2
) -> list[AudioPacket]:
    """Return AAC of 48 kHz that is heard within that time."""
    period_ns = PACKET_SAMPLES * NS_PER_S // 48_000
    setup = {1: "1188", 2: "1190"}[channels]
    return [
        AudioPacket(
            codec=AudioCodec.AAC,
            sample_rate=48_000,
            channels=channels,
            at_ns=at_ns,
            duration_ns=period_ns,
            setup=bytes.fromhex(setup),
            data=SILENCE[channels],
            revision=revision,
        )
        for at_ns in range(start_ns, end_ns, period_ns)
    ]
