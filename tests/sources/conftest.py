"""Cameras that the tests of several sources share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from tests.support.cameras import PASSWORD, USER, make_clips, rtsp_camera
from tests.support.http_camera import HttpCamera, http_camera

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cameras import RtspCamera


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo, encoded anew as cameras would."""
    return make_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="session")
def rtsp(clips: Path) -> Iterator[RtspCamera]:
    """One RTSP camera for all tests."""
    with rtsp_camera(clips) as camera:
        yield camera


@pytest.fixture(scope="session")
def http() -> Iterator[HttpCamera]:
    """One HTTP camera for all tests."""
    pictures = {
        "stream": [jpeg(321, 243)],
        "resized": [jpeg(320, 240)] * 5 + [jpeg(162, 122)] * 5,
        "counted": [level_jpeg(10 * number) for number in range(25)],
        "grey": [jpeg(320, 240, colour=False)],
    }
    with http_camera(pictures, f"{USER}:{PASSWORD}") as camera:
        yield camera


def jpeg(width: int, height: int, *, colour: bool = True) -> bytes:
    """Return a soft gradient, with which coding errors stay small."""
    ramp = np.linspace(0, 255, width, dtype=np.uint8)[None, :].repeat(height, axis=0)
    picture = cv2.merge([ramp, 255 - ramp, ramp // 2]) if colour else ramp
    _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
    return encoded.tobytes()


def level_jpeg(level: int) -> bytes:
    """Return a picture of one level, which tells it from others."""
    _, encoded = cv2.imencode(".jpg", np.full((240, 320), level, np.uint8))
    return encoded.tobytes()
