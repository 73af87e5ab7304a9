"""The demo needs nothing, loops for ever, and says when each picture was made."""

from __future__ import annotations

import itertools

import av
import numpy as np
import pytest

from ooblexd.clock import unix_us
from ooblexd.pixels import Plane, new_planes
from ooblexd.sources import SourceOptions, open_source
from ooblexd.sources.demo import DEMO_CLIP, DemoSource
from ooblexd.sources.pixelclock import STRIP_FRACTION, read_stamp

LOOP_FRAMES = 360


def test_demo_is_a_720p30_stream_without_b_frames() -> None:
    source = open_source("demo:")

    description = source.description
    source.close()

    assert (description.width, description.height) == (1280, 720)
    assert description.fps == 30
    assert not description.has_b_frames


def test_clock_in_the_pixels_is_the_capture_time() -> None:
    source = DemoSource(SourceOptions())
    planes = new_planes(1280, 720)

    pictures = []
    for _ in range(5):
        picture = source.read()
        picture.copy_to(planes)
        pictures.append((picture, read_stamp(planes.y)))
    source.close()

    for number, (picture, stamp) in enumerate(pictures):
        assert stamp is not None
        assert abs(stamp.unix_us - unix_us(picture.capture_ns)) < 1000
        assert stamp.sequence >= number


def test_pictures_come_at_the_pace_of_the_clip() -> None:
    source = DemoSource(SourceOptions())

    start_ns = source.read().capture_ns
    ticks = [source.read() for _ in range(15)][-1]
    source.close()

    elapsed_ns = ticks.capture_ns - start_ns
    assert elapsed_ns >= ticks.tick * 33_333_333 - 2_000_000


@pytest.fixture(scope="module")
def scenes() -> list[Plane]:
    """The luma of all pictures of the clip, a quarter of the size."""
    with av.open(str(DEMO_CLIP)) as container:
        return [
            np.asarray(frame.to_ndarray(), np.uint8)[0:720:4, 0:1280:4]
            for frame in container.decode(video=0)
        ]


def test_loop_has_no_seam(scenes: list[Plane]) -> None:
    steps = [difference(one, other) for one, other in itertools.pairwise(scenes)]

    assert len(scenes) == LOOP_FRAMES
    assert difference(scenes[-1], scenes[0]) <= max(steps)


def test_lowest_lines_are_kept_free_for_the_clock(scenes: list[Plane]) -> None:
    for luma in scenes:
        assert luma[-luma.shape[0] // STRIP_FRACTION + 1 :].max() < 40


def difference(one: Plane, other: Plane) -> float:
    return float(np.abs(one.astype(np.int16) - other).mean())
