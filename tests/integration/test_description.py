"""The running daemon answers as ``/openapi.json`` says, whatever it is asked."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.support.appliance import Appliance

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(240)
SCHEMATHESIS = Path(sysconfig.get_path("scripts"), "schemathesis")
CONFIG = Path(__file__).parents[1] / "support" / "schemathesis.toml"
STREAM = "/streams/{name}/stream.mjpg"
GO2RTC = "/api/stream.mjpeg"
HLS = "/streams/{name}/hls/"
TS, MP4 = "/streams/{name}/stream.ts", "/streams/{name}/stream.mp4"


# Few pictures: the processors are for the questions.
QUIET_TOML = """
[streams.demo]
source = "demo:"
max_fps = 2
"""


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    with Appliance(tmp_path_factory.mktemp("described"), QUIET_TOML) as running:
        yield running


def test_the_daemon_keeps_its_word(tmp_path: Path) -> None:
    if not SCHEMATHESIS.exists():
        pytest.skip("needs schemathesis, of the group test")

    with Appliance(tmp_path, QUIET_TOML) as appliance:
        done = subprocess.run(
            [
                *(SCHEMATHESIS, "--config-file", CONFIG, "run", "--no-color"),
                f"{appliance.url}/openapi.json",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        is_alive = appliance.request("GET", "/healthz").status_code == 200

    assert done.returncode == 0, done.stdout + done.stderr
    assert is_alive
    assert "Traceback" not in appliance.log()


@pytest.mark.parametrize(
    ("path", "url", "status"),
    [
        (STREAM, "/streams/demo/stream.mjpg", "200"),
        (STREAM, "/streams/demo/stream.mjpg?fps=0.5", "200"),
        (STREAM, "/streams/demo/stream.mjpg?fps=x", "422"),
        (STREAM, "/streams/nobody/stream.mjpg", "404"),
        (GO2RTC, "/api/stream.mjpeg?src=demo&x=y", "200"),
        (GO2RTC, "/api/stream.mjpeg?src=demo&fps=x", "422"),
        (GO2RTC, "/api/stream.mjpeg?src=nobody", "404"),
        (HLS + "index.m3u8", "/streams/demo/hls/index.m3u8", "200"),
        (HLS + "live.m3u8", "/streams/demo/hls/live.m3u8?_HLS_part=1", "400"),
        (HLS + "{file}", "/streams/demo/hls/1.0.m4s", "410"),
        (HLS + "index.m3u8", "/streams/nobody/hls/index.m3u8", "404"),
        (TS, "/streams/demo/stream.ts", "200"),
        (TS, "/streams/demo/stream.ts?fps=1", "422"),
        (MP4, "/streams/demo/stream.mp4", "200"),
        (MP4, "/streams/nobody/stream.mp4", "404"),
    ],
)
def test_a_stream_begins_as_it_is_described(
    appliance: Appliance, path: str, url: str, status: str
) -> None:
    description: dict[str, Any] = appliance.request("GET", "/openapi.json").json()

    with httpx.stream("GET", appliance.url + url, timeout=15) as answer:
        media_type = answer.headers["content-type"].partition(";")[0]

    assert str(answer.status_code) == status
    answers = description["paths"][path]["get"]["responses"]
    assert media_type in answers[status]["content"]
    assert "x-request-id" in answer.headers
