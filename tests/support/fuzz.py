"""Damages H.264 and JPEG by chance and has ingest's decoder take them.

A program of its own, so that whoever runs it sees a crash, and a hang, from outside::

    python -m tests.support.fuzz KIND SEED SECONDS

It answers with a line of JSON, the fields of `Tally`. The chance follows from SEED
alone. All that ingest does between the socket and the slot is done: bytes are cut into
packets, decoded, watched or idle, and their samples copied.
"""

from __future__ import annotations

import json
import random
import sys
import time
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import cv2
import numpy as np

from ooblexd.errors import BadPictureError, SourceUnavailableError
from ooblexd.pixels import new_planes
from ooblexd.sources.decoding import Decoder
from ooblexd.sources.demo import DEMO_CLIP
from ooblexd.sources.framing import JpegFraming
from ooblexd.sources.options import MOST_PIXELS, SourceOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PICTURES, _SIZE = 30, (320, 180)
_MOST_WOUNDS = 6
_X264 = {
    "plain": {"preset": "veryfast", "bf": "0", "g": "10"},
    "reordered": {"preset": "medium", "bf": "2", "g": "15"},
    "interlaced": {"preset": "fast", "x264-params": "interlaced=1:keyint=10"},
}
_JPEG = {
    "plain": [cv2.IMWRITE_JPEG_QUALITY, 80],
    "progressive": [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
    "restarting": [cv2.IMWRITE_JPEG_RST_INTERVAL, 4],
}


@dataclass
class Tally:
    """What came of the damaged streams.

    Attributes:
        streams: How many were made.
        pictures: Decoded and copied.
        refused: Pictures and streams that were given up, as they should be.
        bugs: Errors that nobody expects, each once.
        growth_mib: By which the process is larger than after a quarter of the time.
        peak_mib: The most memory that it ever had.
    """

    streams: int = 0
    pictures: int = 0
    refused: int = 0
    bugs: list[str] = field(default_factory=list)
    growth_mib: float = 0.0
    peak_mib: float = 0.0


def fuzz(kind: str, seed: int, seconds: float) -> Tally:
    """Damage streams of ``kind``, ``h264`` or ``jpeg``, until the time is over."""
    bases = _h264_bases() if kind == "h264" else _jpeg_bases()
    feed = _feed_h264 if kind == "h264" else _feed_jpeg
    chance, tally, early_mib = random.Random(seed), Tally(), 0.0  # noqa: S311 - no key
    start_s = time.monotonic()
    while (spent_s := time.monotonic() - start_s) < seconds:
        early_mib = early_mib if spent_s > seconds / 4 else _memory_mib("VmRSS")
        tally.streams += 1
        try:
            feed(damaged(chance.choice(bases), chance), chance, tally)
        except SourceUnavailableError:
            tally.refused += 1
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is what is sought
            bug = f"{type(exc).__name__}: {exc}"
            tally.bugs += [] if bug in tally.bugs else [bug]
    tally.growth_mib = _memory_mib("VmRSS") - early_mib
    tally.peak_mib = _memory_mib("VmHWM")
    return tally


def damaged(stream: bytes, chance: random.Random) -> bytes:
    """Return the stream with some wounds."""
    hurt = bytearray(stream)
    for _ in range(chance.randint(1, _MOST_WOUNDS)):
        at, length = chance.randrange(len(hurt)), int(2 ** chance.uniform(0, 10))
        # The beginning of a stream, or what says how to read it, is hurt as often.
        at = at if chance.random() < 0.5 else at % 256
        other = chance.randrange(len(hurt))
        match chance.randrange(6):
            case 0:
                hurt[at] ^= 1 << chance.randrange(8)
            case 1:
                hurt[at : at + length] = chance.randbytes(length)
            case 2:
                del hurt[at : at + length]
            case 3:
                hurt[at:at] = hurt[other : other + length]
            case 4:
                hurt[at : at + length] = bytes([chance.choice((0, 255))]) * length
            case _:
                hurt[at : at + length] = hurt[other : other + length]
        hurt = hurt or bytearray(1)
    return bytes(hurt)


def _feed_h264(stream: bytes, chance: random.Random, tally: Tally) -> None:
    codec = av.CodecContext.create("h264", "r")
    assert isinstance(codec, av.VideoCodecContext)
    codec.thread_type = "NONE"
    packets = [*codec.parse(stream), *codec.parse(None)]
    _decode(codec, cast("list[av.Packet[av.VideoStream]]", packets), chance, tally)


def _feed_jpeg(stream: bytes, chance: random.Random, tally: Tally) -> None:
    framing, pictures = JpegFraming(), list[bytes]()
    while stream:
        length = chance.randint(1, 8192)
        pictures += framing.pictures(stream[:length])
        stream = stream[length:]
    packets = cast("list[av.Packet[av.VideoStream]]", list(map(av.Packet, pictures)))
    for packet in packets:
        packet.is_keyframe = True
    _decode(framing.decoder(), packets, chance, tally)


def _decode(
    codec: av.VideoCodecContext,
    packets: list[av.Packet[av.VideoStream]],
    chance: random.Random,
    tally: Tally,
) -> None:
    is_idle = chance.random() < 0.5
    decoder = Decoder(codec, SourceOptions(is_unwanted=lambda: is_idle))
    for number, packet in enumerate(packets):
        packet.pts = number if chance.random() < 0.9 else chance.choice((None, 0, -9))
        is_wanted = chance.random() < 0.8
        for taken in decoder.take(packet, time.monotonic_ns(), is_wanted=is_wanted):
            if taken.frame is None and chance.random() < 0.7:
                continue  # nobody came
            try:
                picture = taken.as_picture(pts_ns=0, capture_ns=0, decoded_ns=0)
                if picture.width * picture.height <= MOST_PIXELS:
                    picture.copy_to(new_planes(picture.width, picture.height))
                    tally.pictures += 1
            except BadPictureError:
                tally.refused += 1


def _h264_bases() -> list[bytes]:
    return [b"".join(_encoded(options)) for options in _X264.values()]


def _encoded(options: dict[str, str]) -> Iterator[bytes]:
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height = _SIZE
    encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 25)
    encoder.options = options
    for number, frame in enumerate(_frames()):
        frame.pts, frame.time_base = number, encoder.time_base
        yield from map(bytes, encoder.encode(frame))
    yield from map(bytes, encoder.encode(None))


def _jpeg_bases() -> list[bytes]:
    pictures = [frame.to_ndarray(format="bgr24") for frame in _frames()][:4]
    write: Callable[[np.ndarray, list[int]], bytes]
    write = lambda picture, how: cv2.imencode(".jpg", picture, how)[1].tobytes()  # noqa: E731 - one line
    grey = [cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) for picture in pictures]
    bases = [b"".join(write(one, how) for one in pictures) for how in _JPEG.values()]
    return [*bases, b"".join(write(np.asarray(one), []) for one in grey)]


def _frames() -> Iterator[av.VideoFrame]:
    with av.open(str(DEMO_CLIP)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number == _PICTURES:
                return
            scaled = frame.reformat(*_SIZE, format="yuv420p")
            yield av.VideoFrame.from_ndarray(scaled.to_ndarray(), format="yuv420p")


def _memory_mib(word: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{word}:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(word)


def main() -> None:
    """Fuzz as the command line says."""
    kind, seed, seconds = sys.argv[1:]
    tally = fuzz(kind, int(seed), float(seconds))
    sys.stdout.write(json.dumps(asdict(tally)) + "\n")


if __name__ == "__main__":
    main()
