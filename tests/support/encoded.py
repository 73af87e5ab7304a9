"""Pictures as output encodes them, offered at their pace to whoever takes them."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from ooblexd.clock import monotonic_ns
from ooblexd.encoders.video import VideoCodec, VideoEncoder
from ooblexd.frame import FrameHeader, Matrix, Step, Verdict
from ooblexd.pixels import new_planes
from ooblexd.webrtc.exchange import EncodedUnit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ooblexd.pushes.push import Push

FPS = 25


class Picture:
    """The encoder of a moving picture."""

    def __init__(self, width: int = 320, height: int = 180) -> None:
        self.size = (width, height)
        self.verdict = Verdict.LIVE
        self.revision = 1
        self._encoder = VideoEncoder(VideoCodec.H264, 500_000)
        self.count = 0

    def unit(self, *, is_keyframe: bool = False) -> EncodedUnit:
        """Return the next picture."""
        self.count += 1
        width, height = self.size
        planes = new_planes(width, height)
        planes.y[:] = np.arange(width, dtype=np.uint8) + np.uint8(self.count % 256)
        planes.u[:] = planes.v[:] = 128
        now_ns = monotonic_ns()
        (packet,) = self._encoder.encode(
            planes,
            now_ns,
            full_range=False,
            matrix=Matrix.BT709,
            is_keyframe=is_keyframe,
        )
        header = FrameHeader(
            sequence=self.count,
            width=width,
            height=height,
            capture_ns=now_ns,
            verdict=self.verdict,
            revision=self.revision,
        )
        return EncodedUnit(header.stamped(Step.ENCODED, now_ns), packet)


@contextmanager
def fed(push: Push, picture: Picture) -> Iterator[Push]:
    """Offer ``picture`` to ``push`` until left, with the keyframes that it wants."""
    is_over = threading.Event()

    def feed() -> None:
        while not is_over.wait(1 / FPS):
            if not push.is_wanting:
                continue
            is_keyframe = push.wishes.wants_keyframe(VideoCodec.H264)
            is_keyframe = is_keyframe or picture.count % FPS == 0
            push.wishes.keyframe_made(VideoCodec.H264)
            push.offer(picture.unit(is_keyframe=is_keyframe))

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield push
    finally:
        push.end()
        is_over.set()
        thread.join()
        push.join(5)
