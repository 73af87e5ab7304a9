from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from ooblexd import __version__
from ooblexd.checks import Level
from ooblexd.checks.daemon import check_daemon, check_limits, check_port
from ooblexd.checks.permissions import (
    check_config_file,
    check_devices,
    check_state_folder,
)
from ooblexd.errors import NoDaemonError
from ooblexd.plan import DaemonPlan, StreamPlan
from ooblexd.status import Status

RUNNING = Status(__version__, 1, 60, "healthy", "127.0.0.1", 8800, "")
CAMERA = StreamPlan("door", "rtsp://admin:geheim@192.0.2.20/stream1")
PLAN = DaemonPlan("127.0.0.1", 8800, "", streams=(CAMERA,))


def test_a_daemon_that_is_well_says_so() -> None:
    (found,) = check_daemon(RUNNING, None)

    assert found.level is Level.OK
    assert "is healthy" in found.text


@pytest.mark.parametrize(
    ("running", "remedy"),
    [
        (replace(RUNNING, health="degraded"), "ooblexd status"),
        (replace(RUNNING, version="0.0.1"), "restart"),
    ],
)
def test_a_daemon_that_is_not_well_or_old_is_told(running: Status, remedy: str) -> None:
    (found,) = check_daemon(running, None)

    assert found.level is Level.WARN
    assert remedy in found.remedy


def test_no_daemon_is_fine_and_one_that_we_may_not_ask_is_told() -> None:
    assert check_daemon(None, NoDaemonError("no", "x", is_there=False))[0].level == "ok"
    (found,) = check_daemon(None, NoDaemonError("you may not ask", "use sudo"))

    assert (found.level, found.remedy) == (Level.WARN, "use sudo")


def test_a_port_is_free_or_ours_or_somebody_elses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        plan = replace(PLAN, port=port)

        (taken,) = check_port(plan, None, is_there=False)
        (perhaps_ours,) = check_port(plan, None, is_there=True)
        (ours,) = check_port(plan, replace(RUNNING, port=port), is_there=False)
    (free,) = check_port(plan, None, is_there=False)

    assert taken.level is Level.FAIL
    assert f"(pid {os.getpid()})" in taken.text
    assert "another port" in taken.remedy
    assert perhaps_ours.level is Level.WARN
    assert (ours.level, free.level) == (Level.OK, Level.OK)
    assert "held by the running daemon" in ours.text


def test_too_few_descriptors_fail() -> None:
    assert check_limits(10, 0, swaps=False)[0].level is Level.OK
    assert check_limits(1 << 40, 0, swaps=False)[0].level is Level.FAIL


def test_a_configuration_with_passwords_is_nobodys_business(tmp_path: Path) -> None:
    path = tmp_path / "ooblexd.toml"
    path.write_text("")
    path.chmod(0o644)

    (read,) = check_config_file(path, PLAN)
    (no_secret,) = check_config_file(path, replace(PLAN, streams=()))
    path.chmod(0o666)
    (written,) = check_config_file(path, PLAN)
    path.chmod(0o640)
    (shut,) = check_config_file(path, PLAN)

    assert (read.level, read.remedy) == (Level.WARN, f"chmod o-rwx {path}")
    assert no_secret.level is Level.OK
    assert written.level is Level.FAIL
    assert shut.level is Level.OK
    assert check_config_file(tmp_path / "none", None) == []


def test_the_state_folder_is_there_or_can_be_made(tmp_path: Path) -> None:
    (there,) = check_state_folder(tmp_path)
    (not_yet,) = check_state_folder(tmp_path / "a/b")
    (never,) = check_state_folder(Path("/dev/null/ooblexd"))

    assert there.text == str(tmp_path)
    assert "made when it is needed" in not_yet.text
    assert (never.level, "install -d" in never.remedy) == (Level.WARN, True)


def test_cameras_and_graphics_nodes_that_are_ours_are_named(tmp_path: Path) -> None:
    (tmp_path / "dri").mkdir()
    for name in ("video0", "dri/renderD128"):
        (tmp_path / name).touch()

    (found,) = check_devices(None, tmp_path)

    assert found.text == "ours to open: video0, renderD128"
    assert "no camera" in check_devices(None, tmp_path / "dri")[0].text


def test_a_camera_that_is_not_ours_names_its_group(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("everything is root's to open")
    video = tmp_path / "video0"
    video.touch()
    video.chmod(0)
    wanted = replace(PLAN, streams=(StreamPlan("desk", str(video)),))

    assert check_devices(None, tmp_path)[0].level is Level.WARN
    assert check_devices(wanted, tmp_path)[0].level is Level.FAIL
    assert "usermod -aG" in check_devices(None, tmp_path)[0].remedy
