from __future__ import annotations

from pathlib import Path

import pytest

from ooblexd.cli.service_files import TARGETS, obstacle, quote, service_files
from tests.support.repository import ROOT


def test_the_unit_starts_this_installation_and_is_else_the_repositorys() -> None:
    written = service_files(["/opt/ooblexd/bin/ooblexd"])[0].text

    assert "\nExecStart=/opt/ooblexd/bin/ooblexd run --config /etc/" in written
    assert "\nExecReload=/opt/ooblexd/bin/ooblexd check-config /etc/" in written
    packaged = (ROOT / "systemd/ooblexd.service").read_text()
    assert written.replace("/opt/ooblexd/bin/", "/usr/bin/") == packaged


def test_every_file_of_the_service_is_written_where_systemd_looks() -> None:
    assert {path.name for path in (ROOT / "systemd").iterdir()} == TARGETS.keys()
    assert [file.path for file in service_files(["ooblexd"])] == [*TARGETS.values()]


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("/opt/ooblexd/bin/python3.11", "/opt/ooblexd/bin/python3.11"),
        ("/opt/my box/python", '"/opt/my box/python"'),
        ("/opt/100%/python", "/opt/100%%/python"),
        ('/opt/"/python', '"/opt/\\"/python"'),
    ],
)
def test_a_path_is_quoted_as_systemd_reads_it(word: str, quoted: str) -> None:
    assert quote(word) == quoted


def test_what_the_system_has_for_all_is_no_obstacle() -> None:
    assert not obstacle([Path("/usr/bin/env")])


def test_what_only_its_owner_may_enter_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)

    assert obstacle([tmp_path]).endswith(" is closed to other users")


def test_a_home_is_an_obstacle_and_so_is_what_links_into_one(tmp_path: Path) -> None:
    home = Path("/home/anna/venv")
    link = tmp_path / "python"
    link.symlink_to(home / "bin/python")

    assert obstacle([home]) == f"{home} lies in /home, which the service does not see"
    assert obstacle([link])
