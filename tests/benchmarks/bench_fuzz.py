"""What does the ingest worker make of damaged H.264 and JPEG?

Setup: streams of the demo at 320x180 (H.264 plain, reordered and interlaced; JPEG
plain, progressive, with restart markers and grey) get up to six wounds each by chance:
flipped bits, noise, gaps, repetitions, runs of 0 or 255. What ingest does between the
socket and the slot takes them, watched or idle, in batches of a few seconds. Each
batch is a process, so that a crash of the decoder is seen. Two minutes of each kind;
``FUZZ_S=600 tools/bench fuzz`` takes ten.

Formula: counts over all batches. A crash is a process that a signal ended, a hang one
that took 30 s more than it should, a bug an error that no part of the daemon expects.
Growth is what a batch's process gained after a quarter of its time, peak the most
memory it ever had; of both the worst batch, in MiB. The seeds of batches with a crash,
a hang or a bug are in the JSON.

Left out: the depacketizers of RTSP and HTTP, which `tests/integration` garbles.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from tests.support.fuzz import Tally

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = ("h264", "jpeg")
_BATCH_S, _GRACE_S = 15.0, 30.0


class Result(NamedTuple):
    """Of one kind of stream."""

    kind: str
    seconds: float
    streams: int
    pictures: int
    refused: int
    crashes: int
    hangs: int
    bugs: int
    growth_mib: float
    peak_mib: float
    bad_seeds: list[int]
    said: list[str]


def measure(kind: str, seconds: float, first_seed: int = 1) -> Result:
    """Run batches one after the other until the time is over."""
    batches = max(1, round(seconds / _BATCH_S))
    tallies, bad, said, hangs, crashes = [], [], [], 0, 0
    for seed in range(first_seed, first_seed + batches):
        try:
            tally = run_batch(kind, seed, seconds / batches)
        except subprocess.TimeoutExpired:
            hangs += 1
            bad.append(seed)
            continue
        except subprocess.CalledProcessError as exc:
            crashes += 1
            bad.append(seed)
            said.append(f"exit code {exc.returncode}: {exc.stderr[-500:]}")
            continue
        tallies.append(tally)
        if tally.bugs:
            bad.append(seed)
            said += tally.bugs
    return Result(
        *(kind, float(seconds)),
        streams=sum(tally.streams for tally in tallies),
        pictures=sum(tally.pictures for tally in tallies),
        refused=sum(tally.refused for tally in tallies),
        crashes=crashes,
        hangs=hangs,
        bugs=sum(len(tally.bugs) for tally in tallies),
        growth_mib=max((tally.growth_mib for tally in tallies), default=0.0),
        peak_mib=max((tally.peak_mib for tally in tallies), default=0.0),
        bad_seeds=bad,
        said=said,
    )


def run_batch(kind: str, seed: int, seconds: float) -> Tally:
    """Fuzz in a process of its own.

    Raises:
        subprocess.CalledProcessError: It crashed.
        subprocess.TimeoutExpired: It hangs.
    """
    words = [sys.executable, "-m", "tests.support.fuzz", kind, str(seed), str(seconds)]
    done = subprocess.run(
        words, timeout=seconds + _GRACE_S, check=True, capture_output=True, text=True
    )
    return Tally(**json.loads(done.stdout))


def run(seconds: float | None = None) -> Iterator[Result]:
    """Measure both kinds."""
    for kind in KINDS:
        yield measure(kind, seconds or float(os.environ.get("FUZZ_S", "120")))


def test_damaged_streams_hurt_nothing_but_their_pictures() -> None:
    for result in run(1.0):
        assert result.streams > 0
        assert (result.crashes, result.hangs, result.said) == (0, 0, [])
