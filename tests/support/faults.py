"""Two streams on two inference workers, and all that may go wrong with them.

What the tests do one at a time the benchmark ``faults`` does by the hundred.
"""

from __future__ import annotations

import os
import re
import resource
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.support.centerface import pictures_with_faces
from tests.support.faces import uncovered_faces
from tests.support.processes import eventually

if TYPE_CHECKING:
    import signal
    from collections.abc import Iterable

    from tests.support.appliance import Appliance
    from tests.support.viewer import MjpegViewer, Part

STREAMS = ("door", "yard")
TWO_STREAMS = """
[inference]
workers = 2

[streams.door]
source = "demo:"
effects = ["blur_faces"]

[streams.yard]
source = "demo:"
effects = ["blur_faces"]
"""
AT_REST_S = 1.0  # without a change: nothing is being opened or closed
_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)
_SHM = "/dev/shm"  # noqa: S108 # it is what is looked into


class Footprint(NamedTuple):
    """What a daemon holds of the machine.

    Attributes:
        segments: Names in shared memory; ours have none once they are mapped.
        descriptors: Of each process, by worker.
        pss_bytes: Of all of them, what they share counted once.
    """

    segments: frozenset[str]
    descriptors: dict[str, int]
    pss_bytes: int


def segments() -> frozenset[str]:
    """Return the names that our rings keep in shared memory; a mapped one has none.

    Each has one for a moment while it is made, by whatever test runs beside this one.
    """
    left = _names()

    def are_gone() -> bool:
        nonlocal left
        left &= _names()
        return not left

    with suppress(AssertionError):
        eventually(are_gone, within_s=5.0)
    return left


def _names() -> frozenset[str]:
    return frozenset(name for name in os.listdir(_SHM) if name.startswith("ooblexd"))  # noqa: PTH208 # names are what is compared


def footprint(appliance: Appliance) -> Footprint:
    """Return what the daemon holds now; other processes' memory takes root to see.

    A worker that ends meanwhile holds nothing.
    """
    supervisor = appliance.process.pid
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text()
    descriptors, pss_bytes = {}, 0
    for pid in (supervisor, *children.split()):
        proc = Path(f"/proc/{pid}")
        with suppress(FileNotFoundError, ProcessLookupError):
            name = (proc / "comm").read_text().strip()
            rollup = (proc / "smaps_rollup").read_text()
            count = len(os.listdir(proc / "fd"))  # noqa: PTH208 # likewise
            descriptors["supervisor" if pid == supervisor else name] = count
            pss_bytes += sum(int(kib) * 1024 for kib in _PSS.findall(rollup))
    return Footprint(segments(), descriptors, pss_bytes)


def footprint_at_rest(appliance: Appliance) -> Footprint:
    """Return what the daemon holds once that has not changed for a second.

    Who asks the API, or has just watched, holds a socket for a moment longer.
    """
    held, since = footprint(appliance), time.monotonic()

    def is_at_rest() -> bool:
        nonlocal held, since
        now = footprint(appliance)
        if now.descriptors != held.descriptors:
            since = time.monotonic()
        held = now
        return time.monotonic() - since > AT_REST_S

    eventually(is_at_rest)
    return held


def hit(appliance: Appliance, worker: str, number: signal.Signals) -> int:
    """Send a signal to a worker, and return the process that it was."""
    pid = appliance.pid_of(worker)
    assert pid, f"{worker} has no process"
    os.kill(pid, number)
    return pid


def starve(appliance: Appliance, worker: str) -> int:
    """Let a worker have no more memory than it has, and return its process."""
    pid = appliance.pid_of(worker)
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    limit = pages * resource.getpagesize()
    resource.prlimit(pid, resource.RLIMIT_AS, (limit, limit))
    return pid


def is_replaced(appliance: Appliance, worker: str, former: int) -> bool:
    """Say whether ``worker`` is another process than it was."""
    return appliance.pid_of(worker) not in (0, former)


def put_trouble(appliance: Appliance, told_by: Path, number: int) -> None:
    """Have the door's frames pass an effect that does what the file says.

    Args:
        appliance: The daemon.
        told_by: The file.
        number: Makes another effect of it, of which no ill is remembered.
    """
    trouble = {
        "effect": "trouble",
        "told_by": str(told_by),
        "number": number,
        "whitens": False,
    }
    chain = [trouble, "blur_faces"]
    answer = appliance.request("PUT", "/api/v1/streams/door/effects", chain)
    assert answer.status_code == 202, answer.text
    eventually(lambda: is_settled(appliance))


def is_settled(appliance: Appliance) -> bool:
    """Say whether the daemon says of both streams that all is as configured."""
    checks = appliance.request("GET", "/health").json()["checks"]
    return all(checks[f"source:{name}"]["reason"] == "" for name in STREAMS)


def await_live(viewer: MjpegViewer, since: int = 0, within_s: float = 20.0) -> None:
    """Return once more than ten pictures behind the first ``since`` are live."""
    eventually(lambda: viewer.pictures()[since:].count("live") > 10, within_s)


def unprotected(parts: Iterable[Part], evidence: Path | None = None) -> list[str]:
    """Return which pictures show a face; every one is decoded and looked at.

    Args:
        parts: As viewers got them.
        evidence: A folder for those pictures.
    """
    shown = [part for part in parts if part.picture in ("live", "held")]
    assert shown
    named = [f"{part.picture} {part.sequence}" for part in shown]
    found = {named[n] for n in pictures_with_faces(part.jpeg for part in shown)}
    found |= {name for name, one in zip(named, shown, strict=True)
              if uncovered_faces(one.jpeg)}  # fmt: skip
    if evidence is not None and found:
        evidence.mkdir(parents=True, exist_ok=True)
        for name, one in zip(named, shown, strict=True):
            if name in found:
                (evidence / f"{name.replace(' ', '-')}.jpg").write_bytes(one.jpeg)
    return sorted(found)
