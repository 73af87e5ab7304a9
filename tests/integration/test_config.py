"""The configuration of a running daemon, changed from all sides, killed and filled."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from ooblexd.config.load import load_config
from tests.support.appliance import DEMO_TOML, Appliance
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.timeout(120)

CONFIG = "/api/v1/config"
# Streams that are switched off have no workers: what is looked at is the file.
OFF = {"source": "demo:", "enabled": False}
IDLE = """\
# mine
[streams.demo]
source = "demo:"  # no camera
enabled = false
"""


class Patching:
    """Adds one stream after another by PATCH, in a thread, until left."""

    def __init__(self, daemon: Appliance, prefix: str) -> None:
        self._daemon = daemon
        self._prefix = prefix
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.done: list[str] = []
        self.tried: list[str] = []

    def __enter__(self) -> list[str]:
        self._thread.start()
        return self.done

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        for number in range(14):
            name = f"{self._prefix}{number}"
            self.tried.append(name)
            if self._is_over.is_set():
                return
            with contextlib.suppress(httpx.TransportError):
                if patch(self._daemon, {name: OFF}).status_code == 200:
                    self.done.append(name)


def patch(daemon: Appliance, streams: dict[str, object]) -> httpx.Response:
    return daemon.request("PATCH", CONFIG, {"streams": streams})


def runs_as_the_file_says(daemon: Appliance) -> bool:
    try:
        config = daemon.request("GET", CONFIG)
        items = daemon.request("GET", "/api/v1/streams").json()["items"]
    except httpx.TransportError:
        return False
    in_file = load_config(daemon.config, {}).streams
    return (
        config.status_code == 200
        and config.json()["reload_needed"] == []
        and {item["name"] for item in items} == set(in_file)
    )


def while_patching(daemon: Appliance, disturb: Callable[[], None]) -> list[str]:
    """Patch from two sides and disturb it; return what is said to be done."""
    ones, twos = Patching(daemon, "one"), Patching(daemon, "two")
    with ones, twos:
        for count in (2, 4, 6):
            eventually(lambda: len(ones.tried) + len(twos.tried) > 2 * count, 60)  # noqa: B023 # called here
            disturb()
            load_config(daemon.config, {})  # it is never half
    return ones.done + twos.done


def test_reloads_and_two_clients_at_once_lose_nothing(tmp_path: Path) -> None:
    with Appliance(tmp_path, IDLE) as daemon:
        done = while_patching(daemon, lambda: daemon.process.send_signal(signal.SIGHUP))

        assert done
        assert set(done) <= set(load_config(daemon.config, {}).streams)
        eventually(lambda: runs_as_the_file_says(daemon))
        assert daemon.config.read_text().startswith(IDLE)


def test_what_runs_is_what_the_file_says_however_control_dies(tmp_path: Path) -> None:
    def kill_control() -> None:
        with contextlib.suppress(ProcessLookupError):
            daemon.kill("control")

    with Appliance(tmp_path, IDLE) as daemon:
        done = while_patching(daemon, kill_control)

        eventually(lambda: runs_as_the_file_says(daemon), 30)
        assert set(done) <= set(load_config(daemon.config, {}).streams)


def test_a_daemon_that_dies_leaves_a_whole_file_with_all_it_confirmed(
    tmp_path: Path,
) -> None:
    with Appliance(tmp_path, IDLE) as daemon, Patching(daemon, "cam") as done:
        eventually(lambda: len(done) >= 3, 30)
        os.killpg(daemon.process.pid, signal.SIGKILL)
        daemon.process.wait()
        confirmed = list(done)

    assert set(confirmed) <= set(load_config(daemon.config, {}).streams)
    assert daemon.config.read_text().startswith(IDLE)


def test_a_full_disk_refuses_a_change_and_nothing_has_changed(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(small)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a file system")
    try:
        with Appliance(small, IDLE, {"XDG_STATE_HOME": str(tmp_path)}) as daemon:
            ballast = ["dd", "if=/dev/zero", f"of={small}/ballast"]
            subprocess.run(ballast, check=False, capture_output=True)

            refused = patch(daemon, {"yard": OFF, "demo": {"enabled": True}})

            assert refused.status_code == 503
            assert "no space left" in refused.json()["detail"]
            assert daemon.config.read_text() == IDLE
            assert runs_as_the_file_says(daemon)
            assert daemon.stream("demo")["state"] == "stopped"
            (small / "ballast").unlink()
            assert patch(daemon, {"yard": OFF}).status_code == 200
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_the_environment_overrides_the_file_and_stays_out_of_it(
    tmp_path: Path,
) -> None:
    environment = {
        "OOBLEXD_STREAMS__DEMO__MAX_FPS": "5",
        "OOBLEXD_STREAMS__DEMO__EFFECTS": '[{"effect": "pixelate_faces"}, "edges"]',
        "OOBLEXD_LOG__LEVEL": "debug",
    }
    toml = DEMO_TOML.replace("max_fps = 10\n", "")
    with Appliance(tmp_path, toml, environment) as daemon:
        stream = daemon.stream("demo")
        config = daemon.request("GET", CONFIG).json()
        refused = patch(daemon, {"demo": {"max_fps": 7}})
        allowed = patch(daemon, {"demo": {"max_fps": 5, "jpeg_quality": 70}})

        assert stream["max_fps"] == 5
        assert [e["effect"] for e in config["streams"]["demo"]["effects"]] == [
            "pixelate_faces",
            "edges",
        ]
        assert config["environment"]["log.level"] == "OOBLEXD_LOG__LEVEL"
        assert refused.status_code == 409
        assert "OOBLEXD_STREAMS__DEMO__MAX_FPS" in refused.json()["detail"]
        assert allowed.status_code == 200
        written = daemon.config.read_text()
        assert "jpeg_quality = 70" in written
        assert "max_fps" not in written
        assert "pixelate" not in written
