"""curl and ffmpeg ask the daemon for less than the picture is."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from tests.support.appliance import Appliance
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(60)
TOML = """
[streams.demo]
source = "demo:"
max_fps = 10
effects = ["blur_faces"]
"""


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    with Appliance(tmp_path_factory.mktemp("daemon"), TOML) as running:
        yield running


def needs(program: str) -> str:
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}")
    return program


def test_ffmpeg_plays_a_smaller_stream(appliance: Appliance) -> None:
    url = f"{appliance.url}/streams/demo/stream.mjpg?width=320&quality=40"
    probe = [needs("ffprobe"), "-v", "error", "-of", "json", "-show_streams", url]

    done = subprocess.run(probe, capture_output=True, check=True, timeout=30)

    (stream,) = json.loads(done.stdout)["streams"]
    assert (stream["width"], stream["height"]) == (320, 180)


def live_snapshot(url: str, folder: Path) -> bytes:
    """Return the first that is live; on a busy machine another may be a cover."""
    head, body = folder / "head", folder / "a.jpg"
    command = [needs("curl"), "-sS", "-D", str(head), "-o", str(body), url]

    def is_live() -> bool:
        subprocess.run(command, check=True, timeout=30)
        return "x-picture: live" in head.read_text().lower()

    eventually(is_live)
    return body.read_bytes()


def test_curl_takes_a_smaller_snapshot(appliance: Appliance, tmp_path: Path) -> None:
    sizes = []
    for query in ("", "?width=318", "?width=320&quality=10", "?width=8192"):
        url = f"{appliance.url}/streams/demo/snapshot.jpg{query}"
        data = live_snapshot(url, tmp_path)
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        sizes.append((picture.shape[1], picture.shape[0], len(data)))

    (width, height, _), small, coarse, large = sizes
    assert small[:2] == coarse[:2] == (320, 180)
    assert coarse[2] < small[2] / 2
    assert large[:2] == (width, height)
