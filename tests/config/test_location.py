"""Which file is the configuration."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ooblexd.config.load import load_config, load_location
from ooblexd.config.location import find_config_path
from ooblexd.config.replacing import digest_of
from ooblexd.config.schema import Location


@pytest.fixture
def system_path(tmp_path: Path) -> Path:
    return tmp_path / "etc" / "ooblexd.toml"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text('[streams.a]\nsource = "demo:"\n')
    return path


def test_argument_then_variable_then_system_then_user(
    tmp_path: Path, system_path: Path, environ: dict[str, str]
) -> None:
    def found(argument: Path | None = None, **more: str) -> Location:
        return find_config_path(argument, environ | more, system_path=system_path)

    user = touch(tmp_path / "xdg" / "ooblexd" / "ooblexd.toml")
    assert found() == Location(user)
    touch(system_path)
    assert found() == Location(system_path)
    assert found(OOBLEXD_CONFIG="/a/b.toml") == Location(Path("/a/b.toml"))
    assert found(Path("c"), OOBLEXD_CONFIG="/a/b.toml") == Location(Path("c"))


def test_without_a_file_it_is_the_demo_and_where_its_file_will_be(
    tmp_path: Path, system_path: Path, environ: dict[str, str]
) -> None:
    location = find_config_path(None, environ, system_path=system_path)

    user = tmp_path / "xdg" / "ooblexd" / "ooblexd.toml"
    path = system_path if os.geteuid() == 0 else user
    assert location == Location(path, is_demo=True)
    assert list(load_location(location, {}).streams) == ["demo"]


def test_home_is_searched_without_xdg(tmp_path: Path, system_path: Path) -> None:
    user = touch(tmp_path / ".config" / "ooblexd" / "ooblexd.toml")

    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": ""}
    location = find_config_path(None, environ, system_path=system_path)

    assert location == Location(user)


def test_configuration_remembers_where_it_lies(tmp_path: Path) -> None:
    file = touch(tmp_path / "a" / "b.toml")

    location = load_config(None, {"OOBLEXD_CONFIG": str(file)}).location
    assert location == Location(file, digest=digest_of(file.read_bytes()))
