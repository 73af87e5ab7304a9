"""A viewer by WHEP that decodes every picture: aiortc, as a client.

It receives in a thread of its own. Pictures are handed over by marker bit, since
aiortc's jitter buffer waits for the next one.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

import av
import httpx
from aiortc import RTCPeerConnection, RTCSessionDescription

from tests.support.marker_delivery import deliver_by_marker, prefer

if TYPE_CHECKING:
    from types import TracebackType

    from aiortc import MediaStreamTrack
    from typing_extensions import Self


class Seen(NamedTuple):
    """A picture: when it came, in unix µs, and what it shows."""

    at_us: int
    frame: av.VideoFrame


class WhepViewer:
    """Watches a stream until left.

    Args:
        port: Of the daemon.
        stream: Its name.
        codec: ``H264`` or ``VP8``: the only one it offers.

    Attributes:
        seen: All pictures.
        answer: What the daemon said to the offer.
    """

    def __init__(self, port: int, stream: str, codec: str = "H264") -> None:
        self.seen: list[Seen] = []
        self.answer: httpx.Response | None = None
        self._url = f"http://127.0.0.1:{port}/streams/{stream}/whep"
        self._codec = codec
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._has_begun = threading.Event()
        self._thread = threading.Thread(
            target=self._loop.run_until_complete, args=(self._watch(),)
        )

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._has_begun.wait(20)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._loop.close()

    async def _watch(self) -> None:
        connection = RTCPeerConnection()
        transceiver = connection.addTransceiver("video", direction="recvonly")
        deliver_by_marker(transceiver.receiver)
        prefer(transceiver, self._codec)
        await connection.setLocalDescription(await connection.createOffer())
        async with httpx.AsyncClient(timeout=20) as client:
            self.answer = await client.post(
                self._url,
                content=connection.localDescription.sdp,
                headers={"Content-Type": "application/sdp"},
            )
            self._has_begun.set()
            if self.answer.status_code == 201:
                await connection.setRemoteDescription(
                    RTCSessionDescription(self.answer.text, "answer")
                )
                taking = asyncio.ensure_future(self._take(transceiver.receiver.track))
                await self._over.wait()
                taking.cancel()
                await client.delete(
                    httpx.URL(self._url).join(self.answer.headers["Location"])
                )
        await connection.close()

    async def _take(self, track: MediaStreamTrack) -> None:
        while True:
            frame = await track.recv()
            assert isinstance(frame, av.VideoFrame)
            self.seen.append(Seen(time.time_ns() // 1000, frame))
