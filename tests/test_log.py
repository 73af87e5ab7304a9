from __future__ import annotations

import json
import logging
import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from ooblexd.log import (
    JsonLine,
    TextLine,
    configure_logging,
    is_journal_stream,
    line_for,
    set_level,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXT = TextLine("ingest:door", clock="", one_line=False)
ONE_LINE = TextLine("ingest:door", clock="", one_line=True)
JSON = JsonLine("ingest:door")
CAMERA = "rtsp://admin:hunter2@192.0.2.20/s1"


def record(message: str, *args: object, **more: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"created": 1_700_000_000.25, "msecs": 250.0})
    made.name, made.levelno, made.levelname = "ooblexd.x", logging.WARNING, "WARNING"
    made.msg, made.args = message, args
    vars(made).update(more)
    return made


def failure() -> logging.LogRecord:
    try:
        int(CAMERA)
    except ValueError:
        return record("it fails", exc_info=sys.exc_info())
    raise AssertionError


def parsed(line: str) -> dict[str, Any]:
    assert "\n" not in line
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_line_for_machines_names_worker_and_stream() -> None:
    event = parsed(JSON.format(record("[stream %s] source down: %s", "door", "no")))

    assert event == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "warning",
        "worker": "ingest:door",
        "stream": "door",
        "message": "source down: no",
    }


def test_an_event_of_no_stream_has_no_such_key() -> None:
    event = parsed(JSON.format(record("reloaded; streams that changed: %s", "none")))

    assert "stream" not in event
    assert event["message"] == "reloaded; streams that changed: none"


def test_what_is_given_as_extra_is_a_key() -> None:
    event = parsed(JSON.format(record("slow", took_ms=12, url=CAMERA)))

    assert event["took_ms"] == 12
    assert event["url"] == "rtsp://***@192.0.2.20/s1"


def test_a_traceback_is_part_of_its_event() -> None:
    assert "Traceback" in parsed(JSON.format(failure()))["exception"]
    assert "\n" not in ONE_LINE.format(failure())
    assert "ValueError" in ONE_LINE.format(failure())
    assert TEXT.format(failure()).count("\n") > 2


@pytest.mark.parametrize("line", [TEXT, ONE_LINE, JSON])
def test_no_credential_is_told(line: logging.Formatter) -> None:
    for one in (failure(), record("opening %s", CAMERA), record(CAMERA)):
        assert "hunter2" not in line.format(one)


@pytest.mark.parametrize("line", [TEXT, ONE_LINE, JSON])
def test_what_a_camera_says_can_neither_forge_a_line_nor_steer_a_terminal(
    line: logging.Formatter,
) -> None:
    told = line.format(record("%s", "ok\nERROR [x] fire\x1b[2J\r"))

    assert not re.search(r"[\n\r\x1b]", told)


def test_a_terminal_gets_text_and_a_file_gets_json(tmp_path: Path) -> None:
    main, terminal = pty.openpty()
    with (
        os.fdopen(main),
        os.fdopen(terminal, "w") as eyes,
        (tmp_path / "log").open("w") as file,
    ):
        assert isinstance(line_for(eyes, "x", "auto"), TextLine)
        assert isinstance(line_for(file, "x", "auto"), JsonLine)
        assert isinstance(line_for(file, "x", "text"), TextLine)
        assert isinstance(line_for(eyes, "x", "json"), JsonLine)


def test_the_journal_is_who_has_its_device_and_inode(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as file:
        found = os.fstat(file.fileno())

        assert is_journal_stream(file, f"{found.st_dev}:{found.st_ino}")
        assert not is_journal_stream(file, f"{found.st_dev}:{found.st_ino + 1}")
        assert not is_journal_stream(file, "")


@pytest.mark.parametrize("form", ["text", "json"])
def test_each_event_in_the_journal_is_one_line_with_its_priority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    with (tmp_path / "log").open("w") as file:
        found = os.fstat(file.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")

        line = line_for(file, "x", form).format(failure())

    assert line.startswith("<4>")
    assert "\n" not in line


@pytest.fixture
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.mark.usefixtures("_as_before")
def test_libraries_tell_less_than_we_do() -> None:
    told = {}
    for level in (logging.DEBUG, logging.INFO, logging.ERROR):
        set_level(level)
        told[level] = logging.getLogger("aiortc").getEffectiveLevel()

    assert told == {
        logging.DEBUG: logging.INFO,
        logging.INFO: logging.WARNING,
        logging.ERROR: logging.ERROR,
    }


def test_what_nobody_catches_is_an_event_as_well() -> None:
    code = (
        "import threading, warnings\n"
        f"from {configure_logging.__module__} import configure_logging\n"
        "configure_logging('x', 'info')\n"
        "thread = threading.Thread(target=lambda: 1 / 0)\n"
        "thread.start(); thread.join()\n"
        "warnings.warn('old')\n"
        f"raise ValueError('{CAMERA}')\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True
    )

    levels = [json.loads(line)["level"] for line in answer.stderr.splitlines()]
    assert levels == ["critical", "warning", "critical"]
    assert "hunter2" not in answer.stderr
