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

TOML = """
[streams.door]
source = "demo:"
effects = [{ effect = "overlay" }]
"""

pytestmark = pytest.mark.timeout(60)


def test_step_of_the_wall_clock_changes_dates_and_nothing_else(tmp_path: Path) -> None:
    clock = SteppedClock(tmp_path)
    with (
        Appliance(tmp_path, TOML, clock.environment) as daemon,
        MjpegViewer(daemon.port, "door") as viewer,
    ):
        eventually(lambda: viewer.pictures().count("live") > 5)
        seen = viewer.pictures().index("live")

        for step_s in (3600, -3600, 0):
            clock.step(step_s)
            count = len(viewer.parts)
            eventually(lambda: len(viewer.parts) > count + 20)  # noqa: B023 - at once
            answer = daemon.request("GET", "/streams/door/snapshot.jpg")
            taken_s = float(answer.headers["x-capture-time"])
            health = daemon.request("GET", "/health").json()

            assert taken_s == pytest.approx(time.time() + step_s, abs=60)
            assert health["status"] == "healthy"
            assert 0 <= health["uptime_s"] < 60
            assert daemon.stream("door")["state"] == "running"
        shown = viewer.parts[seen:]

    assert {part.picture for part in shown} == {"live"}
    assert all(0 <= (part.age_ms or 0) < 2000 for part in shown)
    sequences = [part.sequence or 0 for part in shown]
    assert sequences == sorted(sequences)
