"""``max_fps``: thinned evenly, before decoding where that can be."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ooblexd.clock import NS_PER_S
from ooblexd.sources import Rate, SourceOptions, open_source
from ooblexd.sources.network import is_intra_only

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cameras import RtspCamera


def arrivals(fps: float, seconds: float) -> list[int]:
    return [round(n * NS_PER_S / fps) for n in range(round(seconds * fps))]


@pytest.mark.parametrize(
    ("fps", "max_fps", "kept"),
    [
        (25, 25, 250),
        (30, 15, 150),
        (25, 10, 100),
        (30, 29, 290),
        (5, 30, 50),
        (30, 0, 300),
    ],
)
def test_pictures_are_thinned_to_the_rate(fps: int, max_fps: int, kept: int) -> None:
    rate = Rate(max_fps)

    admitted = [at for at in arrivals(fps, 10) if rate.admits(at)]

    assert len(admitted) == pytest.approx(kept, abs=1)


@given(st.floats(0.5, 60), st.lists(st.integers(0, 10**9), min_size=1, max_size=200))
def test_no_second_has_more_than_the_rate(max_fps: float, gaps: list[int]) -> None:
    rate, at_ns, admitted = Rate(max_fps), 0, []
    for gap in gaps:
        at_ns += gap
        if rate.admits(at_ns):
            admitted.append(at_ns)

    for start in admitted:
        within = [at for at in admitted if start <= at < start + NS_PER_S]
        assert len(within) <= max_fps + 2


def test_jitter_costs_no_picture_of_a_source_at_just_that_rate() -> None:
    rate = Rate(25)
    jitter = (0, 3_000_000, -3_000_000, 2_000_000)

    assert all(rate.admits(at + jitter[at % 4]) for at in arrivals(25, 4))


def test_refused_pictures_are_told_one_by_one() -> None:
    refused: list[int] = []
    rate = Rate(10, lambda: refused.append(1))

    admitted = [at for at in arrivals(30, 2) if rate.admits(at)]

    assert len(admitted) + len(refused) == 60


def test_rate_is_changed_at_once_by_whoever_wants() -> None:
    rate = Rate(0.1)
    assert rate.admits(0)
    assert not rate.admits(NS_PER_S)

    rate.max_fps = 25

    assert rate.admits(NS_PER_S + NS_PER_S // 10)


@pytest.mark.parametrize("mount", ["h264", "h265", "mjpeg"])
def test_camera_is_thinned_and_what_is_missing_is_told(
    rtsp: RtspCamera, mount: str
) -> None:
    refused: list[int] = []
    rate = Rate(5, lambda: refused.append(1))
    source = open_source(rtsp.url(mount), SourceOptions(rate=rate))

    times = [source.read().capture_ns for _ in range(6)][1:]
    source.close()

    # A picture may come late on a busy machine, and the next in time.
    assert (times[-1] - times[0]) / (len(times) - 1) > 0.12 * NS_PER_S
    assert 12 <= len(refused) <= 30  # 25 fps came, 5 were wanted


@pytest.mark.parametrize(
    ("codec", "is_skimmed"), [("mjpeg", True), ("h264", False), ("hevc", False)]
)
def test_only_what_no_other_picture_needs_is_dropped_undecoded(
    codec: str, *, is_skimmed: bool
) -> None:
    context = av.CodecContext.create(codec, "r")
    assert isinstance(context, av.VideoCodecContext)

    assert is_intra_only(context) is is_skimmed


def test_demo_and_clips_are_thinned_too(clips: Path) -> None:
    for url in ("demo:", f"file:{clips / 'clip.264'}"):
        source = open_source(url, SourceOptions(rate=Rate(10)))
        times = [source.read().capture_ns for _ in range(4)]
        source.close()

        gaps = [after - before for before, after in itertools.pairwise(times)]
        assert min(gaps) > 0.06 * NS_PER_S
