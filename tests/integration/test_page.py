"""The page in a real browser."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.appliance import Appliance
from tests.support.processes import eventually

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(90)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr")


def look_at(url: str, home: Path) -> tuple[str, str]:
    """Return the page as a browser has it after some seconds, and its complaints."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("apt install chromium")
    answer = subprocess.run(
        [
            *(browser, *QUIET, f"--user-data-dir={home / 'browser'}"),
            *("--dump-dom", "--virtual-time-budget=8000", url),
        ],
        env={**os.environ, "HOME": str(home)},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    console = [line for line in answer.stderr.splitlines() if ":CONSOLE" in line]
    return answer.stdout, "\n".join(console)


def test_a_browser_shows_the_demo_live_and_complains_of_nothing(
    tmp_path: Path,
) -> None:
    with Appliance(tmp_path) as appliance:
        eventually(lambda: appliance.stream("demo")["picture"] == "live", 20)
        page, console = look_at(f"{appliance.url}/", tmp_path)

    assert "demo" in page
    assert "Live" in page
    assert not console
