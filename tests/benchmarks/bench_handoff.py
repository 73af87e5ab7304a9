"""What does the hand-off of a picture cost, against other ways between two processes?

Setup: an I420 picture of 1280x720 (1.38 MB) or 1920x1080 (3.11 MB) goes from one
process to another, at a camera's 30 a second or flat out. Each transport, at its best
settings (``tests/support/transports``), pays for the same two copies: out of the
sender's private memory and into the receiver's, who takes the newest and sleeps while
there is none. ``memcpy`` is these two copies in one process, the floor. Repetitions go
round all transports in turn, so that what else the machine does hits them alike.

Formula: age is from before the first copy to after the last one, by
``CLOCK_MONOTONIC``; median and 99th percentile of a repetition, of these the median
over repetitions. ``times`` is the median age over the ring's. CPU is user and system
time of a process over the pictures that it sent or took, its threads included; of
``memcpy`` each copy's alone, so without the sleep and the waking that the others pay
for. Faults are minor ones, a picture. ``cores`` is what both processes had. ``passed``
are the pictures sent but not taken.

Bars: the ring's age is at most iceoryx2's, and a fifth of Redis' and of the queue's;
its sender's CPU is at most the copy's and 0.2 ms; and it has no page faults. ``note``
says where one is missed.

Flat out, both processes want a core each. Where others hold the cores, a picture also
waits until the scheduler lets a receiver run that is ready, and ``note`` says so. Tried
without gain at 1920x1080: ``memmove`` instead of ``np.copyto``, pictures at other
offsets within their pages (5 % at most), a slower sender (older pictures).

Left out: the CPU of Redis' server, a third process that copies each picture twice more;
several readers; faces, cameras and encoders.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from tests.support import peers
from tests.support.handoff import Case, Measured, measure, measure_memcpy
from tests.support.peers import PeerMissingError
from tests.support.transports.iceoryx2 import Iceoryx2
from tests.support.transports.redis_list import RedisList
from tests.support.transports.ring import Ring
from tests.support.transports.stdlib_queue import StdlibQueue
from tests.support.transports.zeromq import ZeroMq

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.transports import Transport

RING, MEMCPY, ICEORYX2 = "ring", "memcpy", "iceoryx2"
ZEROMQ, QUEUE, REDIS = "ZeroMQ conflate", "multiprocessing.Queue", "Redis LPUSH/BRPOP"
TRANSPORTS: dict[str, Callable[[int], Transport]] = {
    RING: Ring,
    ICEORYX2: Iceoryx2,
    ZEROMQ: ZeroMq,
    QUEUE: StdlibQueue,
    REDIS: RedisList,
}
SIZES = ((1280, 720), (1920, 1080))
# Pictures a second, then for how long they are sent before and while it is measured.
PACES = ((30, 1.0, 8.0), (0, 0.5, 2.0))
REPETITIONS = 3
FIVE_TIMES = 5
OWN_CPU_MS = 0.2
FLAT_OUT = "flat out"
# Of the two that both processes want flat out, waking each other included.
WHOLE_CORES = 1.5


class Row(NamedTuple):
    """One line of the table; what was not measured is None."""

    size: str
    pace: str
    transport: str
    p50_ms: float | None = None
    p99_ms: float | None = None
    times: float | None = None
    send_cpu_ms: float | None = None
    take_cpu_ms: float | None = None
    send_faults: float | None = None
    take_faults: float | None = None
    cores: float | None = None
    fps: float | None = None
    passed: str = "-"
    note: str = ""
    p50s_ms: list[float] = []  # noqa: RUF012 # a default nobody changes
    p99s_ms: list[float] = []  # noqa: RUF012 # a default nobody changes


def run() -> Iterator[Row]:
    """Measure each transport that is there, at each size and pace."""
    for width, height in SIZES:
        for fps, warm_up_s, seconds in PACES:
            case = Case(width * height * 3 // 2, fps, warm_up_s, seconds)
            pace = f"{fps} fps" if fps else FLAT_OUT
            yield from rows_of(f"{width}x{height}", pace, case, REPETITIONS)


def rows_of(size: str, pace: str, case: Case, repetitions: int) -> list[Row]:
    """Measure one case and compare."""
    names = [MEMCPY, *TRANSPORTS]
    runs: dict[str, list[Measured]] = {name: [] for name in names}
    missing: dict[str, str] = {}
    for repetition in range(repetitions):
        # Another one begins each time: none always follows the same neighbour.
        for name in names[repetition:] + names[:repetition]:
            try:
                runs[name].append(measure_one(name, case))
            except PeerMissingError as exc:
                missing[name] = str(exc)
    rows = [
        Row(size, pace, name, note=missing[name])
        if name in missing
        else _row(Row(size, pace, name), runs[name], case)
        for name in names
    ]
    return judged(rows)


def measure_one(name: str, case: Case) -> Measured:
    """Measure one transport once.

    Raises:
        PeerMissingError: It is not installed.
    """
    if name == MEMCPY:
        return measure_memcpy(case)
    with TRANSPORTS[name](case.picture_bytes) as transport:
        return measure(transport, case)


def judged(rows: list[Row]) -> list[Row]:
    """Compare all rows of one case with the ring's, and that one with the bars."""
    by_name = {row.transport: row for row in rows}
    ring_ms = by_name[RING].p50_ms
    assert ring_ms is not None
    missed = "; ".join(_missed(by_name)) or "meets each bar"
    return [
        row._replace(
            times=None if row.p50_ms is None else row.p50_ms / ring_ms,
            note=missed if row.transport == RING else row.note,
        )
        for row in rows
    ]


