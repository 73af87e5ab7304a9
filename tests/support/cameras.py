"""Real cameras on loopback: RTSP by GStreamer, MJPEG over HTTP.

Each is a context manager around a peer that listens on a port which the kernel chose.
Where the software of a peer is missing the test skips and names the apt package.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from ooblexd.sources.demo import DEMO_CLIP

if TYPE_CHECKING:
    from collections.abc import Iterator

USER, PASSWORD = "admin", "s3cr@t/%"
LOGIN = f"{USER}:{quote(PASSWORD, safe='')}@"
CLIP_FPS = 25

_PYTHON = "/usr/bin/python3"  # Debian's, which its bindings are for
_RTSP_PACKAGES = (
    "apt install python3-gi gir1.2-gst-rtsp-server-1.0 gir1.2-gst-plugins-base-1.0 "
    "gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad"
)
_BINDINGS = "import gi; gi.require_version('GstRtspServer', '1.0')"

_X264 = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-g", "25")
_CLIPS: dict[str, tuple[str, ...]] = {
    "clip.264": ("-vf", "scale=640:360", *_X264),
    "clip.265": (
        *("-vf", "scale=640:360", "-c:v", "libx265", "-preset", "ultrafast"),
        *("-x265-params", "log-level=error:keyint=25:bframes=0"),
    ),
    "clip.mjpeg": (
        "-vf",
        "scale=640:360,format=yuvj420p",
        "-c:v",
        "mjpeg",
        "-huffman",
        "default",
    ),
    "small.264": ("-vf", "scale=322:242", *_X264),
}


@dataclass(frozen=True)
class RtspCamera:
    """A running RTSP camera; its mounts are listed in `tests.support.rtsp_camera`.

    Attributes:
        ports: By the login that the server asks for: none, basic, digest.
    """

    ports: dict[str, int]

    def url(self, mount: str, login: str = "none", userinfo: str | None = None) -> str:
        """Return the URL of a mount, with the right login where one is asked for."""
        if userinfo is None:
            userinfo = "" if login == "none" else LOGIN
        return f"rtsp://{userinfo}127.0.0.1:{self.ports[login]}/{mount}"


@contextlib.contextmanager
def rtsp_camera(clips: Path) -> Iterator[RtspCamera]:
    """Run an RTSP camera that serves ``clips``, as `make_clips` made them."""
    require_rtsp_server()
    script = Path(__file__).with_name("rtsp_camera.py")
    with subprocess.Popen(
        [_PYTHON, str(script), str(clips)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            words = process.stdout.readline().split()
            assert words[:1] == ["ready"], "the RTSP camera did not start"
            ports = dict(
                zip(("none", "basic", "digest"), map(int, words[1:]), strict=True)
            )
            yield RtspCamera(ports)
        finally:
            process.kill()


def require_rtsp_server() -> None:
    """Skip the test where GStreamer's RTSP server cannot be run."""
    if not Path(_PYTHON).exists():
        pytest.skip(f"no {_PYTHON}: {_RTSP_PACKAGES}")
    probe = subprocess.run([_PYTHON, "-c", _BINDINGS], check=False, capture_output=True)
    if probe.returncode:
        pytest.skip(_RTSP_PACKAGES)


def require_ffmpeg() -> None:
    """Skip the test where there is no ffmpeg."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("apt install ffmpeg")


def make_clips(folder: Path) -> Path:
    """Encode the demo anew, as cameras would: two seconds, 640x360, 25 fps."""
    require_ffmpeg()
    for name, arguments in _CLIPS.items():
        encode_clip(folder / name, *arguments)
    wide, small = (folder / name for name in ("clip.264", "small.264"))
    (folder / "resized.264").write_bytes(
        b"".join(clip.read_bytes() for clip in (wide, small))
    )
    return folder


def encode_clip(path: Path, *arguments: str, seconds: float = 2) -> None:
    """Encode the first seconds of the demo into ``path``."""
    subprocess.run(
        [
            *("ffmpeg", "-v", "error", "-y", "-i", str(DEMO_CLIP), "-t", str(seconds)),
            *("-r", str(CLIP_FPS), "-an", *arguments, str(path)),
        ],
        check=True,
    )
