"""Step 4b: pictures to those who watch by WebRTC, encoded once for all of them.

Nothing of it is there before the first of them comes: neither the thread nor the
library, which takes 40 MB. An encoder lives as long as somebody decodes what it makes.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ooblexd.clock import NS_PER_MS, NS_PER_S, monotonic_ns
from ooblexd.encoders.video import VideoEncoder, usual_bit_rate
from ooblexd.errors import EncoderError, ThreadHungError
from ooblexd.frame import Matrix, Step, Verdict
from ooblexd.pixels import copy_planes, new_planes, planes_of
from ooblexd.webrtc.exchange import EncodedUnit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ooblexd.commands import Signal, Signalled
    from ooblexd.encoders.video import VideoCodec
    from ooblexd.frame import FrameHeader
    from ooblexd.pixels import Planes
    from ooblexd.webrtc.thread import PeersThread

logger = logging.getLogger(__name__)

_KEYFRAME_EVERY_NS = 500 * NS_PER_MS  # at most, however many ask
_LEAST_SHARE = 4  # of the usual bit rate; who can receive less has pauses
_WORTHWHILE_SHARE = 5  # a smaller change of the bit rate is none
_USUAL_FPS = 30.0
_INTERVALS = 16  # of which the mean is taken, roughly


class VideoOutput:
    """The peers of one stream and the encoders that serve them.

    Args:
        may_show: Says whether a picture may be sent at this very moment; called in
            another thread.
    """

    def __init__(self, may_show: Callable[[FrameHeader], bool]) -> None:
        self._may_show = may_show
        self._thread: PeersThread | None = None
        self._encoders: dict[VideoCodec, VideoEncoder] = {}
        self._keyframe_ns: dict[VideoCodec, int] = {}
        self._shown: tuple[FrameHeader, Planes] | None = None
        self._interval_ns = 0.0  # between pictures, as it has been of late
        self._named: set[str] = set()

    @property
    def viewers(self) -> int:
        """How many watch."""
        return self._thread.wishes.viewers if self._thread else 0

    @property
    def wake_fds(self) -> tuple[int, ...]:
        """Readable once `turn` has something to do."""
        return (self._thread.wake_fd,) if self._thread else ()

    def obey(self, signal: Signal) -> None:
        """Have a peer answered; the answer comes by `turn`."""
        if self._thread is None:
            from ooblexd.webrtc.thread import PeersThread  # noqa: PLC0415 # asyncio

            self._thread = PeersThread(self._may_show)
        self._thread.obey(signal)

    def turn(self, now_ns: int) -> list[Signalled]:
        """Do what the peers wish for, and return the answers that are due.

        Raises:
            ThreadHungError: Theirs does.
        """
        if self._thread is None:
            return []
        if self._thread.is_hung:
            raise ThreadHungError("WebRTC")
        answers = self._thread.answers()
        codecs = self._thread.wishes.codecs
        for codec in self._encoders.keys() - codecs:
            del self._encoders[codec]
        if not codecs:
            self._shown = None
        elif self._shown is not None:
            header, planes = self._shown
            for codec in codecs:
                if self._is_keyframe_due(codec, now_ns):
                    self._encode(codec, header, planes, now_ns)
        return answers

    def show(self, header: FrameHeader, planes: Planes) -> None:
        """Encode a picture for all who watch.

        Args:
            header: Its own; says whether it may be shown when its turn has come.
            planes: Not used after the return.
        """
        if self._thread is None or not self._thread.wishes.codecs:
            return
        now_ns = monotonic_ns()
        self._note_interval(header)
        self._keep(header, planes)
        for codec in self._thread.wishes.codecs:
            self._encode(codec, header, planes, now_ns)

    def show_jpeg(self, header: FrameHeader, jpeg: NDArray[np.uint8]) -> None:
        """Encode a cover, a slate or a held picture, which are JPEGs."""
        if self._thread is None or not self._thread.wishes.codecs:
            return
        bgr = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
        assert bgr is not None, "output made it"
        height, width = bgr.shape[0] & ~1, bgr.shape[1] & ~1
        i420 = cv2.cvtColor(bgr[:height, :width], cv2.COLOR_BGR2YUV_I420)
        planes = planes_of(np.ascontiguousarray(i420, np.uint8), width, height)
        like = replace(header, full_range=False, matrix=Matrix.BT601)
        self.show(like.stamped(Step.ENCODED, monotonic_ns()), planes)

    def close(self) -> None:
        """End all connections."""
        if self._thread is not None:
            self._thread.close()

    def _note_interval(self, header: FrameHeader) -> None:
        """Learn how far apart the source's pictures are."""
        before = self._shown[0] if self._shown else None
        if before is None or header.verdict is not Verdict.LIVE:
            return
        interval_ns = header.capture_ns - before.capture_ns
        if before.verdict is Verdict.LIVE and 0 < interval_ns < NS_PER_S:
            self._interval_ns = self._interval_ns or interval_ns
            self._interval_ns += (interval_ns - self._interval_ns) / _INTERVALS

    def _keep(self, header: FrameHeader, planes: Planes) -> None:
        shown = self._shown
        size = (planes.width, planes.height)
        kept = shown[1] if shown and (shown[1].width, shown[1].height) == size else None
        kept = kept or new_planes(*size)
        copy_planes(planes, kept)
        self._shown = (header, kept)

    def _is_keyframe_due(self, codec: VideoCodec, now_ns: int) -> bool:
        assert self._thread is not None
        is_early = now_ns - self._keyframe_ns.get(codec, 0) < _KEYFRAME_EVERY_NS
        return self._thread.wishes.wants_keyframe(codec) and not is_early

    def _encode(
        self, codec: VideoCodec, header: FrameHeader, planes: Planes, now_ns: int
    ) -> None:
        assert self._thread is not None
        fps = NS_PER_S / self._interval_ns if self._interval_ns else _USUAL_FPS
        usual = usual_bit_rate(planes.width, planes.height, fps)
        encoder = self._encoders.setdefault(codec, VideoEncoder(codec, usual))
        encoder.fps = fps
        estimate = self._thread.wishes.estimate or usual
        wanted = min(max(estimate, usual // _LEAST_SHARE), usual)
        if abs(wanted - encoder.bit_rate) > encoder.bit_rate // _WORTHWHILE_SHARE:
            encoder.bit_rate = wanted
        try:
            packets = encoder.encode(
                planes,
                max(header.capture_ns, now_ns - NS_PER_S),
                full_range=header.full_range,
                matrix=header.matrix,
                is_keyframe=self._is_keyframe_due(codec, now_ns),
            )
        except EncoderError:
            logger.exception("%s cannot be encoded", codec.value)
            return
        if encoder.name not in self._named:
            self._named.add(encoder.name)
            logger.info("%s is encoded by %s", codec.value, encoder.name)
        for packet in packets:
            if packet.is_keyframe:
                self._keyframe_ns[codec] = now_ns
                self._thread.wishes.keyframe_made(codec)
            self._thread.deliver(codec, EncodedUnit(header, packet))
