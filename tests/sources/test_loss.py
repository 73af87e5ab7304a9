"""A camera behind a network that loses and delays packets."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import pytest

from ooblexd.pixels import new_planes
from ooblexd.sources import SourceOptions, open_source
from ooblexd.sources.pixelclock import read_stamp
from tests.support.lossy_network import lossy_network
from tests.support.numbered import make_units, numbered_camera

if TYPE_CHECKING:
    from pathlib import Path

    from ooblexd.sources import Transport
    from tests.support.numbered import NumberedCamera

SIZE = (640, 360)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_pictures_go_on_and_stay_young_though_packets_are_lost_and_late(
    tmp_path: Path, transport: Transport
) -> None:
    units = make_units(tmp_path, "264", size=SIZE, count=150)
    with lossy_network(tmp_path, "-l", "2", "-d", "20+15") as network:
        place = (network.namespaces[1], network.addresses[1])
        with numbered_camera(units, place=place) as camera:
            ages_ms = network.near(lambda: ages_ms_of(camera, transport, pictures=15))

    assert len(ages_ms) == 15
    assert statistics.median(ages_ms) < 1000


def ages_ms_of(
    camera: NumberedCamera, transport: Transport, pictures: int
) -> list[float]:
    """Return how old so many pictures were, of those whose numbers can be read."""
    source = open_source(camera.url, SourceOptions(transport=transport))
    planes, seen = new_planes(*SIZE), list[tuple[int, int]]()
    for _ in range(600):  # what is lost damages pictures up to the next keyframe
        source.read().copy_to(planes)
        stamp = read_stamp(planes.y)
        if stamp is not None:
            seen.append((stamp.sequence, time.time_ns() // 1000))
        if len(seen) == pictures:
            break
    source.close()
    return camera.ages_ms(seen)