def _missed(rows: dict[str, Row]) -> Iterator[str]:
    ring, memcpy = rows[RING], rows[MEMCPY]
    assert ring.p50_ms is not None
    for name, least in ((ICEORYX2, 1), (REDIS, FIVE_TIMES), (QUEUE, FIVE_TIMES)):
        found_ms = rows[name].p50_ms
        if found_ms is not None and found_ms < least * ring.p50_ms:
            times = found_ms / ring.p50_ms
            yield f"{name} is {times:.2f} times as old, not {least}{_crowded(ring)}"
    assert ring.send_cpu_ms is not None
    assert memcpy.send_cpu_ms is not None
    over_ms = ring.send_cpu_ms - memcpy.send_cpu_ms
    if over_ms > OWN_CPU_MS:
        yield f"CPU is {over_ms:.2f} ms over the copy's, not {OWN_CPU_MS}"
    if ring.send_faults or ring.take_faults:
        yield "page faults"


def _crowded(ring: Row) -> str:
    """Say where others had the cores, so that the scheduler's slices were measured."""
    if ring.pace != FLAT_OUT or ring.cores is None or ring.cores > WHOLE_CORES:
        return ""
    return f" (others had the machine: {ring.cores:.1f} of 2 cores were left)"


def _row(row: Row, runs: list[Measured], case: Case) -> Row:
    p50s_ms = [float(np.percentile(run.ages_ms, 50)) for run in runs]
    p99s_ms = [float(np.percentile(run.ages_ms, 99)) for run in runs]
    taken = median(run.taken.frames / run.sent.frames for run in runs)
    return row._replace(
        p50_ms=median(p50s_ms),
        p99_ms=median(p99s_ms),
        send_cpu_ms=median(run.sent.cpu_ms / run.sent.frames for run in runs),
        take_cpu_ms=median(run.taken.cpu_ms / run.taken.frames for run in runs),
        send_faults=median(run.sent.faults / run.sent.frames for run in runs),
        take_faults=median(run.taken.faults / run.taken.frames for run in runs),
        cores=median(
            (run.sent.cpu_ms + run.taken.cpu_ms) / 1000 / case.seconds for run in runs
        ),
        fps=median(run.taken.frames / case.seconds for run in runs),
        passed=f"{100 * max(0, 1 - taken):.0f} %",
        p50s_ms=p50s_ms,
        p99s_ms=p99s_ms,
    )


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("name", TRANSPORTS)
@pytest.mark.parametrize("fps", [0, 200])
def test_a_transport_delivers_whole_pictures_in_order(name: str, fps: int) -> None:
    case = Case(640 * 360 * 3 // 2, fps, 0.05, 0.3, is_checked=True)
    try:
        measured = measure_one(name, case)
    except PeerMissingError as exc:
        pytest.skip(str(exc))

    assert measured.taken.frames > 0
    assert measured.wrong == 0


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_the_hand_off_can_be_compared() -> None:
    rows = rows_of("", "", Case(640 * 360 * 3 // 2, 100, 0.05, 0.1), repetitions=1)

    by_name = {row.transport: row for row in rows}
    assert set(by_name) == {MEMCPY, *TRANSPORTS}
    for name in (MEMCPY, RING, QUEUE):
        p50_ms, p99_ms = by_name[name].p50_ms, by_name[name].p99_ms
        assert p50_ms is not None
        assert p99_ms is not None
        assert 0 < p50_ms <= p99_ms


def test_a_bar_that_is_missed_is_named() -> None:
    fast = Row("", "", "", p50_ms=1.0, send_cpu_ms=0.5, send_faults=0, take_faults=0)
    rows = [fast._replace(transport=name) for name in (MEMCPY, *TRANSPORTS)]

    judgement = {row.transport: row.note for row in judged(rows)}[RING]

    assert "Redis LPUSH/BRPOP is 1.00 times as old, not 5" in judgement
    assert "iceoryx2" not in judgement
    assert "CPU" not in judgement
    assert "cores" not in judgement


def test_a_miss_on_a_crowded_machine_is_told_as_such() -> None:
    row = Row("", FLAT_OUT, RING, p50_ms=1.0, send_cpu_ms=0.5, cores=0.4)
    rows = {name: row._replace(p50_ms=0.9) for name in (MEMCPY, *TRANSPORTS)}

    assert "0.4 of 2 cores were left" in next(_missed({**rows, RING: row}))


def test_a_peer_that_could_not_be_had_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "_PEERS", tmp_path)
    with pytest.raises(peers.PeerMissingError, match="tools/bench --peers"):
        peers.peer_module("redis", "no_such_package")

    (tmp_path / "redis.missing").write_text("E: no archive can be reached\n")
    with pytest.raises(peers.PeerMissingError, match="E: no archive can be reached"):
        peers.peer_program("redis", "no-such-program")
