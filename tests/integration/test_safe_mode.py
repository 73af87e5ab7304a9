"""A configuration file that cannot be used, met at the start and by a reload."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.sync_api import expect

from ooblexd.config.last_good import last_good_path
from tests.support.appliance import DEMO_TOML, Appliance
from tests.support.browser import open_browser, open_page
from tests.support.processes import eventually

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(90)

SERVICE = {"NOTIFY_SOCKET": "@nobody-listens-here"}
TYPO = DEMO_TOML.replace('source = "demo:"', 'source = "demo:"\nfsp = 3')


def config_check(daemon: Appliance) -> dict[str, str]:
    check: dict[str, str] = daemon.request("GET", "/health").json()["checks"]["config"]
    return check


def reload(daemon: Appliance, toml: str) -> None:
    daemon.config.write_text(toml)
    daemon.process.send_signal(signal.SIGHUP)


def kept(daemon: Appliance, folder: Path) -> Path:
    return last_good_path(daemon.config, {"XDG_STATE_HOME": str(folder / "state")})


def state(daemon: Appliance, name: str) -> str | None:
    items = daemon.request("GET", "/api/v1/streams").json()["items"]
    return next((item["state"] for item in items if item["name"] == name), None)


def test_a_service_with_a_bad_file_tells_it_and_recovers_by_sighup(
    tmp_path: Path,
) -> None:
    with Appliance(tmp_path, TYPO, SERVICE) as daemon:
        health = daemon.request("GET", "/health")
        assert health.status_code == 503
        assert health.json()["status"] == "unhealthy"
        told = f"{daemon.config}:4: streams.demo.fsp: unknown key"
        assert told in config_check(daemon)["reason"]
        config = daemon.request("GET", "/api/v1/config")
        assert config.status_code == 503
        assert config.json()["runs"] == "nothing"
        assert config.json()["errors"][0]["key"] == "streams.demo.fsp"
        assert config.json()["errors"][0]["place"] == f"{daemon.config}:4"
        added = {"name": "door", "source": "demo:"}
        assert daemon.request("POST", "/api/v1/streams", added).status_code == 503
        assert daemon.config.read_text() == TYPO

        reload(daemon, DEMO_TOML)

        eventually(lambda: state(daemon, "demo") == "running", 30)
        assert config_check(daemon) == {"status": "healthy", "reason": ""}
        assert daemon.request("POST", "/api/v1/streams", added).status_code == 201
        assert daemon.stop() == 0


def test_a_service_with_a_bad_file_runs_its_last_good_version(tmp_path: Path) -> None:
    with Appliance(tmp_path, DEMO_TOML, SERVICE) as daemon:
        eventually(lambda: kept(daemon, tmp_path).exists())
        assert kept(daemon, tmp_path).stat().st_mode & 0o777 == 0o600
    with Appliance(tmp_path, TYPO, SERVICE) as daemon:
        eventually(lambda: state(daemon, "demo") == "running", 30)
        check = config_check(daemon)
        assert check["status"] == "degraded"
        assert "its last good version runs" in check["reason"]
        assert f"{daemon.config}:4: streams.demo.fsp" in check["reason"]
        assert kept(daemon, tmp_path).read_text() == DEMO_TOML

        reload(daemon, DEMO_TOML)

        eventually(lambda: config_check(daemon)["status"] == "healthy")
        assert daemon.config.read_text() == DEMO_TOML
        assert daemon.stop() == 0


def test_why_a_reload_failed_is_told_until_a_good_one(tmp_path: Path) -> None:
    with Appliance(tmp_path, DEMO_TOML) as daemon:
        eventually(lambda: state(daemon, "demo") == "running", 30)
        reload(daemon, TYPO)
        eventually(lambda: config_check(daemon)["status"] == "degraded")
        daemon.kill("control")  # its next life is told too
        eventually(lambda: "fsp" in reason_of_whoever_answers(daemon))
        assert state(daemon, "demo") == "running"

        reload(daemon, DEMO_TOML)

        eventually(lambda: config_check(daemon)["status"] == "healthy")


def reason_of_whoever_answers(daemon: Appliance) -> str:
    try:
        return config_check(daemon)["reason"]
    except (httpx.TransportError, KeyError):
        return ""


def test_the_page_says_what_is_wrong_and_where(tmp_path: Path) -> None:
    with (
        Appliance(tmp_path, TYPO, SERVICE) as daemon,
        open_browser() as browser,
        open_page(browser, daemon.url, but="503") as page,
    ):
        banner = page.locator("#config")

        expect(banner).to_be_visible()
        expect(banner).to_contain_text("safe mode, no stream runs")
        expect(banner).to_contain_text(f"{daemon.config}:4: streams.demo.fsp")
        expect(page.locator("#empty")).not_to_be_visible()

        reload(daemon, DEMO_TOML)

        expect(banner).not_to_be_visible()
        expect(page.locator("article.card h2")).to_have_text("demo")


def run(config: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "ooblexd", "run", "--config", str(config), *options]


def test_whoever_starts_it_at_a_terminal_is_told_and_it_ends(tmp_path: Path) -> None:
    config = tmp_path / "ooblexd.toml"
    config.write_text(TYPO)
    ours, theirs = pty.openpty()

    ended = subprocess.run(
        run(config), env={**os.environ, **SERVICE}, stderr=theirs, check=False
    )

    os.close(theirs)
    told = os.read(ours, 4096).decode()
    os.close(ours)
    assert ended.returncode == 2
    assert told.startswith(f"{config}:4: streams.demo.fsp: unknown key")


def test_a_service_may_be_told_to_end(tmp_path: Path) -> None:
    config = tmp_path / "ooblexd.toml"
    config.write_text(TYPO)

    ended = subprocess.run(
        run(config, "--no-safe-mode"),
        env={**os.environ, **SERVICE},
        stderr=subprocess.DEVNULL,
        check=False,
    )

    assert ended.returncode == 2


def test_a_state_folder_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no folder")

    with Appliance(tmp_path, DEMO_TOML) as daemon:
        eventually(lambda: "no copy of the configuration is kept" in daemon.log())
        eventually(lambda: state(daemon, "demo") == "running", 30)
        assert daemon.log().count("no copy of the configuration") == 1


def test_an_api_change_is_kept_as_the_last_good_version(tmp_path: Path) -> None:
    with Appliance(tmp_path, DEMO_TOML) as daemon:
        patch = {"streams": {"demo": {"max_fps": 5}}}
        assert daemon.request("PATCH", "/api/v1/config", patch).status_code == 200

        copy = kept(daemon, tmp_path)
        eventually(lambda: copy.exists() and "max_fps = 5" in copy.read_text())

        assert copy.read_text() == daemon.config.read_text()


def test_a_full_state_folder_costs_the_copy_and_nothing_else(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    small = tmp_path / "state"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(small)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a file system")
    try:
        with Appliance(tmp_path, DEMO_TOML) as daemon:
            eventually(lambda: kept(daemon, tmp_path).exists())
            shutil.copy(kept(daemon, tmp_path), tmp_path / "before")
            ballast = ["dd", "if=/dev/zero", f"of={small}/ballast"]
            subprocess.run(ballast, check=False, capture_output=True)

            long = "# a long comment\n" * 1000
            reload(daemon, DEMO_TOML + long)

            told = "no copy of the configuration is kept"
            eventually(lambda: told in daemon.log())
            before = (tmp_path / "before").read_text()
            assert kept(daemon, tmp_path).read_text() == before
            assert state(daemon, "demo") == "running"
    finally:
        subprocess.run(["umount", str(small)], check=True)
