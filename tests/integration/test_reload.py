"""SIGHUP: only what differs is touched, and an error keeps the old one running."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from ooblexd.config.last_good import last_good_path
from tests.support.appliance import DEMO_TOML, ZONE_TOML, Appliance
from tests.support.processes import eventually
from tests.support.viewer import MjpegViewer

if TYPE_CHECKING:
    from pathlib import Path

TOML = ZONE_TOML.format(name="demo")

pytestmark = pytest.mark.timeout(60)


def names(daemon: Appliance) -> list[str]:
    items = daemon.request("GET", "/api/v1/streams").json()["items"]
    return [item["name"] for item in items]


def workers_of(daemon: Appliance) -> list[int]:
    return list(map(daemon.pid_of, ("ingest:demo", "inference:0", "output:demo")))


def test_reload_touches_only_what_differs(tmp_path: Path) -> None:
    with Appliance(tmp_path, TOML) as daemon:
        with MjpegViewer(daemon.port, "demo") as viewer:
            eventually(lambda: viewer.pictures().count("live") > 2)
            since = len(viewer.parts)
            workers = workers_of(daemon)

            daemon.config.write_text(TOML + '\n[streams.yard]\nsource = "demo:"\n')
            daemon.process.send_signal(signal.SIGHUP)
            eventually(lambda: names(daemon) == ["demo", "yard"])
            daemon.config.write_text(TOML + "\n[streams.yard]\nfsp = 3\n")
            daemon.process.send_signal(signal.SIGHUP)
            eventually(lambda: "what ran before runs on" in daemon.log())
            assert "streams.yard.fsp" in daemon.log()
            assert names(daemon) == ["demo", "yard"]
            daemon.config.write_text(TOML)
            daemon.process.send_signal(signal.SIGHUP)
            eventually(lambda: names(daemon) == ["demo"])
            count = viewer.pictures().count("live")
            eventually(lambda: viewer.pictures().count("live") > count + 1)

            assert not viewer.has_ended.is_set()
        # On a busy machine a frame may come late, which is held; nothing more happens.
        assert set(viewer.pictures()[since:]) <= {"live", "held"}
        assert workers_of(daemon) == workers
        assert daemon.stop() == 0


def test_a_file_that_cannot_be_read_yet_holds_nobody_up(tmp_path: Path) -> None:
    with Appliance(tmp_path, DEMO_TOML) as daemon:
        eventually(lambda: daemon.pid_of("ingest:demo") != 0)
        kept = last_good_path(daemon.config, {"XDG_STATE_HOME": f"{tmp_path}/state"})
        eventually(kept.exists)  # control would take from the pipe as well
        daemon.config.unlink()
        os.mkfifo(daemon.config)
        daemon.process.send_signal(signal.SIGHUP)
        with daemon.config.open("w") as writing:  # as soon as somebody reads
            former = daemon.kill("ingest:demo")

            eventually(lambda: daemon.pid_of("ingest:demo") not in (0, former))
            writing.write(DEMO_TOML + '\n[streams.yard]\nsource = "demo:"\n')
        eventually(lambda: names(daemon) == ["demo", "yard"])
        assert daemon.stop() == 0
