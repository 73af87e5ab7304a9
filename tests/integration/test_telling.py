"""What the daemon tells: one line an event, and only what somebody wants to know."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from ooblexd.sources.demo import DEMO_CLIP
from tests.support.appliance import DEMO_TOML, Appliance
from tests.support.processes import eventually
from tests.support.viewer import MjpegViewer

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(60)


def events(appliance: Appliance) -> list[dict[str, Any]]:
    return [json.loads(line) for line in appliance.lines]


def test_a_day_of_viewers_is_a_handful_of_events(tmp_path: Path) -> None:
    with Appliance(tmp_path) as daemon:
        for _ in range(10):
            with MjpegViewer(daemon.port, "demo") as viewer:
                eventually(lambda: len(viewer.parts) > 0)
            daemon.request("GET", "/api/v1/streams")
            daemon.request("GET", "/metrics")
        assert daemon.stop() == 0

    told = events(daemon)
    assert len(told) < 8
    assert {event["level"] for event in told} == {"info"}
    assert {"time", "level", "worker", "message"} <= told[0].keys()
    assert "demo" in [event.get("stream") for event in told]


def test_a_signal_to_every_process_is_a_stop_and_no_fault(tmp_path: Path) -> None:
    with Appliance(tmp_path) as daemon:
        eventually(lambda: daemon.stream("demo")["state"] == "running")
        names = ("ingest:demo", "inference:0", "output:demo", "control")
        eventually(lambda: all(map(daemon.pid_of, names)))
        workers = [daemon.pid_of(name) for name in names]
        for pid in (daemon.process.pid, *workers):
            with contextlib.suppress(ProcessLookupError):  # the first stops the others
                os.kill(pid, signal.SIGTERM)
        assert daemon.process.wait(15) == 0

    assert {event["level"] for event in events(daemon)} == {"info"}, daemon.log()


def test_a_reload_changes_the_level_of_every_process(tmp_path: Path) -> None:
    with Appliance(tmp_path, toml_of("error", "demo:")) as daemon:
        eventually(lambda: daemon.stream("demo")["state"] == "running")
        assert "delivers" not in daemon.log()
        worker = daemon.pid_of("ingest:demo")
        sources = itertools.cycle([f"file:{DEMO_CLIP}", "demo:"])

        def tells() -> bool:
            done = daemon.log().count("reloaded")
            daemon.config.write_text(toml_of("info", next(sources)))
            daemon.process.send_signal(signal.SIGHUP)
            eventually(lambda: daemon.log().count("reloaded") > done)
            return "delivers" in daemon.log()

        eventually(tells)
        assert daemon.pid_of("ingest:demo") == worker
        assert "after a restart only" not in daemon.log()


def test_the_level_is_changed_by_the_api_in_the_running_workers(
    tmp_path: Path,
) -> None:
    with Appliance(tmp_path, toml_of("error", "demo:")) as daemon:
        eventually(lambda: daemon.stream("demo")["state"] == "running")
        assert "delivers" not in daemon.log()
        worker = daemon.pid_of("ingest:demo")

        change = {"log": {"level": "info"}}
        answer = daemon.request("PATCH", "/api/v1/config", json=change)
        assert answer.status_code == 200, answer.text
        for source in ("upload:", "demo:"):
            path = "/api/v1/streams/demo"
            answer = daemon.request("PATCH", path, json={"source": source})
            assert answer.is_success, answer.text

        eventually(lambda: "demo: delivers" in daemon.log())
        assert daemon.pid_of("ingest:demo") == worker
        assert 'level = "info"' in daemon.config.read_text()


def toml_of(level: str, source: str) -> str:
    log = f'[log]\nlevel = "{level}"\nformat = "text"\n'
    return f'{log}[streams.demo]\nsource = "{source}"\n'


def test_text_may_be_wished_for(tmp_path: Path) -> None:
    toml = DEMO_TOML + '[log]\nformat = "text"\n'
    with Appliance(tmp_path, toml) as daemon:
        eventually(lambda: "[stream demo] demo: delivers" in daemon.log())
