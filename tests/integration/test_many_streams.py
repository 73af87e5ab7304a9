"""Fifty streams come and go by the API, again and again, and nothing stays of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ooblexd.config.load import load_config
from tests.support.appliance import Appliance
from tests.support.faults import footprint, footprint_at_rest
from tests.support.processes import eventually

if TYPE_CHECKING:
    from pathlib import Path

STREAMS, AT_ONCE = 50, 5
NOTHING_YET = "# streams come by the API\n"
GROWN_BYTES = 24 << 20  # of caches, once: a leak of rings would be far more

pytestmark = pytest.mark.timeout(240)


def come_and_go(daemon: Appliance, first: int) -> None:
    """Add a few streams, and remove them while their workers are about to start."""
    names = [f"brief{first + n}" for n in range(AT_ONCE)]
    for name in names:
        body = {"name": name, "source": "upload:", "effects": []}
        assert daemon.request("POST", "/api/v1/streams", body).status_code == 201
    for name in names:
        answer = daemon.request("DELETE", f"/api/v1/streams/{name}", {})
        assert answer.status_code == 204


def test_fifty_streams_that_come_and_go_leave_nothing(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("what protected processes hold takes root to see")
    with Appliance(tmp_path, NOTHING_YET) as daemon:
        come_and_go(daemon, 1000)
        workers = {"supervisor", "control", "inference:0"}
        eventually(lambda: set(footprint(daemon).descriptors) <= workers)
        before = footprint_at_rest(daemon)

        for first in range(0, STREAMS, AT_ONCE):
            come_and_go(daemon, first)

        eventually(lambda: footprint(daemon).descriptors == before.descriptors)
        after = footprint(daemon)
        assert after.segments <= before.segments
        assert after.pss_bytes < before.pss_bytes + GROWN_BYTES
        assert not load_config(daemon.config, {}).streams
        assert daemon.config.read_text().startswith(NOTHING_YET)
        assert daemon.stop() == 0
