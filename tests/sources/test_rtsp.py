"""RTSP cameras of real software: what they deliver, and why they do not."""

from __future__ import annotations

import socket
import time
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ooblexd.clock import monotonic_ns
from ooblexd.errors import SourceError, SourceRefusedError, SourceUnavailableError
from ooblexd.pixels import new_planes
from ooblexd.sources import Picture, SourceOptions, Transport, open_source
from tests.support.processes import eventually

if TYPE_CHECKING:
    from tests.support.cameras import RtspCamera

PATIENT = SourceOptions(open_timeout_s=15.0, read_timeout_s=15.0)
QUICK = replace(PATIENT, read_timeout_s=0.5)  # where silence is what is meant
CODECS = {"h264": "h264", "h265": "hevc", "mjpeg": "mjpeg"}


def pictures_of(
    url: str, count: int, options: SourceOptions = PATIENT
) -> list[Picture]:
    source = open_source(url, options)
    try:
        return [source.read() for _ in range(count)]
    finally:
        source.close()


def reason_of(url: str, options: SourceOptions = PATIENT, reads: int = 0) -> str:
    with pytest.raises(SourceUnavailableError) as caught:
        pictures_of(url, reads, options)
    return caught.value.reason


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("mount", CODECS)
def test_camera_with_digest_login_delivers_at_its_pace(
    rtsp: RtspCamera, mount: str, transport: Transport
) -> None:
    options = replace(PATIENT, transport=transport)
    source = open_source(rtsp.url(mount, "digest"), options)
    description = source.description

    pictures = [source.read() for _ in range(6)]
    source.close()

    assert (description.codec, description.transport) == (CODECS[mount], transport)
    assert (description.width, description.height, description.fps) == (640, 360, 25)
    assert {(p.width, p.height) for p in pictures} == {(640, 360)}
    assert all(p.full_range == (mount == "mjpeg") for p in pictures)
    captures_ns = [p.capture_ns for p in pictures]
    assert captures_ns == sorted(captures_ns)
    assert all(p.decoded_ns >= p.capture_ns for p in pictures)


def test_picture_of_a_camera_shows_what_it_films(rtsp: RtspCamera) -> None:
    planes = new_planes(640, 360)

    pictures_of(rtsp.url("h264"), 1)[0].copy_to(planes)

    # The demo: a light portrait at the left, a dark strip at the bottom.
    assert planes.y[150:210, 130:160].mean() > 120
    assert planes.y[-10:].mean() < 40


def test_first_picture_comes_within_a_keyframe_interval_and_a_second(
    rtsp: RtspCamera,
) -> None:
    def took_ns() -> int:
        start_ns = monotonic_ns()
        pictures_of(rtsp.url("h264"), 1)
        return monotonic_ns() - start_ns

    eventually(lambda: took_ns() < 2e9)  # it is not long each time


def test_basic_login_is_given(rtsp: RtspCamera) -> None:
    assert pictures_of(rtsp.url("h264", "basic"), 1)


def test_auto_takes_udp_where_the_camera_refuses_tcp(rtsp: RtspCamera) -> None:
    source = open_source(rtsp.url("udponly"), PATIENT)
    source.read()
    source.close()

    assert source.description.transport == "udp"
    assert reason_of(rtsp.url("udponly"), replace(PATIENT, transport="tcp")) == (
        "the camera refuses this transport (461)"
    )


def test_audio_beside_the_video_is_ignored(rtsp: RtspCamera) -> None:
    assert len(pictures_of(rtsp.url("av"), 5)) == 5


def test_size_may_change_within_the_stream(rtsp: RtspCamera) -> None:
    pictures = pictures_of(rtsp.url("resized"), 60)

    for picture in pictures:
        picture.copy_to(new_planes(picture.width, picture.height))
    assert {(p.width, p.height) for p in pictures} == {(640, 360), (322, 242)}


@pytest.mark.parametrize("login", ["basic", "digest"])
@pytest.mark.parametrize("userinfo", ["", "admin:wr0ng@"])
def test_wrong_login_is_refused(rtsp: RtspCamera, login: str, userinfo: str) -> None:
    with pytest.raises(SourceRefusedError, match=r"^login refused \(401\)$"):
        pictures_of(rtsp.url("h264", login, userinfo), 1)


@pytest.mark.parametrize(
    ("mount", "reads", "reason"),
    [
        ("nothing", 0, "nothing at this path (404)"),
        ("audio", 0, "there is no video track"),
        ("frozen", 60, "nothing came for 0.5 s"),
        ("ending", 60, "the stream ended"),
    ],
)
def test_each_fault_of_a_camera_has_its_own_reason(
    rtsp: RtspCamera, mount: str, reads: int, reason: str
) -> None:
    options = QUICK if mount == "frozen" else PATIENT

    assert reason_of(rtsp.url(mount), options, reads) == reason


def test_host_that_does_not_exist_is_named() -> None:
    assert reason_of("rtsp://u:secret@camera.invalid/") == (
        "there is no host camera.invalid"
    )


def test_password_that_is_misread_as_a_host_is_not_shown() -> None:
    reason = reason_of("rtsp://u:SEC@RET.invalid/%@camera/")

    assert reason == "there is no host; write @ / # ? of a password as %40 %2F %23 %3F"


def test_closed_port_refuses_the_connection() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        assert reason_of(f"rtsp://127.0.0.1:{port}/") == "connection refused"


def test_silent_host_is_given_up_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        start_s = time.monotonic()

        reason = reason_of(
            f"rtsp://127.0.0.1:{port}/", SourceOptions(open_timeout_s=0.5)
        )

        assert reason == "no answer within 0.5 s"
        assert time.monotonic() - start_s < 5


@pytest.mark.parametrize("mount", ["h264", "nothing", "audio"])
def test_no_error_shows_the_login(
    rtsp: RtspCamera,
    mount: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    url = rtsp.url(mount, "basic", "hunter:secretly%40me@")

    with pytest.raises(SourceError) as caught:
        pictures_of(url, 1)

    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    told = capfd.readouterr()
    for text in (shown, repr(caught.value.__cause__), caplog.text, *told):
        assert "secretly" not in text
        assert "hunter" not in text


def test_second_close_does_nothing(rtsp: RtspCamera) -> None:
    source = open_source(rtsp.url("h264"), PATIENT)

    source.close()
    source.close()
