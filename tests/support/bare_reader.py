"""A reader of a source in a process of its own, without daemon, rings and viewers.

::

    python -m tests.support.bare_reader URL SECONDS [QUALITY]

It reads, decodes and copies each picture and, with a QUALITY, encodes it once as JPEG:
what nobody who shows a camera's pictures as MJPEG can do without. The answer on
standard output, between words as of `tests.support.measured_process`, is one line of
JSON: pictures a second, the share of a core, and of each picture its sequence, its
capture and when the source gave it, or when it was encoded, both in unix µs. What
reading the clock in the pixels takes is not counted.
"""

from __future__ import annotations

import json
import sys
import time

from ooblexd.encoders.jpeg import JpegEncoder
from ooblexd.pixels import new_planes
from ooblexd.sources import open_source
from ooblexd.sources.pixelclock import read_stamp

_SETTLE_S = 1.0


class Reader:
    """Takes a picture at a time.

    Args:
        url: Of the source.
        quality: Of the JPEG; None encodes nothing.
    """

    def __init__(self, url: str, quality: int | None) -> None:
        self.source = open_source(url)
        first = self.source.read()
        self.planes = new_planes(first.width, first.height)
        self._encoder = None if quality is None else JpegEncoder(quality)

    def take(self) -> int:
        """Return when the picture was there, in unix µs."""
        picture = self.source.read()
        read_us = time.time_ns() // 1000
        picture.copy_to(self.planes)
        if self._encoder is None:
            return read_us
        self._encoder.encode(
            self.planes, full_range=picture.full_range, matrix=picture.matrix
        )
        return time.time_ns() // 1000


def measure(reader: Reader, seconds: float) -> dict[str, object]:
    """Read for that long, and return the answer."""
    seen, pictures = [], 0
    start_s, spent_s = time.monotonic(), -time.process_time()
    while time.monotonic() - start_s < seconds:
        at_us = reader.take()
        pictures += 1
        before_s = time.thread_time()
        if (mark := read_stamp(reader.planes.y)) is not None:
            seen.append((mark.sequence, mark.unix_us, at_us))
        spent_s -= time.thread_time() - before_s
    spent_s += time.process_time()
    elapsed_s = time.monotonic() - start_s
    cpu_percent = 100 * spent_s / elapsed_s
    return {"fps": pictures / elapsed_s, "cpu_percent": cpu_percent, "seen": seen}


def main() -> None:
    """Read as the command line says, and answer on standard output."""
    url, seconds, *quality = sys.argv[1:]
    reader = Reader(url, int(quality[0]) if quality else None)
    settled_s = time.monotonic() + _SETTLE_S
    while time.monotonic() < settled_s:
        reader.take()
    sys.stderr.write("begin\n")
    answer = measure(reader, float(seconds))
    sys.stderr.write("end\n")
    reader.source.close()
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
