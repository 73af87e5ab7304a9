"""An encoder that sends a beep and a flash of a tenth of a second, each second."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import av
import numpy as np

from tests.support.cameras import require_ffmpeg

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_FLASH = "color=black:s=160x90:r=25,drawbox=c=white:t=fill:enable='lt(mod(t,1),0.1)'"
_BEEP = "sine=frequency=1000:sample_rate=48000,volume='lt(mod(t,1),0.1)':eval=frame"
LOUD = 0.05  # of the largest sample there can be
BRIGHT = 128


@contextmanager
def beeping_encoder(port: int, *codec: str) -> Iterator[None]:
    """Send MPEG-TS by UDP to a port of this machine; ``codec`` is that of the sound."""
    target = f"udp://127.0.0.1:{port}?pkt_size=1316"
    with beeping(*codec, "-f", "mpegts", target):
        yield


@contextmanager
def beeping(*output: str) -> Iterator[None]:
    """Have ffmpeg send flashes and beeps for as long as the block lasts."""
    require_ffmpeg()
    inputs = ["-re", "-f", "lavfi", "-i", _FLASH, "-re", "-f", "lavfi", "-i", _BEEP]
    video = [
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-tune",
        "zerolatency",
        "-g",
        "5",
    ]
    command = ["ffmpeg", "-v", "error", *inputs, *video, *output]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        yield
        process.kill()


def beginnings(times_s: Iterable[float]) -> list[float]:
    """Return the first of each group of moments."""
    found: list[float] = []
    last_s = -1.0
    for at_s in times_s:
        if not found or at_s - last_s > 0.5:
            found.append(at_s)
        last_s = at_s
    return found


def offsets_s(file: str) -> list[float]:
    """Return by how much each beep of a file is heard after its flash is seen.

    Raises:
        av.FFmpegError: It cannot be read.
    """
    beeps: list[float] = []
    with av.open(file) as container:
        flashes = [
            picture.time or 0.0
            for picture in container.decode(video=0)
            if np.mean(picture.to_ndarray(format="gray")) > BRIGHT
        ]
    with av.open(file) as container:
        for frame in container.decode(audio=0):
            scale = 1 if frame.format.name.startswith("flt") else 32768
            loud = np.abs(frame.to_ndarray() / scale).max(axis=0) > LOUD
            if loud.any():
                at_s = int(loud.argmax()) / frame.sample_rate
                beeps.append((frame.time or 0.0) + at_s)
    seen = beginnings(flashes)
    if not seen:
        return []
    around = (seen[0] - 0.5, seen[-1] + 0.5)  # pictures begin with a keyframe
    heard = [at_s for at_s in beginnings(beeps) if around[0] < at_s < around[1]]
    return [min((at_s - flash_s for flash_s in seen), key=abs) for at_s in heard]
