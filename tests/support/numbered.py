"""Cameras that say when they sent which picture: `tests.support.numbered_camera`."""

from __future__ import annotations

import contextlib
import math
import subprocess
import threading
import time
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np

from ooblexd.pixels import Planes, new_planes
from ooblexd.sources.demo import DEMO_CLIP
from ooblexd.sources.pixelclock import stamp
from tests.support.cameras import require_rtsp_server
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PYTHON = "/usr/bin/python3"  # Debian's, which GStreamer's bindings are for
_ENCODERS = {
    "264": ("libx264", {"preset": "veryfast", "tune": "zerolatency"}),
    "265": (
        "libx265",
        {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "x265-params": "log-level=error:repeat-headers=1:bframes=0",
        },
    ),
}


@dataclass
class NumberedCamera:
    """A running camera; the number of each picture is the sequence in its pixels.

    Attributes:
        url: Where it is.
        units: How many pictures there are before the first comes again.
        fps: How many it sends each second.
        sent_us: Unix times at which each number was handed to the network, in order.
    """

    url: str
    units: int
    fps: int
    sent_us: defaultdict[int, list[int]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def ages_ms(self, seen: Iterable[tuple[int, int]]) -> list[float]:
        """Return how old each picture was when it was seen.

        A picture was sent at the last time before it was seen that its number was: a
        camera's loop is not exactly as long as the one before, so no time can be told
        from that of another loop.

        Args:
            seen: Sequence and unix time in µs; none older than 0.9 of the loop.
        """
        ages_us: list[float] = []
        seen, most_us = list(seen), 0.9e6 * self.units / self.fps

        def are_told() -> bool:
            """Say whether the camera's word on each picture has come."""
            ages_us[:] = [self._age_us(number, at_us) for number, at_us in seen]
            return max(ages_us, default=0) < most_us

        eventually(are_told)
        return [age_us / 1000 for age_us in ages_us]

    def _age_us(self, number: int, at_us: int) -> float:
        sent_us = self.sent_us[number]
        before = bisect_right(sent_us, at_us)
        return at_us - sent_us[before - 1] if before else math.inf


def make_units(
    folder: Path, kind: str, *, size: tuple[int, int], count: int, fps: int = 30
) -> Path:
    """Encode numbered pictures of the demo, one a file, into a new folder.

    Args:
        folder: Where the new folder is made.
        kind: ``264``, ``265`` or ``jpg``.
        size: Width and height in pixels.
        count: At most as many as the demo has.
        fps: A keyframe comes each second.
    """
    made = folder / kind
    made.mkdir()
    pictures = _numbered_pictures(size, count)
    units: Iterator[bytes] = map(_jpeg, pictures)
    if kind != "jpg":
        units = _encoded(pictures, kind, size, fps)
    for number, unit in enumerate(units):
        (made / f"{number:04}.{kind}").write_bytes(unit)
    return made


@contextlib.contextmanager
def numbered_camera(
    units: Path,
    fps: int = 30,
    announced_fps: int | None = None,
    *,
    place: tuple[str, str] = ("", "127.0.0.1"),
) -> Iterator[NumberedCamera]:
    """Run a camera that loops ``units``, as `make_units` made them.

    It sends for one reader: its pictures are numbered from the first one on.

    Args:
        units: Of one kind.
        fps: At which it sends.
        announced_fps: Another rate that it claims.
        place: The network namespace that it is in, and its address there.
    """
    namespace, address = place
    files = sorted(units.iterdir())
    is_http = files[0].suffix == ".jpg"
    if not is_http:
        require_rtsp_server()
    script = Path(__file__).with_name("numbered_camera.py")
    with subprocess.Popen(
        [
            *(("ip", "netns", "exec", namespace) if namespace else ()),
            *(_PYTHON, str(script), str(units), str(fps)),
            *(str(announced_fps or fps), address),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            words = process.stdout.readline().split()
            assert words[:1] == ["ready"], "the camera did not start"
            scheme, host = "http" if is_http else "rtsp", f"{address}:{words[1]}"
            url = f"{scheme}://{host}/live"
            camera = NumberedCamera(url, len(files), fps)
            threading.Thread(
                target=_collect, args=(process, camera), daemon=True
            ).start()
            yield camera
        finally:
            process.kill()


def _collect(process: subprocess.Popen[str], camera: NumberedCamera) -> None:
    assert process.stdout is not None
    with contextlib.suppress(ValueError):  # closed meanwhile
        for line in process.stdout:
            number, at_us = line.split()
            camera.sent_us[int(number) % camera.units].append(int(at_us))


def _numbered_pictures(size: tuple[int, int], count: int) -> Iterator[Planes]:
    with av.open(str(DEMO_CLIP)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number == count:
                return
            scaled = frame.reformat(*size, format="yuv420p").to_ndarray()
            planes = _planes_of(scaled, *size)
            stamp(planes, time.time_ns() // 1000, number)
            yield planes


def _planes_of(i420: np.ndarray, width: int, height: int) -> Planes:
    planes = new_planes(width, height)
    flat, at = i420.reshape(-1), 0
    for plane in planes:
        plane[:] = flat[at : at + plane.size].reshape(plane.shape)
        at += plane.size
    return planes


def _jpeg(planes: Planes) -> bytes:
    i420 = np.concatenate([plane.reshape(-1) for plane in planes])
    bgr = cv2.cvtColor(i420.reshape(-1, planes.width), cv2.COLOR_YUV2BGR_I420)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return encoded.tobytes()


def _encoded(
    pictures: Iterator[Planes], kind: str, size: tuple[int, int], fps: int
) -> Iterator[bytes]:
    name, options = _ENCODERS[kind]
    encoder = av.CodecContext.create(name, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height = size
    encoder.pix_fmt = "yuv420p"
    encoder.time_base = Fraction(1, fps)
    encoder.gop_size = fps
    encoder.bit_rate = 3_000_000
    encoder.options = options
    for number, planes in enumerate(pictures):
        i420 = np.concatenate([plane.reshape(-1) for plane in planes])
        frame = av.VideoFrame.from_ndarray(
            i420.reshape(-1, planes.width), format="yuv420p"
        )
        frame.pts, frame.time_base = number, encoder.time_base
        for packet in encoder.encode(frame):
            yield bytes(packet)
    for packet in encoder.encode(None):
        yield bytes(packet)
