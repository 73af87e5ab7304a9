"""Other programs that show a camera's pictures as MJPEG, each at its best settings."""

from __future__ import annotations

import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from tests.support.peers import peer_environment, peer_program, peer_python
from tests.support.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

_MOTION = """
daemon off
netcam_url {url}
width 1280
height 720
framerate 30
netcam_rate 100
pause on
threshold 2147483647
text_left
text_right
picture_output off
movie_output off
webcontrol_port 0
stream_port {port}
stream_localhost on
stream_maxrate 30
stream_quality 80
stream_motion off
target_dir {folder}
"""


class Serving(NamedTuple):
    """A process that serves MJPEG at ``path`` of a port on loopback, or soon will."""

    pid: int
    port: int
    path: str


class Peer(NamedTuple):
    """A program.

    Attributes:
        serve: Runs it on a camera by RTSP, with a folder for its files, until left.
        most_viewers: More it cannot serve.
    """

    serve: Callable[[str, Path], AbstractContextManager[Serving]]
    most_viewers: int


@contextmanager
def ffmpeg(url: str, folder: Path) -> Iterator[Serving]:
    """Decode without delay, encode each picture once, serve the one that comes.

    One thread encodes: with two, each picture waits for the next.
    """
    port = _free_port()
    options = (
        "-nostdin -fflags nobuffer -flags low_delay -rtsp_transport tcp",
        f"-i {url} -vsync passthrough -enc_time_base -1 -c:v mjpeg -q:v 4 -threads 1",
        f"-f mpjpeg -listen 1 http://127.0.0.1:{port}",
    )
    program = peer_program("ffmpeg", "ffmpeg")
    with _running(program, " ".join(options).split(), folder) as pid:
        yield Serving(pid, port, "/")


@contextmanager
def motion(url: str, folder: Path) -> Iterator[Serving]:
    """Serve the stream alone: no text in it, no search for motion, nothing saved.

    At its own rate of reading, 30, what had piled up at the start is never caught up
    with: 720 ms instead of 90.
    """
    port, config = _free_port(), folder / "motion.conf"
    config.write_text(_MOTION.format(url=url, port=port, folder=folder))
    program = peer_program("motion", "motion")
    with _running(program, ["-n", "-c", str(config)], folder) as pid:
        yield Serving(pid, port, "/")


@contextmanager
def vidgear(url: str, folder: Path) -> Iterator[Serving]:
    """Serve by WebGear, see `tests.support.webgear`."""
    port = _free_port()
    python = peer_python("vidgear")
    arguments = [str(ROOT / "tests" / "support" / "webgear.py"), url, str(port)]
    with _running(python, arguments, folder) as pid:
        yield Serving(pid, port, "/video")


PEERS = {
    "ffmpeg": Peer(ffmpeg, most_viewers=1),
    "motion": Peer(motion, most_viewers=8),
    "vidgear": Peer(vidgear, most_viewers=8),
}


@contextmanager
def _running(program: Path, arguments: list[str], folder: Path) -> Iterator[int]:
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [program, *arguments],
            cwd=folder,
            env=peer_environment(),
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            yield process.pid
        finally:
            process.kill()


def _free_port() -> int:
    """Return a port that was free just now: no program lets the kernel choose."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
