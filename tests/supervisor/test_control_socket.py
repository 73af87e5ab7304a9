from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from ooblexd.errors import ControlSocketError
from ooblexd.supervisor.control_socket import (
    SYSTEM_FOLDER,
    control_socket_path,
    control_socket_paths,
    open_control_socket,
)


def connect(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(path))


def test_the_folder_that_systemd_made_comes_first() -> None:
    environ = {"RUNTIME_DIRECTORY": "/run/box:/run/other", "XDG_RUNTIME_DIR": "/own"}

    assert control_socket_path(environ) == Path("/run/box/control.sock")


def test_root_listens_in_the_systems_folder_and_others_in_their_own() -> None:
    own = control_socket_path({"XDG_RUNTIME_DIR": "/run/user/1000"})

    is_root = os.geteuid() == 0
    folder = SYSTEM_FOLDER if is_root else Path("/run/user/1000/ooblexd")
    assert own == folder / "control.sock"


def test_who_asks_looks_at_home_and_then_at_the_systems() -> None:
    own = {"XDG_RUNTIME_DIR": "/run/user/1000"}

    paths = control_socket_paths(own)

    system = SYSTEM_FOLDER / "control.sock"
    assert paths == tuple(dict.fromkeys((control_socket_path(own), system)))
    assert control_socket_paths({}) == (system,)


def test_a_folder_that_is_named_is_the_only_one() -> None:
    paths = control_socket_paths({"RUNTIME_DIRECTORY": "/run/box"})

    assert paths == (Path("/run/box/control.sock"),)


def test_only_the_owner_and_the_group_may_connect(tmp_path: Path) -> None:
    path = tmp_path / "made" / "control.sock"

    with open_control_socket(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert stat.S_IMODE(path.parent.stat().st_mode) & 0o007 == 0


def test_a_killed_daemons_leftover_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))

    with open_control_socket(path) as ours:
        connect(path)

        ours.listener.accept()[0].close()


def test_a_living_daemons_socket_is_not_taken_and_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with open_control_socket(path) as first:
        with pytest.raises(ControlSocketError, match=f"pid {os.getpid()}"):
            open_control_socket(path)

        connect(path)
        first.listener.accept()[0].close()


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    open_control_socket(tmp_path / "control.sock").close()

    assert not list(tmp_path.iterdir())
    open_control_socket(tmp_path / "control.sock").close()


def test_a_file_of_that_name_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    path.write_text("mine")

    with pytest.raises(ControlSocketError, match="something else of that name"):
        open_control_socket(path)

    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("folder", "reason"),
    [("/proc/none", "no such file"), ("/dev/null", "not a directory|file exists")],
)
def test_a_folder_that_cannot_be_is_told(folder: str, reason: str) -> None:
    with pytest.raises(ControlSocketError, match=reason) as caught:
        open_control_socket(Path(folder) / "control.sock")

    assert caught.value.path == f"{folder}/control.sock"


def test_a_path_too_long_for_a_socket_is_told(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)

    with pytest.raises(ControlSocketError, match="too long"):
        open_control_socket(folder / "control.sock")
