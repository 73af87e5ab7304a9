"""Step 4b: H.264 and VP8, encoded once for all who watch or pass it on.

Those who take the pictures say what they want: viewers by WebRTC, whose thread and
library (40 MB) are not there before the first of them comes, those whom control serves
out of the video ring, and pushes. An encoder lives as long as somebody takes what it
makes.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from ooblexd.clock import NS_PER_MS, NS_PER_S, monotonic_ns
from ooblexd.encoders.video import VideoCodec, VideoEncoder, usual_bit_rate
from ooblexd.errors import EncoderError, ThreadHungError
from ooblexd.frame import Matrix, Step, Verdict
from ooblexd.pixels import copy_planes, new_planes, planes_of
from ooblexd.pushes.push import PushGate
from ooblexd.signalling import Signalled, SignalVerb
from ooblexd.stages.pushing import Pushes
from ooblexd.stages.video_ring import VideoRing
from ooblexd.webrtc.exchange import EncodedUnit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from ooblexd.audio import AudioPacket
    from ooblexd.frame import FrameHeader
    from ooblexd.pixels import Planes
    from ooblexd.signalling import PeerWish, Signal
    from ooblexd.stages.context import StageContext
    from ooblexd.stages.demand import Demand
    from ooblexd.webrtc.exchange import Wishes
    from ooblexd.webrtc.thread import PeersThread

logger = logging.getLogger(__name__)

_KEYFRAME_EVERY_NS = 500 * NS_PER_MS  # at most, however many ask
_LEAST_SHARE = 4  # of the usual bit rate; who can receive less has pauses
_WORTHWHILE_SHARE = 5  # a smaller change of the bit rate is none
_USUAL_FPS = 30.0
_GO_ON_NS = 300 * NS_PER_MS  # the loop comes round each 0.4 s
_INTERVALS = 16  # of which the mean is taken, roughly


class Taker(Protocol):
    """Whoever pictures are encoded for."""

    @property
    def wishes(self) -> Wishes:
        """What it wants now."""

    def deliver(self, codec: VideoCodec, unit: EncodedUnit) -> None:
        """Take a picture; those of a codec come in order, in one thread."""


class VideoOutput:
    """The encoders of one stream, and those who take what they make.

    Args:
        context: Of the worker.
        may_show: Says whether a picture may be sent at this very moment; called in
            another thread.
        may_hear: Likewise of sound.

    Attributes:
        ring: For those whom control serves.
        pushes: To where the owner wants the pictures.
    """

    def __init__(
        self,
        context: StageContext,
        may_show: Callable[[FrameHeader], bool],
        may_hear: Callable[[AudioPacket], bool],
    ) -> None:
        self.ring = VideoRing(context)
        self.pushes = Pushes(PushGate(may_show, may_hear))
        self._may_show = may_show
        self._may_hear = may_hear
        self._thread: PeersThread | None = None
        self._encoders: dict[VideoCodec, VideoEncoder] = {}
        self._keyframe_ns: dict[VideoCodec, int] = {}
        self._encoded_ns: dict[VideoCodec, int] = {}
        self._shown: tuple[FrameHeader, Planes] | None = None
        self._interval_ns = 0.0  # between pictures, as it has been of late
        self._named: set[str] = set()
        self._counted = (0, 0)
        self._answers: list[
            Signalled | PeerWish
        ] = []  # while there is no thread to ask

    @property
    def is_wanted(self) -> bool:
        """Whether anybody takes pictures now."""
        return bool(self._codecs())

    @property
    def viewers(self) -> int:
        """How many watch by WebRTC."""
        return self._thread.wishes.viewers if self._thread else 0

    @property
    def wake_fds(self) -> tuple[int, ...]:
        """Readable once `turn` has something to do."""
        return (self._thread.sessions.wake_fd,) if self._thread else ()

    def obey(self, signal: Signal) -> None:
        """Have a peer answered; the answer comes by `turn`."""
        if self._thread is None and signal.verb == SignalVerb.ENDINGS:
            self._answers.append(Signalled(signal.request, body="[]"))
            return
        if self._thread is None:
            from ooblexd.webrtc.thread import PeersThread  # noqa: PLC0415 # asyncio

            self._thread = PeersThread(self._may_show, self._may_hear)
        self._thread.sessions.obey(signal)

    def take_counts(self) -> tuple[int, int]:
        """Return how many pictures were sent to viewers, and dropped, since last."""
        if self._thread is None:
            return 0, 0
        sent, dropped = self._thread.wishes.sent, self._thread.wishes.dropped
        before, self._counted = self._counted, (sent, dropped)
        return sent - before[0], dropped - before[1]

    def turn(self, demand: Demand | None, now_ns: int) -> list[Signalled | PeerWish]:
        """Do what the takers wish for, and return what peers say that is due.

        Raises:
            ThreadHungError: That of the peers does.
        """
        if demand is not None:
            self.ring.heed(demand, now_ns)
        self.pushes.turn()
        said, self._answers = self._answers, []
        said += self._turn_peers()
        codecs = self._codecs()
        for codec in self._encoders.keys() - codecs:
            del self._encoders[codec]
        if not codecs:
            self._shown = None
        elif self._shown is not None:
            header, planes = self._shown
            late_ns = now_ns - int(2 * self._usual_ns)  # else the next is soon here
            for codec in codecs:
                encoded_ns = self._encoded_ns.get(codec, 0)
                is_late = encoded_ns < late_ns and self._is_keyframe_due(codec, now_ns)
                if is_late or self._is_to_go_on(header, now_ns - encoded_ns):
                    self._encode(codec, header, planes, now_ns)
        return said

    def show(self, header: FrameHeader, planes: Planes) -> None:
        """Encode a picture for all who want it.

        Args:
            header: Its own; says whether it may be shown when its turn has come.
            planes: Not used after the return.
        """
        codecs = self._codecs()
        if not codecs:
            return
        now_ns = monotonic_ns()
        self._note_interval(header)
        self._keep(header, planes)
        for codec in codecs:
            self._encode(codec, header, planes, now_ns)

    @property
    def listens(self) -> bool:
        """Whether anybody takes sound now."""
        return self.pushes.listens or self._is_watched_with_sound

    def hear(self, packet: AudioPacket) -> None:
        """Hand sound to all who listen."""
        if self._thread is not None and self._is_watched_with_sound:
            self._thread.hear(packet)
        if self.pushes.listens:
            self.pushes.hear(packet)

    @property
    def _is_watched_with_sound(self) -> bool:
        return self._thread is not None and self._thread.wishes.listens

    def show_jpeg(self, header: FrameHeader, jpeg: NDArray[np.uint8]) -> None:
        """Encode a cover, a slate or a held picture, which are JPEGs."""
        if not self.is_wanted:
            return
        bgr = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
        assert bgr is not None, "output made it"
        height, width = bgr.shape[0] & ~1, bgr.shape[1] & ~1
        i420 = cv2.cvtColor(bgr[:height, :width], cv2.COLOR_BGR2YUV_I420)
        planes = planes_of(np.ascontiguousarray(i420, np.uint8), width, height)
        like = replace(header, full_range=False, matrix=Matrix.BT601)
        self.show(like.stamped(Step.ENCODED, monotonic_ns()), planes)

    def close(self) -> None:
        """End all connections, and unmap the ring."""
        self.ring.close()
        self.pushes.close()
        if self._thread is not None:
            self._thread.sessions.close()

    def _is_to_go_on(self, header: FrameHeader, since_ns: int) -> bool:
        """Say whether a stand-in is shown again, for those whom we push to.

        Platforms and players take one that comes once a second for a broken stream.
        """
        is_standin = header.verdict in (Verdict.COVERED, Verdict.SLATE)
        return is_standin and bool(self.pushes.wishes.codecs) and since_ns > _GO_ON_NS

    def _turn_peers(self) -> list[Signalled | PeerWish]:
        if self._thread is None:
            return []
        if self._thread.sessions.is_hung:
            raise ThreadHungError("WebRTC")
        said: list[Signalled | PeerWish] = [*self._thread.sessions.answers()]
        while self._thread.wishes.asked:
            said.append(self._thread.wishes.asked.popleft())
        return said

    def _takers(self) -> Iterator[Taker]:
        yield self.ring
        yield self.pushes
        if self._thread is not None:
            yield self._thread

    def _codecs(self) -> frozenset[VideoCodec]:
        wanted = (taker.wishes.codecs for taker in self._takers())
        return frozenset[VideoCodec]().union(*wanted)

    @property
    def _usual_ns(self) -> float:
        """Between two pictures."""
        return self._interval_ns or NS_PER_S / _USUAL_FPS

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
        if now_ns - self._keyframe_ns.get(codec, 0) < _KEYFRAME_EVERY_NS:
            return False
        return any(taker.wishes.wants_keyframe(codec) for taker in self._takers())

    def _encode(
        self, codec: VideoCodec, header: FrameHeader, planes: Planes, now_ns: int
    ) -> None:
        fps = NS_PER_S / self._usual_ns
        usual = usual_bit_rate(planes.width, planes.height, fps)
        encoder = self._encoders.setdefault(codec, VideoEncoder(codec, usual))
        encoder.fps = fps
        estimates = [taker.wishes.estimate for taker in self._takers()]
        estimate = min(filter(None, estimates), default=usual)
        wanted = min(max(estimate, usual // _LEAST_SHARE), usual)
        if abs(wanted - encoder.bit_rate) > encoder.bit_rate // _WORTHWHILE_SHARE:
            encoder.bit_rate = wanted
        try:
            packets = encoder.encode(
                planes,
                _time_of(header, now_ns),
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
        self._encoded_ns[codec] = now_ns
        for packet in packets:
            if packet.is_keyframe:
                self._keyframe_ns[codec] = now_ns
                for taker in self._takers():
                    taker.wishes.keyframe_made(codec)
            for taker in self._takers():
                if codec in taker.wishes.codecs:
                    taker.deliver(codec, EncodedUnit(header, packet))


def _time_of(header: FrameHeader, now_ns: int) -> int:
    """Return when a picture is to be shown, on the clock of captures.

    What is shown in place of a picture is of this moment: by the time of the one that
    it is made of, players would have a second in no time.
    """
    if header.verdict is not Verdict.LIVE:
        return now_ns
    return max(header.capture_ns, now_ns - NS_PER_S)
