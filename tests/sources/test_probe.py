"""A probe says what real sources are, and exactly why others cannot be read."""

from __future__ import annotations

import subprocess
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from ooblexd.errors import ConfigError
from ooblexd.sources import InputOptions, SourceOptions
from ooblexd.sources.probe import probe
from ooblexd.sources.report import AudioReport, VideoReport
from tests.support.cameras import LOGIN, PASSWORD, require_ffmpeg
from tests.support.processes import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from ooblexd.sources.report import SourceReport
    from tests.support.cameras import RtspCamera
    from tests.support.http_camera import HttpCamera

WATCH_S = 1.6  # the clips have a keyframe a second


def video_of(report: SourceReport) -> VideoReport:
    assert report.ok, report.reason
    assert report.video is not None
    return report.video


@pytest.mark.parametrize(
    ("mount", "codec", "keyframes_s"),
    [("h264", "h264", 1.0), ("h265", "hevc", 1.0), ("mjpeg", "mjpeg", 0.04)],
)
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_camera_is_told_by_codec_size_rate_and_keyframes(
    rtsp: RtspCamera, mount: str, codec: str, keyframes_s: float, transport: str
) -> None:
    options = SourceOptions(transport="tcp" if transport == "tcp" else "udp")

    report = probe(rtsp.url(mount, "digest"), options, WATCH_S)

    video = video_of(report)
    assert (video.codec, video.width, video.height) == (codec, 640, 360)
    assert video.fps == pytest.approx(25, rel=0.2)
    assert video.keyframe_interval_s == pytest.approx(keyframes_s, rel=0.6)
    assert not video.has_b_frames
    assert report.transport == transport
    assert PASSWORD not in str(asdict(report))


def test_camera_that_refuses_tcp_is_looked_at_by_udp(rtsp: RtspCamera) -> None:
    report = probe(rtsp.url("udponly"), SourceOptions(), 0.3)

    assert (report.ok, report.transport) == (True, "udp")


@pytest.mark.parametrize(
    ("mount", "login", "reason"),
    [
        ("h264", "admin:wrong@", "login refused (401)"),
        ("no-such-mount", LOGIN, "nothing at this path (404)"),
        ("audio", LOGIN, "there is no video track"),
    ],
)
def test_camera_that_cannot_be_read_has_its_reason(
    rtsp: RtspCamera, mount: str, login: str, reason: str
) -> None:
    report = probe(rtsp.url(mount, "digest", login), SourceOptions(), 0.3)

    assert (report.ok, report.reason, report.video) == (False, reason, None)


def test_http_camera_and_demo_are_looked_at(http: HttpCamera) -> None:
    camera = probe(http.url("stream"), SourceOptions(), 0.5)
    demo = probe("demo:", SourceOptions(), 0.5)

    assert (video_of(camera).codec, camera.transport) == ("mjpeg", "http")
    assert video_of(demo) == VideoReport(
        *("h264", "High", 1280, 720, "yuv420p", 30.0, 30.0, 1.0, False)
    )
    assert (demo.transport, demo.audio, demo.warnings) == ("local", (), ())


def test_the_rate_of_a_camera_that_tells_no_time_is_measured(http: HttpCamera) -> None:
    def video() -> VideoReport:
        return video_of(probe(http.url("slow"), SourceOptions(), 2.0))

    eventually(lambda: video().fps == pytest.approx(10, rel=0.15))
    assert video().announced_fps == 0.0


def test_b_frames_sound_and_size_of_a_file_are_told(tmp_path: Path) -> None:
    require_ffmpeg()
    path = tmp_path / "b.mp4"
    subprocess.run(
        [
            *("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=320x240"),
            *("-f", "lavfi", "-i", "sine", "-t", "4", "-c:v", "libx264", "-bf", "2"),
            *("-g", "50", "-pix_fmt", "yuv420p", "-c:a", "aac", str(path)),
        ],
        check=True,
    )

    report = probe(f"file:{path}", SourceOptions(), 1.0)

    video = video_of(report)
    assert video.has_b_frames
    assert video.keyframe_interval_s == pytest.approx(2.0, abs=0.1)
    assert report.audio == (AudioReport("aac", 44100, 1),)
    [warning] = report.warnings
    assert "B-frames" in warning


def test_sound_that_is_not_passed_on_is_named_with_what_to_do(tmp_path: Path) -> None:
    require_ffmpeg()
    path = tmp_path / "mp2.ts"
    sound = ("-f", "lavfi", "-i", "sine", "-t", "1", "-c:a", "mp2")
    video = ("-f", "lavfi", "-i", "testsrc=size=320x240")
    subprocess.run(["ffmpeg", "-v", "error", *video, *sound, path], check=True)

    report = probe(f"file:{path}", SourceOptions(), 0.5)

    assert [track.codec for track in report.audio] == ["mp2"]
    [warning] = report.warnings
    assert "MP2, which is left out: set the encoder to AAC-LC" in warning


def test_command_is_looked_at_by_its_pictures() -> None:
    require_ffmpeg()
    command = "ffmpeg -v error -re -f lavfi -i testsrc=size=64x48:rate=25"
    raw = SourceOptions(input=InputOptions("i420", 64, 48))

    def fps_of_planes() -> float:
        url = f"exec:{command} -pix_fmt yuv420p -f rawvideo -"
        return video_of(probe(url, raw, 0.5)).fps

    mjpeg = probe(f"exec:{command} -f mjpeg -", SourceOptions(), 0.5)
    gone = probe("exec:no-such-command", SourceOptions())

    assert (video_of(mjpeg).codec, mjpeg.transport) == ("mjpeg", "pipe")
    eventually(lambda: fps_of_planes() == pytest.approx(25, rel=0.3))
    assert (gone.ok, gone.reason) == (False, "there is no command no-such-command")


def test_what_is_no_source_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no source gopher:"):
        probe("gopher://camera/", SourceOptions())
