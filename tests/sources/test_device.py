"""``/dev/videoN``: a real camera where there is one, and what is told else.

Few machines that build have a camera, and a container cannot load a driver. Where one
may be loaded, in a virtual machine too, Linux has a camera of its own::

    modprobe vivid n_devs=1 node_types=0x1 input_types=0
    pytest tests/sources/test_device.py
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ooblexd.errors import SourceUnavailableError
from ooblexd.sources import InputOptions, SourceOptions, open_source
from ooblexd.sources.device import DeviceSource, _wishes
from ooblexd.sources.opencv import OpenCvSource
from ooblexd.sources.probe import probe

if TYPE_CHECKING:
    from collections.abc import Callable

    from ooblexd.sources import Source

BOTH = pytest.mark.parametrize("open_it", [DeviceSource, OpenCvSource])


@pytest.fixture
def camera() -> str:
    """The first device; skips where there is none."""
    cameras = sorted(Path("/dev").glob("video*"))
    if not cameras:
        pytest.skip("no /dev/videoN here: modprobe vivid, or plug in a camera")
    return str(cameras[0])


@BOTH
def test_camera_on_this_machine_is_read(
    camera: str, open_it: Callable[[str, SourceOptions], Source]
) -> None:
    source = open_it(camera, SourceOptions())

    first, second = source.read(), source.read()
    source.close()

    assert first.planes().y.shape == (first.height, first.width)
    assert source.description.width == first.width
    assert first.capture_ns < second.capture_ns


@BOTH
def test_picture_outlives_its_camera(
    camera: str, open_it: Callable[[str, SourceOptions], Source]
) -> None:
    source = open_it(camera, SourceOptions())
    picture = source.read()

    before = picture.planes().y.copy()
    source.close()

    assert (picture.planes().y == before).all()


@BOTH
def test_camera_that_cannot_do_a_size_gives_its_nearest(
    camera: str, open_it: Callable[[str, SourceOptions], Source]
) -> None:
    source = open_it(camera, SourceOptions(input=InputOptions("auto", 333, 222)))
    picture = source.read()
    source.close()

    assert picture.width != 333
    assert picture.width == source.description.width


def test_camera_of_another_program_is_said_to_be_in_use(camera: str) -> None:
    source = open_source(camera)

    with pytest.raises(SourceUnavailableError, match="another program uses"):
        open_source(camera)
    source.close()


def test_probe_tells_what_a_camera_gives(camera: str) -> None:
    report = probe(camera, SourceOptions(), watch_s=0.5)

    assert report.ok
    assert report.video is not None
    assert report.video.pixel_format


def test_device_that_ffmpeg_cannot_read_is_read_by_opencv(
    camera: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ooblexd.sources.device._V4L2", "no-such-format")

    source = open_source(camera)
    picture = source.read()
    source.close()

    assert isinstance(source, OpenCvSource)
    assert picture.width > 0


def test_ffmpeg_has_the_word_where_neither_can_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Of no camera, but OpenCV is asked for it all the same.
    monkeypatch.setattr("ooblexd.sources.device._V4L2", "no-such-format")
    monkeypatch.setattr("ooblexd.sources.device._VIDEO_MAJOR", 1)

    with pytest.raises(SourceUnavailableError) as caught:
        open_source("/dev/null")

    assert caught.value.reason == "FFmpeg was built without v4l2"


def test_opencv_tells_that_it_cannot_read() -> None:
    with pytest.raises(SourceUnavailableError, match="gives no picture"):
        OpenCvSource("/dev/null", SourceOptions())


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/dev/no-such-video", "there is no such device"),
        ("/dev/null", "the device is no camera"),
        ("/dev/fd/0", "the device is no camera"),
    ],
)
def test_owner_is_told_why_a_device_cannot_be_read(path: str, reason: str) -> None:
    with pytest.raises(SourceUnavailableError) as caught:
        open_source(path)

    assert caught.value.reason == reason
    assert probe(path, SourceOptions()).reason == reason


def test_device_without_a_driver_behind_it_is_said_to_be_gone(tmp_path: Path) -> None:
    node = tmp_path / "video"
    try:
        os.mknod(node, 0o600 | stat.S_IFCHR, os.makedev(81, 250))
        node.open("rb").close()
    except PermissionError:
        pytest.skip("only root makes devices, where they may be opened")
    except OSError:
        pass  # nobody is behind it, as it should be
    from ooblexd.sources.device import open_device  # noqa: PLC0415 - /dev/ is not ours

    with pytest.raises(SourceUnavailableError, match="the device was unplugged"):
        open_device(str(node), SourceOptions())


@pytest.mark.parametrize(
    ("asked", "wishes"),
    [
        (InputOptions(), [{"input_format": "mjpeg"}, {}]),
        (
            InputOptions("yuyv", 640, 480, 15.0),
            [{"input_format": "yuyv422", "video_size": "640x480", "framerate": "15"}],
        ),
    ],
)
def test_device_is_asked_for_what_the_stream_says(
    asked: InputOptions, wishes: list[dict[str, str]]
) -> None:
    assert _wishes(asked) == wishes
