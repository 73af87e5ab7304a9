from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from ooblexd.cli.tables import format_uptime, plain, status_view
from ooblexd.status import Status, StreamStatus, WorkerStatus

STATUS = Status(
    version="1.2.3",
    at_ns=5_000_000_000,
    uptime_s=11520,
    health="degraded",
    host="127.0.0.1",
    port=8800,
    config_path="/etc/ooblexd/ooblexd.toml",
    streams=(
        StreamStatus("door", "running", "", "live", 1280, 720, 30.0, 29.9, 28.1, 55.2),
        StreamStatus("yard", "down", "the camera refuses the login", "slate"),
    ),
    workers=(
        WorkerStatus("supervisor", "up", pid=100, cpu_s=1.0),
        WorkerStatus("ingest:door", "up", "killed by SIGSEGV", 101, 1, 2.0, 43 << 20),
    ),
)


def drawn(width: int, status: Status = STATUS, problem: str = "") -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(status_view(status, None, width, problem))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_wide_terminal_shows_every_number() -> None:
    text = drawn(120)

    assert "degraded  up 3 h 12 min  http://127.0.0.1:8800/" in text
    for word in ("door", "1280x720", "29.9", "28 ms", "55 ms", "43 MiB", "101"):
        assert word in text


def test_whatever_else_is_wrong_is_told_too() -> None:
    text = drawn(120, replace(STATUS, problems=("push:door:rtmp://a/b: refused",)))

    assert "push:door:rtmp://a/b: refused" in text


def test_what_nobody_wants_is_idle_and_no_loss() -> None:
    idle = StreamStatus(
        "door", "running", "", "live", dropped=4321, dropped_idle=4300, is_idle=True
    )

    (row,) = [
        line.split()
        for line in drawn(120, replace(STATUS, streams=(idle,))).splitlines()
        if line.startswith("door")
    ]

    assert row[1:3] == ["running", "idle"]
    assert row[-2:] == ["21", "0"]


@pytest.mark.parametrize("width", [20, 40, 60, 80])
def test_a_narrow_terminal_loses_columns_and_never_the_name_or_the_line(
    width: int,
) -> None:
    lines = drawn(width).splitlines()

    assert all(len(line.rstrip()) <= width for line in lines)
    assert any(line.startswith("door") for line in lines)
    assert any(line.startswith("ingest:door") for line in lines)


def test_why_a_stream_is_down_and_why_a_worker_ended_are_told() -> None:
    text = drawn(120)

    assert "yard: the camera refuses the login" in text
    assert "ingest:door: ended the last time: killed by SIGSEGV" in text


def test_no_camera_commands_the_terminal() -> None:
    assert plain("\x1b[31mred\x07") == "�[31mred�"
    evil = StreamStatus("yard", "down", "\x1b]0;title\x07[bold]x[/bold]")

    text = drawn(120, replace(STATUS, streams=(evil,)))

    assert "\x1b" not in text
    assert "[bold]x[/bold]" in text


def test_a_daemon_without_streams_says_how_to_add_one() -> None:
    assert "no streams yet" in drawn(80, replace(STATUS, streams=()))


def test_a_daemon_that_went_away_is_told_above_what_it_said_last() -> None:
    text = drawn(120, problem="no daemon is running")

    assert text.index("no daemon is running") < text.index("door")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5, "5 s"), (65, "1 min 5 s"), (11520, "3 h 12 min"), (90000, "1 d 1 h")],
)
def test_an_uptime_is_told_in_its_two_largest_units(seconds: int, text: str) -> None:
    assert format_uptime(seconds) == text
