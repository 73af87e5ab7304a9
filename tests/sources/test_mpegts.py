"""MPEG-TS by UDP, as a real encoder sends it."""

from __future__ import annotations

import socket
import subprocess
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ooblexd.errors import SourceUnavailableError
from ooblexd.sources import Source, SourceOptions, open_source
from ooblexd.sources.demo import DEMO_CLIP
from tests.support.cameras import require_ffmpeg

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENT = SourceOptions(open_timeout_s=15.0, read_timeout_s=15.0)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind(("127.0.0.1", 0))
        return int(end.getsockname()[1])


@contextmanager
def encoder(port: int, *codec: str) -> Iterator[subprocess.Popen[bytes]]:
    """Send the demo's clip to a port of this machine, over and over."""
    require_ffmpeg()
    clip = ["-re", "-stream_loop", "-1", "-i", str(DEMO_CLIP), *codec]
    target = f"udp://127.0.0.1:{port}?pkt_size=1316"
    command = ["ffmpeg", "-v", "error", *clip, "-f", "mpegts", target]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        yield process
        process.kill()


def read_to_the_end(source: Source) -> None:
    for _ in range(200):
        source.read()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 # it is read
def test_what_an_encoder_sends_is_read(host: str) -> None:
    port = free_port()
    with encoder(port, "-c:v", "copy"):
        source = open_source(f"udp://{host}:{port}", PATIENT)
        pictures = [source.read() for _ in range(20)]
        source.close()

    assert {(one.width, one.height) for one in pictures} == {(1280, 720)}


def test_h265_is_read_too() -> None:
    port = free_port()
    fast = ("-vf", "scale=320:180", "-c:v", "libx265", "-preset", "ultrafast")
    quiet = ("-x265-params", "log-level=error:keyint=15")
    with encoder(port, *fast, *quiet):
        source = open_source(f"udp://127.0.0.1:{port}", PATIENT)
        assert source.description.codec == "hevc"
        assert source.read().width == 320
        source.close()


def test_an_encoder_that_stops_is_noticed() -> None:
    port = free_port()
    with encoder(port, "-c:v", "copy") as process:
        options = replace(PATIENT, read_timeout_s=1.0)
        source = open_source(f"udp://127.0.0.1:{port}", options)
        process.kill()
        with pytest.raises(SourceUnavailableError) as caught:
            read_to_the_end(source)
        source.close()
    assert caught.value.reason == "nothing came for 1 s"


def test_a_port_to_which_nobody_sends_is_told() -> None:
    with pytest.raises(SourceUnavailableError) as caught:
        open_source(f"udp://127.0.0.1:{free_port()}", SourceOptions(open_timeout_s=1.0))
    assert caught.value.reason == "no answer within 1 s"


def test_what_is_no_transport_stream_is_told() -> None:
    port = free_port()
    target = f"udp://127.0.0.1:{port}"
    sound = ["-re", "-f", "lavfi", "-i", "sine", "-f", "s16le", target]
    with subprocess.Popen(["ffmpeg", "-v", "quiet", *sound]) as noise:
        with pytest.raises(SourceUnavailableError):
            open_source(f"udp://127.0.0.1:{port}", SourceOptions(open_timeout_s=5.0))
        noise.kill()
