"""MJPEG over HTTP, from a camera with faults and from real encoders."""

from __future__ import annotations

import socket
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ooblexd.errors import SourceRefusedError, SourceUnavailableError
from ooblexd.frame import Matrix
from ooblexd.pixels import new_planes
from ooblexd.sources import Picture, Source, SourceOptions, open_source
from ooblexd.sources.demo import DEMO_CLIP
from tests.support.cameras import LOGIN, require_ffmpeg
from tests.support.processes import eventually

if TYPE_CHECKING:
    from tests.support.http_camera import HttpCamera

PATIENT = SourceOptions(open_timeout_s=15.0, read_timeout_s=15.0)
QUICK = {  # where silence is what is meant
    "silent": replace(PATIENT, open_timeout_s=2.0),
    "frozen": replace(PATIENT, read_timeout_s=0.5),
}


def pictures_of(
    url: str, count: int, options: SourceOptions = PATIENT
) -> list[Picture]:
    source = open_source(url, options)
    try:
        return [source.read() for _ in range(count)]
    finally:
        source.close()


def reason_of(url: str, reads: int, options: SourceOptions) -> str:
    with pytest.raises(SourceUnavailableError) as caught:
        pictures_of(url, reads, options)
    return caught.value.reason


def test_camera_delivers_full_range_pictures_of_an_odd_size(http: HttpCamera) -> None:
    picture = pictures_of(http.url("stream"), 1)[0]
    planes = new_planes(321, 243)

    picture.copy_to(planes)

    assert (picture.width, picture.height) == (321, 243)
    assert picture.full_range
    assert picture.matrix is Matrix.BT601
    # Left (0, 255, 0) to right (255, 0, 127) in BGR: 150 to 67 in full range.
    assert abs(float(planes.y[:, 2].mean()) - 150) < 4
    assert abs(float(planes.y[:, -3].mean()) - 67) < 4


def test_picture_is_handed_on_with_its_last_byte(http: HttpCamera) -> None:
    source = open_source(http.url("counted"), PATIENT)
    planes = new_planes(320, 240)

    ages_ms = []
    for _ in range(12):
        picture = source.read()
        picture.copy_to(planes)
        number = round(float(planes.y.mean()) / 10)
        eventually(lambda: len(http.sent_ns) > number)  # noqa: B023 - at once
        ages_ms.append((picture.capture_ns - http.sent_ns[number]) / 1e6)
    source.close()

    # One period, 40 ms, is what waiting for the next boundary would take.
    assert float(np.median(ages_ms)) < 15


def test_parts_without_a_length_are_pictures_too(http: HttpCamera) -> None:
    assert len(pictures_of(http.url("unsized"), 3)) == 3


def test_login_is_given(http: HttpCamera) -> None:
    assert pictures_of(http.url("locked", LOGIN), 1)


@pytest.mark.parametrize("userinfo", ["", "admin:wr0ng@"])
def test_wrong_login_is_refused(http: HttpCamera, userinfo: str) -> None:
    with pytest.raises(SourceRefusedError, match=r"^login refused \(401\)$"):
        pictures_of(http.url("locked", userinfo), 0)


def test_size_may_change_within_the_stream(http: HttpCamera) -> None:
    pictures = pictures_of(http.url("resized"), 12)

    for picture in pictures:
        picture.copy_to(new_planes(picture.width, picture.height))
    assert {(p.width, p.height) for p in pictures} == {(320, 240), (162, 122)}


def test_grey_pictures_have_neutral_colour(http: HttpCamera) -> None:
    picture = pictures_of(http.url("grey"), 1)[0]
    planes = new_planes(320, 240)

    picture.copy_to(planes)

    assert picture.full_range
    assert (planes.u == 128).all()
    assert int(planes.y.max()) > 250
    assert int(planes.y.min()) < 5


@pytest.mark.parametrize(
    ("path", "reads", "reason"),
    [
        ("nothing", 0, "nothing at this path (404)"),
        ("page", 0, "what answers is not a video"),
        ("broken", 0, "the camera reports an error of its own (500)"),
        ("garbage", 0, "what arrives cannot be decoded"),
        ("silent", 0, "no answer within 2 s"),
        ("frozen", 20, "nothing came for 0.5 s"),
        ("ending", 20, "the connection was lost"),
    ],
)
def test_each_fault_has_its_own_reason(
    http: HttpCamera, path: str, reads: int, reason: str
) -> None:
    assert reason_of(http.url(path), reads, QUICK.get(path, PATIENT)) == reason


def test_ffmpeg_as_camera_is_read() -> None:
    require_ffmpeg()
    port = free_port()
    arguments = [*("-re", "-i", str(DEMO_CLIP), "-vf", "scale=320:180", "-t", "5")]
    listener = [*("-f", "mpjpeg", "-listen", "1"), f"http://127.0.0.1:{port}/"]
    with subprocess.Popen(["ffmpeg", "-v", "quiet", *arguments, *listener]) as camera:
        try:
            source = open_when_up(f"http://127.0.0.1:{port}/")
            pictures = [source.read() for _ in range(5)]
            source.close()
        finally:
            camera.kill()

    assert {(p.width, p.height) for p in pictures} == {(320, 180)}


def open_when_up(url: str) -> Source:
    """Open a source as soon as it listens; it takes one connection only."""
    opened: list[Source] = []

    def is_open() -> bool:
        try:
            opened.append(open_source(url, PATIENT))
        except SourceUnavailableError as error:
            assert error.reason == "connection refused"  # noqa: PT017 - not yet up
            return False
        return True

    eventually(is_open)
    return opened[0]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
