"""The wall clock is stepped by an hour while a viewer watches, and nobody notices."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.support.appliance import Appliance
from tests.support.processes import eventually
from tests.support.viewer import MjpegViewer
from tests.support.wall_clock import SteppedClock

if TYPE_CHECKING:
    from pathlib import Path

# So few that a busy machine, which may pause for a second, covers nothing.
TOML = """
[streams.door]
source = "demo:"
max_fps = 1
effects = [{ effect = "overlay" }]
"""

pytestmark = pytest.mark.timeout(60)


def test_step_of_the_wall_clock_changes_dates_and_nothing_else(tmp_path: Path) -> None:
    clock = SteppedClock(tmp_path)

    def is_well() -> bool:
        health = daemon.request("GET", "/health").json()
        assert 0 <= health["uptime_s"] < 60
        is_running = daemon.stream("door")["state"] == "running"
        return is_running and health["status"] == "healthy"

    def has_date() -> bool:
        answer = daemon.request("GET", "/streams/door/snapshot.jpg")
        if "x-capture-time" not in answer.headers:  # a slate, since no picture came
            return False
        taken_s = float(answer.headers["x-capture-time"])
        return taken_s == pytest.approx(time.time() + step_s, abs=60)

    with (
        Appliance(tmp_path, TOML, clock.environment) as daemon,
        MjpegViewer(daemon.port, "door") as viewer,
    ):
        eventually(lambda: viewer.pictures().count("live") > 2)
        seen = len(viewer.parts)

        for step_s in (3600, -3600, 0):
            clock.step(step_s)
            count = viewer.pictures().count("live")
            eventually(lambda: viewer.pictures().count("live") > count + 3)  # noqa: B023 - at once
            eventually(has_date)
            eventually(is_well)
        shown = viewer.parts[seen:]

    # On a busy machine a frame may come late, which is held; nothing more happens.
    assert {part.picture for part in shown} <= {"live", "held"}
    ages_ms = [part.age_ms or 0 for part in shown if part.picture == "live"]
    assert 0 <= min(ages_ms) <= max(ages_ms) < 3000
    sequences = [part.sequence or 0 for part in shown]
    assert sequences == sorted(sequences)
