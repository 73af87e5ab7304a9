"""Viewers by WHEP in one process of their own, of which the first decodes.

::

    python -m tests.support.whep_probe HOST:PORT PATH VIEWERS SECONDS

The others count pictures as they come off the network, so that many viewers fit onto a
machine. The clock in the pixels of the first viewer's pictures says which each was and
when it was captured. The answer, between words as of `tests.support.measured_process`,
is one line of JSON: the frames a second of each viewer, and of each picture its
sequence, its capture and when it had been received, both in unix µs.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING

import anyio
import av
import httpx
import numpy as np
from aiortc import RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription

from ooblexd.sources.pixelclock import read_stamp
from ooblexd.webrtc.reception import MarkerJitterBuffer, receive_into
from tests.support.codecs import prefer

if TYPE_CHECKING:
    from aiortc import MediaStreamTrack
    from aiortc.jitterbuffer import JitterFrame

_START_S = 30.0
_SETTLE_S = 3.0


class CountingBuffer(MarkerJitterBuffer):
    """Counts pictures and hands none over.

    Attributes:
        count: Of whole pictures.
        has_begun: Set by the first.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.has_begun = asyncio.Event()

    def _remove_frame(self, sequence_number: int) -> JitterFrame | None:
        if super()._remove_frame(sequence_number) is not None:
            self.count += 1
            self.has_begun.set()
        return None


async def connect(
    url: str, buffer: MarkerJitterBuffer
) -> tuple[RTCPeerConnection, RTCRtpReceiver]:
    """Return a connection that watches ``url``, and its receiver."""
    connection = RTCPeerConnection()
    transceiver = connection.addTransceiver("video", direction="recvonly")
    receive_into(transceiver.receiver, buffer)
    prefer(transceiver, "H264")
    await connection.setLocalDescription(await connection.createOffer())
    headers = {"Content-Type": "application/sdp"}
    async with httpx.AsyncClient(timeout=20) as client:
        answer = await client.post(
            url, content=connection.localDescription.sdp, headers=headers
        )
    answer.raise_for_status()
    description = RTCSessionDescription(answer.text, "answer")
    await connection.setRemoteDescription(description)
    return connection, transceiver.receiver


async def watch(url: str, viewers: int, seconds: float) -> dict[str, object]:
    """Watch with that many viewers, and return what was seen."""
    connections, receivers = [], []
    buffers = [CountingBuffer() for _ in range(viewers - 1)]
    for buffer in (MarkerJitterBuffer(), *buffers):
        connection, receiver = await connect(url, buffer)
        connections.append(connection)
        receivers.append(receiver)
    seen: list[tuple[int, av.VideoFrame]] = []
    with anyio.fail_after(_START_S):
        await asyncio.gather(*(buffer.has_begun.wait() for buffer in buffers))
        seen.append(await _next(receivers[0].track))
    taking = asyncio.ensure_future(_take(receivers[0].track, seen))
    await anyio.sleep(_SETTLE_S)
    seen.clear()
    before = [buffer.count for buffer in buffers]
    sys.stderr.write("begin\n")
    await anyio.sleep(seconds)
    sys.stderr.write("end\n")
    counts = [len(seen), *(b.count - a for a, b in zip(before, buffers, strict=True))]
    taking.cancel()
    for connection in connections:
        await connection.close()
    return {"fps": [count / seconds for count in counts], "seen": _clocks(seen)}


async def _take(track: MediaStreamTrack, seen: list[tuple[int, av.VideoFrame]]) -> None:
    while True:
        seen.append(await _next(track))


async def _next(track: MediaStreamTrack) -> tuple[int, av.VideoFrame]:
    frame = await track.recv()
    assert isinstance(frame, av.VideoFrame)
    return time.time_ns() // 1000, frame


def _clocks(seen: list[tuple[int, av.VideoFrame]]) -> list[tuple[int, int, int]]:
    found = []
    for at_us, frame in seen:
        luma = np.asarray(frame.to_ndarray(format="yuv420p")[: frame.height], np.uint8)
        stamp = read_stamp(luma)
        if stamp is not None:
            found.append((stamp.sequence, stamp.unix_us, at_us))
    return found


def main() -> None:
    """Watch as the command line says, and answer on standard output."""
    place, path, viewers, seconds = sys.argv[1:]
    url = f"http://{place}{path}"
    answer = asyncio.run(watch(url, int(viewers), float(seconds)))
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
