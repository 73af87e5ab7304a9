"""RTMP, pulled from a real server that real encoders push to."""

from __future__ import annotations

import socket
import subprocess
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ooblexd.clock import monotonic_ns
from ooblexd.errors import SourceUnavailableError
from ooblexd.sources import Source, SourceOptions, open_source
from ooblexd.sources.demo import DEMO_CLIP
from ooblexd.sources.probe import probe
from tests.support.cameras import require_ffmpeg
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENT = SourceOptions(open_timeout_s=15.0, read_timeout_s=15.0)
MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
CONFIG = """
load_module {module};
daemon off; master_process off; pid {folder}/pid; error_log {folder}/log info;
events {{ worker_connections 64; }}
rtmp {{ server {{ listen 127.0.0.1:{port}; application live {{ live on; }} }} }}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Lend the URL of the application of an RTMP server."""
    if not MODULE.exists():
        pytest.skip("apt install nginx-light libnginx-mod-rtmp")
    folder = tmp_path_factory.mktemp("nginx")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(module=MODULE, folder=folder, port=port))
    with subprocess.Popen(["nginx", "-c", config, "-p", folder]) as nginx:
        eventually(lambda: _answers(port))
        yield f"rtmp://127.0.0.1:{port}/live"
        nginx.kill()


def _answers(port: int) -> bool:
    with socket.socket() as end:
        return end.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def publisher(url: str, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """Push the demo's clip to ``url``, over and over."""
    require_ffmpeg()
    clip = ["-re", "-stream_loop", "-1", "-i", str(DEMO_CLIP), *more]
    command = ["ffmpeg", "-v", "error", *clip, "-c:v", "copy", "-f", "flv", url]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        yield process
        process.kill()


def read_to_the_end(source: Source) -> None:
    for _ in range(200):
        source.read()


def test_a_stream_of_a_server_is_read_at_its_rate(server: str) -> None:
    with publisher(f"{server}/cam"):
        source = open_source(f"{server}/cam", PATIENT)
        assert (source.description.width, source.description.height) == (1280, 720)
        for _ in range(30):
            source.read()  # what had come before it was open comes at once

        def is_at_its_rate() -> bool:
            since_ns, ages_ns = monotonic_ns(), []
            for _ in range(30):
                picture = source.read()
                ages_ns.append(monotonic_ns() - picture.capture_ns)
            took_s = (monotonic_ns() - since_ns) / 1e9
            return 0.7 < took_s < 3 and max(ages_ns) < 1e9

        eventually(is_at_its_rate)  # a busy machine stops, and catches up after
        source.close()


def test_sound_beside_the_picture_is_passed_over(server: str) -> None:
    sound = ("-f", "lavfi", "-i", "sine=frequency=440", "-c:a", "aac", "-shortest")
    with publisher(f"{server}/loud", *sound):
        source = open_source(f"{server}/loud", PATIENT)
        assert [source.read().width for _ in range(10)] == [1280] * 10
        source.close()


def test_a_publisher_that_vanishes_is_noticed(server: str) -> None:
    with publisher(f"{server}/gone") as process:
        source = open_source(f"{server}/gone", replace(PATIENT, read_timeout_s=4.0))
        source.read()
        process.kill()
        with pytest.raises(SourceUnavailableError):
            read_to_the_end(source)
        source.close()


def test_a_key_that_nobody_publishes_is_waited_for_and_told(server: str) -> None:
    with pytest.raises(SourceUnavailableError) as caught:
        open_source(f"{server}/nobody", SourceOptions(open_timeout_s=1.0))
    assert caught.value.reason == "no answer within 1 s"


def test_no_server_is_told() -> None:
    with pytest.raises(SourceUnavailableError) as caught:
        open_source("rtmp://127.0.0.1:1/live/cam", PATIENT)
    assert caught.value.reason == "connection refused"


def test_a_probe_says_what_it_is(server: str) -> None:
    with publisher(f"{server}/probed"):
        report = probe(f"{server}/probed", PATIENT, watch_s=1.0)

    assert report.ok, report.reason
    assert report.video is not None
    assert report.video.codec == "h264"
