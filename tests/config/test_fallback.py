"""What stands in for a configuration file that cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ooblexd.config.fallback import last_good_plan, safe_plan
from ooblexd.config.last_good import MOST_COPIES, keep_last_good, last_good_path
from ooblexd.config.replacing import digest_of
from ooblexd.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from ooblexd.plan import DaemonPlan

GOOD = '[http]\nport = 8801\n[streams.door]\nsource = "demo:"\n'


def safe(tmp_path: Path, text: str, **environ: str) -> DaemonPlan:
    file = tmp_path / "ooblexd.toml"
    file.write_text(text)
    return safe_plan(file, environ)


@pytest.mark.parametrize(
    "text",
    [
        '[http]\nport = 8801\nhost = "::1"\nallowed_hosts = ["box.lan"]\nfsp = 3\n',
        'http = { port = 8801, host = "::1", allowed_hosts = ["box.lan"] }\nx',
        'http.port = 8801\nhttp.host = "::1"\nhttp.allowed_hosts = ["box.lan"]\n[a\n',
        '[http]\nport = 8801\nhost = "::1"\nallowed_hosts = ["box.lan"]\n"""\n',
    ],
)
def test_safe_mode_is_where_the_file_says(tmp_path: Path, text: str) -> None:
    plan = safe(tmp_path, text)

    assert (plan.host, plan.port, plan.streams) == ("::1", 8801, ())
    assert plan.allowed_hosts == ("box.lan",)
    assert plan.config_path == str(tmp_path / "ooblexd.toml")


@pytest.mark.parametrize(
    "text", ["", "\x00", '[http]\nport = "eight"\n', "[http]\nport = 99999\nhost = 7\n"]
)
def test_safe_mode_is_where_it_always_is_if_the_file_says_nothing_good(
    tmp_path: Path, text: str
) -> None:
    plan = safe(tmp_path, text)

    assert (plan.host, plan.port) == ("127.0.0.1", 8800)


def test_safe_mode_without_a_readable_file(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"[http]\nport = 1 # \xe9\n")

    assert safe_plan(tmp_path / "nowhere.toml", {}).port == 8800
    assert safe_plan(tmp_path, {}).port == 8800
    assert safe_plan(tmp_path / "latin.toml", {}).port == 8800


def test_the_environment_holds_in_safe_mode_where_it_is_good(tmp_path: Path) -> None:
    text = "[http]\nport = 8801\nx"

    assert safe(tmp_path, text, OOBLEXD_HTTP__PORT="8802").port == 8802
    assert safe(tmp_path, text, OOBLEXD_HTTP__PORT="eight").port == 8800
    assert safe(tmp_path, text, OOBLEXD_LOG__LEVEL="loud").port == 8801


def test_the_last_good_version_is_that_of_the_same_file(tmp_path: Path) -> None:
    file, other = tmp_path / "ooblexd.toml", tmp_path / "other" / "ooblexd.toml"
    environ = {"XDG_STATE_HOME": str(tmp_path / "state")}
    file.write_text(GOOD)
    keep_last_good(file, digest_of(GOOD.encode()), environ)
    file.write_text("broken")

    plan = last_good_plan(file, {**environ, "OOBLEXD_HTTP__PORT": "8802"})

    assert [stream.name for stream in plan.streams] == ["door"]
    assert (plan.port, plan.config_path) == (8802, str(file))
    with pytest.raises(ConfigError, match="no such file"):
        last_good_plan(other, environ)


def test_a_copy_is_kept_of_what_runs_and_of_nothing_newer(tmp_path: Path) -> None:
    file = tmp_path / "ooblexd.toml"
    environ = {"STATE_DIRECTORY": str(tmp_path / "state")}
    runs = digest_of(GOOD.encode())
    copy = last_good_path(file, environ)

    file.write_text(GOOD)
    assert keep_last_good(file, runs, environ)
    file.write_text("edited since")
    assert not keep_last_good(file, runs, environ)
    file.unlink()
    assert not keep_last_good(file, runs, environ)

    assert copy.read_text() == GOOD
    assert copy.stat().st_mode & 0o777 == 0o600
    assert copy.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_the_copy_is_guarded_even_if_the_file_is_not(tmp_path: Path) -> None:
    file = tmp_path / "ooblexd.toml"
    environ = {"XDG_STATE_HOME": str(tmp_path)}
    for text in (GOOD, GOOD + "# more\n"):
        file.write_text(text)
        file.chmod(0o644)
        keep_last_good(file, digest_of(text.encode()), environ)

    copy = last_good_path(file, environ)
    assert copy.read_text() == GOOD + "# more\n"
    assert copy.stat().st_mode & 0o777 == 0o600


def test_copies_of_files_that_were_tried_and_given_up_do_not_pile_up(
    tmp_path: Path,
) -> None:
    environ = {"STATE_DIRECTORY": str(tmp_path / "state")}
    files = [tmp_path / f"{number}.toml" for number in range(MOST_COPIES + 3)]
    for file in files:
        file.write_text(GOOD)
        assert keep_last_good(file, digest_of(GOOD.encode()), environ)

    kept = [file for file in files if last_good_path(file, environ).exists()]
    assert kept == files[3:]
