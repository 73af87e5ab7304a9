"""``/dev/videoN``: a real camera where there is one, and what is told else."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ooblexd.errors import SourceUnavailableError
from ooblexd.sources import InputOptions, SourceOptions, open_source
from ooblexd.sources.device import _wishes
from ooblexd.sources.probe import probe


def test_camera_on_this_machine_is_read() -> None:
    cameras = sorted(Path("/dev").glob("video*"))
    if not cameras:
        pytest.skip("no /dev/videoN here: modprobe vivid, or plug in a camera")
    source = open_source(str(cameras[0]))

    picture = source.read()
    source.close()

    assert picture.width > 0
    assert picture.planes().y.shape == (picture.height, picture.width)


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
