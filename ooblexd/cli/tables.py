"""The status of the daemon as tables for a terminal of any width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ooblexd.status import Status, StreamStatus, WorkerStatus, cpu_percent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import RenderableType

_T = TypeVar("_T")
_MIB = 1024 * 1024
_GAP = 2
_STYLES = {
    **dict.fromkeys(("running", "up", "live", "healthy"), "green"),
    **dict.fromkeys(("waiting", "starting", "stopping", "held", "degraded"), "yellow"),
    **dict.fromkeys(("down", "failed", "given_up", "killing", "overdue"), "bold red"),
    **dict.fromkeys(("covered", "slate"), "yellow"),
    "unhealthy": "bold red",
    **dict.fromkeys(("stopped", "idle"), "dim"),
}


@dataclass(frozen=True, slots=True)
class Column(Generic[_T]):
    """One column.

    Attributes:
        title: Its head.
        rank: The higher, the sooner it gives way on a narrow terminal.
        cell: Returns what stands in a row.
        justify: Numbers to the right.
    """

    title: str
    rank: int
    cell: Callable[[_T], str]
    justify: Literal["left", "right"] = "right"

    def width(self, rows: Sequence[_T]) -> int:
        """Return how many characters it takes."""
        return max([len(self.title), *(len(self.cell(row)) for row in rows)])


def fitting(
    columns: Sequence[Column[_T]], rows: Sequence[_T], width: int
) -> list[Column[_T]]:
    """Return those columns that have room in ``width`` characters, in their order."""
    kept = list(columns)
    while len(kept) > 1 and _total(kept, rows) > width:
        kept.remove(max(kept, key=lambda column: column.rank))
    return kept


def _total(columns: Sequence[Column[_T]], rows: Sequence[_T]) -> int:
    return sum(column.width(rows) for column in columns) + _GAP * (len(columns) - 1)


_STREAM_COLUMNS: tuple[Column[StreamStatus], ...] = (
    Column("STREAM", 0, lambda row: plain(row.name), "left"),
    Column("STATE", 1, lambda row: row.state, "left"),
    Column("PICTURE", 5, lambda row: "idle" if row.is_idle else row.picture, "left"),
    Column("SIZE", 9, lambda row: f"{row.width}x{row.height}" if row.width else "-"),
    Column("FPS IN", 6, lambda row: f"{row.fps_in:.1f}"),
    Column("OUT", 2, lambda row: f"{row.fps_out:.1f}"),
    Column("AGE p50", 3, lambda row: _ms(row.age_p50_ms)),
    Column("p99", 7, lambda row: _ms(row.age_p99_ms)),
    Column("DROPPED", 8, lambda row: str(row.dropped - row.dropped_idle)),
    Column("VIEWERS", 4, lambda row: str(row.viewers)),
)


def _worker_columns(
    status: Status, former: Status | None
) -> tuple[Column[WorkerStatus], ...]:
    def cpu(row: WorkerStatus) -> str:
        percent = cpu_percent(former, status, row.name)
        return "-" if percent is None else f"{percent:.0f} %"

    return (
        Column("WORKER", 0, lambda row: plain(row.name), "left"),
        Column("STATE", 1, lambda row: row.state, "left"),
        Column("PID", 5, lambda row: str(row.pid or "-")),
        Column("RESTARTS", 4, lambda row: str(row.restarts)),
        Column("CPU", 2, cpu),
        Column("MEMORY", 3, lambda row: _mib(row.resident_bytes)),
    )


def status_view(
    status: Status, former: Status | None, width: int, problem: str = ""
) -> RenderableType:
    """Return the whole status, to be printed on ``width`` characters.

    Args:
        status: As it is now, or was when the daemon last answered.
        former: An earlier reading, for the load of the processors.
        width: Of the terminal.
        problem: Why ``status`` is not of now; empty where it is.
    """
    parts: list[RenderableType] = [_head(status)]
    if problem:
        parts.append(Text(problem, "bold red"))
    if status.streams:
        streams = fitting(_STREAM_COLUMNS, status.streams, width)
        parts += [Text(), _table(streams, status.streams)]
    else:
        parts += [Text(), Text("no streams yet: add one on the page", "dim")]
    workers = fitting(_worker_columns(status, former), status.workers, width)
    parts += [Text(), _table(workers, status.workers)]
    reasons = [(row.name, row.reason) for row in status.streams if row.reason]
    reasons += [(name, why) for name, _, why in map(_split, status.problems)]
    reasons += [
        (row.name, f"ended the last time: {row.reason}")
        for row in status.workers
        if row.reason
    ]
    if reasons:
        parts.append(Text())
    parts += [
        Text.assemble((plain(name), "bold"), f": {plain(why)}") for name, why in reasons
    ]
    return Group(*parts)


def _split(problem: str) -> tuple[str, str, str]:
    """Split the name of a check from why it fails; names of pushes have colons too."""
    return problem.partition(": ")


def _head(status: Status) -> Text:
    return Text.assemble(
        ("ooblexd ", "bold"),
        f"{plain(status.version)}  ",
        (status.health, _STYLES.get(status.health, "")),
        f"  up {format_uptime(status.uptime_s)}  {plain(status.address)}",
    )


def _table(columns: Sequence[Column[_T]], rows: Sequence[_T]) -> Table:
    table = Table(
        box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold"
    )
    for column in columns:
        table.add_column(column.title, justify=column.justify, no_wrap=True)
    for row in rows:
        cells = [column.cell(row) for column in columns]
        table.add_row(*(Text(cell, _STYLES.get(cell, "")) for cell in cells))
    return table


def plain(text: str) -> str:
    """Return ``text`` without what a terminal would obey: a camera may have sent it."""
    return "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text
    )


def format_uptime(seconds: int) -> str:
    """Return a duration in its two largest units: ``3 h 12 min``."""
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"


def _mib(value: int) -> str:
    return f"{value / _MIB:.0f} MiB" if value else "-"
