"""A player of low-latency HLS in a process of its own.

::

    python -m tests.support.hls_probe URL SECONDS

The answer, between words as of `tests.support.measured_process`, is one line of JSON:
of the last picture of each part its number and when the part was there, in unix µs; and
how far players are told to keep back from the edge, in seconds.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time

from tests.support.hls_player import HlsPlayer

_SETTLE_PARTS = 5


def main() -> None:
    """Play as the command line says, and answer on standard output."""
    url, seconds = sys.argv[1], float(sys.argv[2])
    with contextlib.closing(HlsPlayer(url)) as player:
        player.begin()
        player.play(_SETTLE_PARTS)
        first = len(player.parts)
        sys.stderr.write("begin\n")
        until_s = time.monotonic() + seconds
        arrivals = []
        while time.monotonic() < until_s:
            player.play(1)
            # Pictures so far are counted by decoding, once it is over.
            arrivals.append((len(player.parts), time.time_ns() // 1000))
        sys.stderr.write("end\n")
        back_s = float(player.playlist.server_control.part_hold_back)
        ends = player.last_numbers()
    edges = [
        (ends[parts - 1], at_us)
        for parts, at_us in arrivals
        if parts > first and ends[parts - 1] is not None
    ]
    sys.stdout.write(json.dumps({"edges": edges, "hold_back_s": back_s}) + "\n")


if __name__ == "__main__":
    main()
