"""What real encoders publish by RTSP, read from their own connection."""

from __future__ import annotations

import signal

import numpy as np
import pytest

from tests.sources.test_published import published, read_soon, why_it_waits
from tests.support.publishers import ffmpeg

H265 = (
    *("-an", "-vf", "scale=320:-2", "-c:v", "libx265", "-preset", "ultrafast"),
    *("-x265-params", "log-level=error:keyint=25:bframes=0:pools=1"),
)


@pytest.mark.parametrize(("how", "codec"), [((), "h264"), (H265, "hevc")])
def test_video_is_read_in_its_order(how: tuple[str, ...], codec: str) -> None:
    with published("rtsp") as (source, url), ffmpeg(url, *how, form="rtsp"):
        read_soon(source)
        times = [source.read().pts_ns for _ in range(30)]

        assert source.description.codec == codec
        # Where the end of each picture begins to be marked, one has the former's time.
        steps = np.diff(times)
        assert all(0 <= step < 1e9 for step in steps)
        assert sum(steps == 0) <= 1


def test_sound_is_passed_over() -> None:
    how = ("-f", "lavfi", "-i", "sine", "-map", "1:a", "-map", "0:v", "-c:v", "copy")
    with published("rtsp") as (source, url), ffmpeg(url, *how, form="rtsp"):
        assert read_soon(source).width == 1280
        assert [source.read().width for _ in range(20)] == [1280] * 20


def test_one_who_falls_silent_is_gone_and_may_come_again() -> None:
    with published("rtsp", silence_s=4.0) as (source, url):
        with ffmpeg(url, form="rtsp") as process:
            read_soon(source)
            process.send_signal(signal.SIGSTOP)  # the connection stays
            assert why_it_waits(source) == "the publisher has sent no video for 4 s"
        with ffmpeg(url, form="rtsp"):
            assert read_soon(source).width == 1280


def test_the_newest_publisher_is_seen_and_the_former_cut_off() -> None:
    small = ("-an", "-vf", "scale=320:180", "-c:v", "libx264", "-preset", "ultrafast")
    with published("rtsp") as (source, url), ffmpeg(url, form="rtsp") as former:
        assert read_soon(source).width == 1280
        with ffmpeg(url, *small, form="rtsp"):
            while read_soon(source).width != 320:
                pass
            assert former.wait(20) != 0
