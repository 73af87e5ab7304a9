"""How the streams stand, as systemd and whoever asks it are told.

Pure: what is known comes in as values. `control.readings` judges the same in more
words, for the API; this is what the supervisor can say without control.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

from ooblexd.clock import NS_PER_S
from ooblexd.counters import SourceState, StageWord
from ooblexd.heartbeat import WorkerState

if TYPE_CHECKING:
    from collections.abc import Collection

    from ooblexd.board import Page

_SILENT_NS = 3 * NS_PER_S  # without a frame for longer, a source is down
_BACK_SOON = (WorkerState.KILLING, WorkerState.WAITING, WorkerState.GIVEN_UP)


class Standing(enum.Enum):
    """What a stream does, in the order in which it is told."""

    LIVE = "live"
    WAITING = "waiting"  # for whoever sends it
    STARTING = "starting"
    DOWN = "down"
    STOPPED = "stopped"  # switched off


class StreamStanding(NamedTuple):
    """A stream, how it stands, and why where that is a fault."""

    name: str
    standing: Standing
    reason: str = ""


def standing_of(
    ingest: Page, worker: WorkerState | None, now_ns: int
) -> tuple[Standing, str]:
    """Return how a stream that is switched on stands, and why.

    Args:
        ingest: The page of its ingest stage.
        worker: The state of its ingest worker; None where it has none, for want of
            memory.
        now_ns: Monotonic time.
    """
    if worker in _BACK_SOON:
        return Standing.DOWN, "its ingest worker is being restarted"
    state = ingest.words[StageWord.STATE]
    if state == SourceState.STARTING:
        return Standing.STARTING, ""
    if state == SourceState.DOWN:
        return Standing.DOWN, ingest.read_text()
    if state == SourceState.WAITING:
        return Standing.WAITING, ""
    silent_ns = now_ns - ingest.words[StageWord.LAST_FRAME_NS]
    if silent_ns > _SILENT_NS:
        return Standing.DOWN, "the source delivers nothing"
    return Standing.LIVE, ""


def is_any_settled(streams: Collection[StreamStanding]) -> bool:
    """Say whether it is known of one how it stands, or there is none to know it of."""
    wanted = [stream for stream in streams if stream.standing is not Standing.STOPPED]
    return not wanted or any(s.standing is not Standing.STARTING for s in wanted)


def status_line(streams: Collection[StreamStanding]) -> str:
    """Return all of it in a line: ``3 streams: 2 live, 1 down (yard: no route)``."""
    if not streams:
        return "no streams yet"
    counts = {
        standing: sum(stream.standing is standing for stream in streams)
        for standing in Standing
    }
    told = ", ".join(f"{n} {standing.value}" for standing, n in counts.items() if n)
    down = [stream for stream in streams if stream.standing is Standing.DOWN]
    reasons = "; ".join(
        f"{stream.name}: {stream.reason}" if stream.reason else stream.name
        for stream in down
    )
    plural = "" if len(streams) == 1 else "s"
    why = f" ({reasons})" if reasons else ""
    return f"{len(streams)} stream{plural}: {told}{why}"
