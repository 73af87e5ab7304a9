"""A publisher by WHIP whose pictures tell when they were made: aiortc, as a client.

It sends in a thread of its own, or as a process that can be killed:
``python -m tests.support.whip_publisher PORT STREAM``.
"""

from __future__ import annotations

import sys
import threading
import time
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

import anyio
import av
import numpy as np
from aiortc import MediaStreamTrack

from ooblexd.pixels import planes_of
from ooblexd.sources.pixelclock import stamp
from ooblexd.webrtc.reception import deliver_by_marker
from tests.support.codecs import prefer
from tests.support.webrtc_client import WebRtcClient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiortc import RTCPeerConnection, RTCRtpReceiver

    from tests.support.webrtc_client import Work


_FPS = 30
_CLOCK = 90_000
_SAMPLE_RATE, _TONE_HZ = 48_000, 1000


class StampedTrack(MediaStreamTrack):
    """Pictures, 30 a second, each with its number and its time."""

    kind = "video"

    def __init__(self, width: int, height: int) -> None:
        super().__init__()
        self._width, self._height = width, height
        self._began_s = time.monotonic()
        self._sent = 0

    async def recv(self) -> av.VideoFrame:
        """Return the next one, when it is time."""
        due_s = self._began_s + self._sent / _FPS
        await anyio.sleep(max(due_s - time.monotonic(), 0))
        picture = np.full(self._width * self._height * 3 // 2, 100, np.uint8)
        planes = planes_of(picture, self._width, self._height)
        stamp(planes, time.time_ns() // 1000, self._sent)
        shape = picture.reshape(self._height * 3 // 2, self._width)
        frame = av.VideoFrame.from_ndarray(shape, format="yuv420p")
        frame.pts = self._sent * _CLOCK // _FPS
        frame.time_base = Fraction(1, _CLOCK)
        self._sent += 1
        return frame


class ToneTrack(MediaStreamTrack):
    """A tone that does not end, in pieces of 20 ms."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._began_s = time.monotonic()
        self._sent = 0  # samples

    async def recv(self) -> av.AudioFrame:
        """Return the next piece, when it is time."""
        due_s = self._began_s + self._sent / _SAMPLE_RATE
        await anyio.sleep(max(due_s - time.monotonic(), 0))
        at = (self._sent + np.arange(_SAMPLE_RATE // 50)) / _SAMPLE_RATE
        wave = (0.5 * 32767 * np.sin(2 * np.pi * _TONE_HZ * at)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = _SAMPLE_RATE, self._sent
        frame.time_base = Fraction(1, _SAMPLE_RATE)
        self._sent += len(wave)
        return frame


class WhipPublisher(WebRtcClient):
    """Publishes to a stream until left.

    Args:
        port: Of the daemon.
        stream: Its name.
        codec: ``H264`` or ``VP8``: the only one it offers.
        headers: Beside ``Content-Type``.
        size: Of its pictures.

    Attributes:
        hums: Whether it sends a tone with the pictures.
        direction: Of its video: ``sendrecv`` asks for the stream's pictures too.
        seen: Those, as they came.
    """

    hums = False
    direction = "sendonly"

    def __init__(
        self,
        port: int,
        stream: str,
        codec: str = "H264",
        headers: Mapping[str, str] | None = None,
        *,
        size: tuple[int, int] = (640, 360),
    ) -> None:
        super().__init__(port, f"/streams/{stream}/whip", headers)
        self.seen: list[av.VideoFrame] = []
        self._codec = codec
        self._size = size

    def prepare(self, connection: RTCPeerConnection) -> list[Work]:
        """Offer pictures, and a tone."""
        transceiver = connection.addTransceiver(
            StampedTrack(*self._size), direction=self.direction
        )
        deliver_by_marker(transceiver.receiver)
        prefer(transceiver, self._codec)
        if self.hums:
            connection.addTransceiver(ToneTrack(), direction="sendonly")
        return [partial(self._take, transceiver.receiver)]

    async def _take(self, receiver: RTCRtpReceiver) -> None:
        while True:
            frame = await receiver.track.recv()
            assert isinstance(frame, av.VideoFrame)
            self.seen.append(frame)


class MirroredPublisher(WhipPublisher):
    """One that has its pictures back over the same connection."""

    direction = "sendrecv"


class HummingPublisher(WhipPublisher):
    """One that is heard too."""

    hums = True


def main() -> None:
    """Publish until killed, and say on standard output once there is an answer."""
    port, stream = sys.argv[1:]
    with WhipPublisher(int(port), stream) as publisher:
        assert publisher.answer is not None
        sys.stdout.write(f"{publisher.answer.status_code}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
