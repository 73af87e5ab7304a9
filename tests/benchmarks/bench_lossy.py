"""What does a viewer by WebRTC see when the network is bad?

Setup: the daemon with its demo (1280x720, 25 frames a second) at one end of a wire, a
viewer by WHEP with aiortc at the other, each in a network namespace of its own. The
wire (vde2's wirefilter) loses or delays packets in both directions: not at all, 2 %,
10 %, 100 ms give or take 50, and everything for 5 s.

Formula: frames a second that were decoded and whose clock in the pixels can be read,
over all of the time; the age of each when it was decoded, by that clock; the longest
time without one. ``back_s`` is from the end of the outage to the next picture.

Left out: what a browser's jitter buffer adds to be smooth.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.support.appliance import Appliance
from tests.support.lossy_network import LossyNetwork, lossy_network
from tests.support.measured_process import measured_process

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOML = '[streams.demo]\nsource = "demo:"\neffects = []\n'
_PORT = 8080
_OUTAGE_AFTER_S, _OUTAGE_S = 3.0, 5.0


class Wire(NamedTuple):
    """How bad a network is: wirefilter's options, and whether it fails for a while."""

    name: str
    filters: tuple[str, ...]
    fails: bool = False


WIRES = (
    Wire("as it is", ()),
    Wire("2 % lost", ("-l", "2")),
    Wire("10 % lost", ("-l", "10")),
    Wire("100 ms +- 50", ("-d", "100+50")),
    Wire("5 s outage", (), fails=True),
)


class Result(NamedTuple):
    """Over one wire; ages in ms."""

    wire: str
    fps: float
    age_p50_ms: float
    age_p99_ms: float
    longest_gap_s: float
    back_s: float | None
    ages_ms: list[float]


def measure(wire: Wire, seconds: float) -> Result:
    """Watch over a wire for that long."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        network = stack.enter_context(lossy_network(folder, *wire.filters))
        near, _ = network.addresses
        environment = {"OOBLEXD_HTTP__ALLOWED_HOSTS": f'["{near}"]'}
        appliance = Appliance(folder, _TOML, environment)
        network.near(lambda: stack.enter_context(appliance))
        network.near(lambda: stack.enter_context(_relay(near, appliance.port)))
        watching = (f"{near}:{_PORT}", "/streams/demo/whep", 1, seconds)
        probe = network.far(
            lambda: stack.enter_context(measured_process("whep_probe", *watching))
        )
        probe.expect("begin")
        restored_us = _fail_for_a_while(network) if wire.fails else 0
        probe.expect("end")
        seen = probe.answer()["seen"]
    ages_ms = sorted((at_us - taken_us) / 1000 for _, taken_us, at_us in seen)
    times_us = [at_us for _, _, at_us in seen]
    gaps_us = [after - before for before, after in pairwise(times_us)]
    back = [at_us for at_us in times_us if at_us > restored_us > 0]
    return Result(
        wire.name,
        fps=len(seen) / seconds,
        age_p50_ms=median(ages_ms),
        age_p99_ms=ages_ms[min(int(0.99 * len(ages_ms)), len(ages_ms) - 1)],
        longest_gap_s=max(gaps_us) / 1e6,
        back_s=(back[0] - restored_us) / 1e6 if back else None,
        ages_ms=ages_ms,
    )


def run(seconds: float = 20.0) -> Iterator[Result]:
    """Measure each kind of network."""
    for wire in WIRES:
        yield measure(wire, seconds)


def test_a_viewer_behind_a_bad_network_can_be_measured() -> None:
    result = measure(WIRES[1], seconds=2)

    assert result.fps > 0
    assert 0 < result.age_p50_ms <= result.age_p99_ms


def _fail_for_a_while(network: LossyNetwork) -> int:
    """Lose everything for a while, and return the unix time of the end in µs."""
    pause = threading.Event()
    pause.wait(_OUTAGE_AFTER_S)
    network.change("loss 100")
    pause.wait(_OUTAGE_S)
    network.change("loss 0")
    return time.time_ns() // 1000


@contextlib.contextmanager
def _relay(address: str, port: int) -> Iterator[None]:
    """Have a daemon that listens on loopback be reached from the wire."""
    if shutil.which("socat") is None:
        pytest.skip("apt install socat")
    listen = f"TCP-LISTEN:{_PORT},bind={address},fork,reuseaddr"
    with subprocess.Popen(["socat", listen, f"TCP:127.0.0.1:{port}"]) as process:
        yield
        process.kill()
