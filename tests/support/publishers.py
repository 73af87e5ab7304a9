"""Those who publish: real encoders, with the demo's clip."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from ooblexd.errors import PublisherError
from ooblexd.publishing import open_session
from ooblexd.sources.demo import DEMO_CLIP
from ooblexd.sources.door import Publisher
from tests.support.cameras import require_ffmpeg

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ooblexd.plan import ListenProtocol
    from ooblexd.stages.door import Door

COPY = ("-an", "-c:v", "copy")
GSTREAMER = (
    "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1 ! "
    "openh264enc gop-size=15 ! h264parse ! flvmux streamable=true ! "
    "rtmp2sink location={}"
)

# A process of its own, since PyAV connects with the interpreter's lock held.
_ENHANCED = """
import sys, time, av
from fractions import Fraction
with av.open(sys.argv[1], "w", format="flv") as output:
    stream = output.add_stream(sys.argv[2], rate=30)
    stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
    stream.options = {
        "libx265": {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "x265-params": "log-level=none:pools=1:keyint=10",
        },
        "libsvtav1": {
            "preset": "12",
            "svtav1-params": "pred-struct=1:keyint=10:lp=1",
        },
    }[sys.argv[2]]
    for number in range(60):
        picture = av.VideoFrame(320, 240, "yuv420p")
        picture.pts, picture.time_base = number, Fraction(1, 30)
        output.mux(stream.encode(picture))
        time.sleep(1 / 30)
    output.mux(stream.encode(None))
"""


def free_port() -> int:
    """Return a TCP port that nobody listens on, most likely for some time."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@contextlib.contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[str]]:
    """Run a publisher until left; ``stderr`` tells what it said."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def ffmpeg(url: str, *how: str, form: str = "flv") -> Iterator[subprocess.Popen[str]]:
    """Publish the demo's clip over and over, by ffmpeg."""
    require_ffmpeg()
    clip = ("-re", "-stream_loop", "-1", "-i", str(DEMO_CLIP))
    with running(
        *("ffmpeg", "-v", "error", *clip, *(how or COPY), "-f", form, url)
    ) as process:
        yield process


@contextlib.contextmanager
def gstreamer(url: str) -> Iterator[subprocess.Popen[str]]:
    """Publish a test picture of 320x240, in chunks of 128 bytes, by GStreamer."""
    if shutil.which("gst-launch-1.0") is None:
        pytest.skip("apt install gstreamer1.0-tools gstreamer1.0-plugins-bad")
    pipeline = GSTREAMER.format(url)
    with running("gst-launch-1.0", "-q", *pipeline.split()) as process:
        yield process


@contextlib.contextmanager
def enhanced(url: str, encoder: str) -> Iterator[subprocess.Popen[str]]:
    """Publish two seconds of H.265 or AV1 by PyAV, as enhanced RTMP has them."""
    with running(sys.executable, "-c", _ENHANCED, url, encoder) as process:
        yield process


@contextlib.contextmanager
def front(protocol: ListenProtocol, door: Door) -> Iterator[int]:
    """Let everybody in at ``door``, by the port that is lent; as control does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(
            target=_let_in, args=(listener, protocol, door), daemon=True
        )
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _let_in(listener: socket.socket, protocol: ListenProtocol, door: Door) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        session, transcript = open_session(protocol), b""
        with contextlib.suppress(OSError, PublisherError):
            while session.wish is None and (said := connection.recv(4096)):
                transcript += said
                session.receive(said)
                connection.sendall(session.take_output())
        door.admit(Publisher(connection, transcript, "the peer"))
