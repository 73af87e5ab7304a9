"""A viewer by WHEP that decodes every picture: aiortc, as a client.

It receives in a thread of its own. Pictures are handed over by marker bit, since
aiortc's jitter buffer waits for the next one.
"""

from __future__ import annotations

import json
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import av
import numpy as np

from ooblexd.webrtc.reception import deliver_by_marker
from tests.support.codecs import prefer
from tests.support.webrtc_client import WebRtcClient

if TYPE_CHECKING:
    from aiortc import RTCDataChannel, RTCPeerConnection, RTCRtpReceiver

    from tests.support.webrtc_client import Work


class Seen(NamedTuple):
    """A picture: when it came, in unix µs, and what it shows."""

    at_us: int
    frame: av.VideoFrame


class Heard(NamedTuple):
    """Sound: when it came, in unix µs, and the largest sample, 1 at most."""

    at_us: int
    peak: float


class WhepViewer(WebRtcClient):
    """Watches a stream until left.

    Args:
        port: Of the daemon.
        stream: Its name.
        codec: ``H264`` or ``VP8``: the only one it offers.
        has_channel: Whether it opens a data channel.
        listens: Whether it offers to receive sound too.

    Attributes:
        seen: All pictures.
        heard: All sound.
        told: What the daemon said by the data channel.
    """

    def __init__(
        self,
        port: int,
        stream: str,
        codec: str = "H264",
        *,
        has_channel: bool = False,
        listens: bool = False,
    ) -> None:
        super().__init__(port, f"/streams/{stream}/whep")
        self.seen: list[Seen] = []
        self.heard: list[Heard] = []
        self.told: list[dict[str, Any]] = []
        self._codec = codec
        self._has_channel = has_channel
        self._listens = listens
        self._channel: RTCDataChannel | None = None

    @property
    def state(self) -> str:
        """Of the connection."""
        return self.states[-1] if self.states else ""

    def prepare(self, connection: RTCPeerConnection) -> list[Work]:
        """Offer to receive pictures, and sound."""
        transceiver = connection.addTransceiver("video", direction="recvonly")
        if self._has_channel:
            self._channel = connection.createDataChannel(
                "pictures", ordered=False, maxRetransmits=0
            )
            self._channel.on("message", self._note_told)
        deliver_by_marker(transceiver.receiver)
        prefer(transceiver, self._codec)
        work: list[Work] = [partial(self._take, transceiver.receiver)]
        if self._listens:
            audio = connection.addTransceiver("audio", direction="recvonly")
            work.append(partial(self._hear, audio.receiver))
        return work

    def say(self, message: str) -> None:
        """Say something by the data channel."""
        assert self._channel is not None
        self._loop.call_soon_threadsafe(self._channel.send, message)

    def _note_told(self, message: str) -> None:
        self.told.append(json.loads(message))

    async def _take(self, receiver: RTCRtpReceiver) -> None:
        while True:
            frame = await receiver.track.recv()
            assert isinstance(frame, av.VideoFrame)
            self.seen.append(Seen(time.time_ns() // 1000, frame))

    async def _hear(self, receiver: RTCRtpReceiver) -> None:
        while True:
            frame = await receiver.track.recv()
            assert isinstance(frame, av.AudioFrame)
            peak = np.abs(frame.to_ndarray().astype(np.float32)).max() / 32768
            self.heard.append(Heard(time.time_ns() // 1000, float(peak)))
