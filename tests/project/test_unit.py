"""The service's files, as systemd itself judges them."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tests.support.repository import ROOT

UNIT = ROOT / "systemd/ooblexd.service"
EXPOSURE = 2.5  # of 10; what reaches cameras and the network cannot be at 0
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="apt install systemd-container"
)


def settings() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@needs_systemd
def test_a_hijacked_decoder_can_reach_little() -> None:
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", UNIT],
        check=False,
        capture_output=True,
        text=True,
    ).stdout

    exposure = re.search(r"Overall exposure level for ooblexd.service: (\S+)", judged)
    assert exposure, judged
    assert float(exposure[1]) <= EXPOSURE


@needs_systemd
def test_systemd_knows_every_setting() -> None:
    judged = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", UNIT],
        check=False,
        capture_output=True,
        text=True,
    )

    said = judged.stderr.splitlines()
    assert all("/usr/bin/ooblexd is not executable" in line for line in said), said


def test_workers_are_given_their_time_to_stop() -> None:
    # Four kinds of workers, each a second to end and two to be killed.
    assert int(settings()["TimeoutStopSec"][0]) >= 4 * 3


def test_no_picture_reaches_a_disk_by_swap_or_core_file() -> None:
    assert settings()["MemorySwapMax"] == ["0"]
    assert settings()["LimitCORE"] == ["0"]
    assert settings()["LimitMEMLOCK"] == ["infinity"]
