"""Hands the pictures of one push to FFmpeg: a script of its own.

PyAV connects to a server without letting any other thread run, and a server may take as
long as it likes. In the output worker that would stop every viewer; here it stops
nobody, and whoever has waited for long enough kills us.

On standard input comes a line of JSON, the job, and then the pictures, and the sound
behind them, each behind a `UNIT`. The first is a keyframe, which only says what is to
come: once we are connected it may be too old to be shown. Each is answered by one byte
on standard output when it is written, so that the worker decides about the next when
its turn has come.
Where it fails, a line of JSON says why. The address, which holds a key, is on no
command line.

It imports nothing of ooblexd, which saves memory and half its start.
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import signal
import struct
import sys
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import av

UNIT = struct.Struct("<qBI")
"""Time in 90 kHz, or in samples of the track of sound; its kind; how many bytes."""

PICTURE, KEYFRAME, SOUND = 0, 1, 2

DONE = b"."
_RATE_HZ = 90_000
_PR_SET_PDEATHSIG = 1
_MOST_MESSAGES = 20
_AUDIO_SAMPLES = 1024  # of a packet of AAC


class Output:
    """One open connection, or file, that pictures are written to.

    Args:
        job: ``url``, ``format``, ``options`` of FFmpeg's; ``is_raw``: pictures are
            decoded first; ``sound``: rate and channels of a track of AAC, or null.
        keyframe: Says what the pictures are like; not written.
    """

    def __init__(self, job: dict[str, Any], keyframe: bytes) -> None:
        import av  # noqa: PLC0415 # its place comes with the job

        self._av = av
        self._first: int | None = None
        self._decoder = av.CodecContext.create("h264", "r") if job["is_raw"] else None
        described = av.open(io.BytesIO(keyframe), format="h264")
        template = described.streams.video[0]
        self._container = av.open(
            job["url"], "w", format=job["format"], options=job["options"]
        )
        if self._decoder is None:
            self._video = self._container.add_stream_from_template(template)
            self._video.time_base = Fraction(1, _RATE_HZ)
        else:
            self._video = self._container.add_stream("rawvideo", rate=30)
            self._video.width = template.codec_context.width
            self._video.height = template.codec_context.height
            self._video.pix_fmt = "yuv420p"
            self._video.time_base = Fraction(1, _RATE_HZ)
        described.close()
        self._sound: av.AudioStream | None = None
        if job["sound"]:
            rate, channels = job["sound"]
            layout = "mono" if channels == 1 else "stereo"
            # Its encoder says what the packets are like, and does nothing else.
            self._sound = self._container.add_stream("aac", rate=rate, layout=layout)
        self._container.start_encoding()

    def write(self, data: bytes, at: int, *, is_keyframe: bool) -> None:
        """Write a picture; the times begin at nought."""
        self._first = at if self._first is None else self._first
        packet = self._av.Packet(data)
        packet.pts = packet.dts = at - self._first
        packet.time_base = Fraction(1, _RATE_HZ)
        packet.is_keyframe = is_keyframe
        if self._decoder is not None:
            for frame in self._decoder.decode(packet):
                frame.pts, frame.time_base = packet.pts, packet.time_base
                self._container.mux(self._video.encode(frame))
            return
        packet.stream = self._video
        self._container.mux(packet)

    def sound(self, data: bytes, at: int) -> None:
        """Write sound; ``at`` counts samples since the first picture."""
        assert self._sound is not None, "the job says so"
        packet = self._av.Packet(data)
        packet.stream = self._sound
        packet.pts = packet.dts = at
        packet.duration = _AUDIO_SAMPLES
        packet.time_base = Fraction(1, self._sound.codec_context.sample_rate)
        packet.is_keyframe = True
        self._container.mux(packet)

    def close(self) -> None:
        """End the connection as its protocol has it."""
        self._container.close()


def main() -> int:
    """Do the job that comes on standard input; returns the exit code."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    pictures = sys.stdin.buffer
    job = json.loads(pictures.readline())
    if parent != job["parent"]:
        return 1  # the worker has ended before it could take us along
    sys.path[:] = job["path"]
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)

    import av  # noqa: PLC0415 # its place comes with the job
    import av.logging  # noqa: PLC0415 # likewise

    av.logging.set_level(av.logging.WARNING)
    av.logging.set_skip_repeated(False)
    with av.logging.Capture() as messages:
        try:
            _send(job, pictures, answers, messages)
        except (av.FFmpegError, OSError, ValueError) as error:
            answers.write(_complaint(error, messages))
            return 1
    return 0


def _send(
    job: dict[str, Any], pictures: BinaryIO, answers: BinaryIO, messages: list[Any]
) -> None:
    output = None
    while head := pictures.read(UNIT.size):
        at, kind, size = UNIT.unpack(head)
        data = pictures.read(size)
        if output is None:
            output = Output(job, data)
        elif kind == SOUND:
            output.sound(data, at)
        else:
            output.write(data, at, is_keyframe=kind == KEYFRAME)
        del messages[:-_MOST_MESSAGES]
        answers.write(DONE)
    if output is not None:
        output.close()


def _complaint(error: Exception, messages: list[Any]) -> bytes:
    told = {
        "kind": type(error).__name__,
        "errno": getattr(error, "errno", None) or 0,
        "strerror": getattr(error, "strerror", None) or str(error),
        "messages": [text.strip() for _, _, text in messages[-_MOST_MESSAGES:]],
    }
    return b"\n" + json.dumps(told).encode() + b"\n"


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
