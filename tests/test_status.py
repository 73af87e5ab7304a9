from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ooblexd.status import (
    Status,
    StreamStatus,
    WorkerStatus,
    cpu_percent,
    format_status,
    parse_status,
)

SECOND = 1_000_000_000
DOOR = StreamStatus("door", "running", fps_in=30.0, age_p50_ms=28.0)


def reading(at_s: float, *workers: WorkerStatus) -> Status:
    return Status(
        version="1.2.3",
        at_ns=int(at_s * SECOND),
        uptime_s=60,
        health="healthy",
        host="127.0.0.1",
        port=8800,
        config_path="/etc/ooblexd/ooblexd.toml",
        streams=(DOOR,),
        workers=workers,
    )


def test_what_is_written_is_read() -> None:
    status = reading(1, WorkerStatus("control", "up", pid=7, cpu_s=0.5))
    status = replace(status, problems=("push:door:rtmp://a/b: refused",))

    assert parse_status(format_status(status)) == status


def test_what_a_newer_daemon_adds_is_passed_over() -> None:
    found = json.loads(format_status(reading(1)))
    found["mood"] = found["streams"][0]["mood"] = "sunny"

    assert parse_status(json.dumps(found)) == reading(1)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"streams": 3, "workers": []}'])
def test_another_document_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_status(text)


def test_the_load_of_a_worker_is_of_the_time_between_two_readings() -> None:
    former = reading(10, WorkerStatus("control", "up", pid=7, cpu_s=1.0))
    now = reading(12, WorkerStatus("control", "up", pid=7, cpu_s=1.5))

    assert cpu_percent(former, now, "control") == pytest.approx(25)


def test_the_load_of_another_life_is_not_told() -> None:
    former = reading(10, WorkerStatus("control", "up", pid=7, cpu_s=9.0))
    now = reading(12, WorkerStatus("control", "up", pid=8, cpu_s=0.5))

    assert cpu_percent(former, now, "control") is None
    assert cpu_percent(None, now, "control") is None
    assert cpu_percent(now, now, "control") is None
    assert cpu_percent(reading(10), now, "control") is None


def test_an_ipv6_address_is_one_that_a_browser_takes() -> None:
    found = json.loads(format_status(reading(1))) | {"host": "::1"}

    assert parse_status(json.dumps(found)).address == "http://[::1]:8800/"
