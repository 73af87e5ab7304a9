"""What cameras and networks do to a stream, watched or not: it comes back by itself.

Each fault is real: GStreamer's RTSP server behind a cable that can be pulled. The
bounds are generous, since timings never decide a test.
"""

from __future__ import annotations

import re
import shutil
import time
from statistics import median
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from ooblexd.sources.pixelclock import read_stamp
from tests.sources.test_mpegts import free_port
from tests.support.appliance import Appliance
from tests.support.beeps import beeping_encoder
from tests.support.cameras import encode_clip, make_clips, rtsp_camera
from tests.support.http_camera import http_camera
from tests.support.link import Flips, Jumps, linked, noise
from tests.support.numbered import make_units, numbered_camera
from tests.support.processes import eventually
from tests.support.viewer import MjpegViewer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typing_extensions import Self

    from tests.support.cameras import RtspCamera
    from tests.support.link import Change
    from tests.support.numbered import NumberedCamera
    from tests.support.viewer import Part

pytestmark = pytest.mark.timeout(120)
both = pytest.mark.parametrize("is_watched", [True, False], ids=["watched", "idle"])


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def camera(clips: Path) -> Iterator[RtspCamera]:
    with rtsp_camera(clips) as running:
        yield running


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    folder = tmp_path_factory.mktemp("daemon")
    with Appliance(folder, "# streams come by the API\n") as daemon:
        yield daemon
        assert not re.search(r'restarts_total\{worker=".*"\} [1-9]', metrics(daemon))
        assert daemon.stop() == 0


class Stream:
    """A stream of the daemon that is watched, or left alone until it is idle."""

    def __init__(self, appliance: Appliance, source: str, **more: object) -> None:
        self.appliance = appliance
        body = {"name": "door", "source": source, "effects": [], **more}
        answer = appliance.request("POST", "/api/v1/streams", body)
        assert answer.status_code == 201, answer.text
        self.viewer: MjpegViewer | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()
        self.appliance.request("DELETE", "/api/v1/streams/door", {})

    def watch(self) -> list[Part]:
        """Watch until a picture is live; returns the parts, which grow."""
        if self.viewer is None:
            self.viewer = MjpegViewer(self.appliance.port, "door").__enter__()
        viewer, since = self.viewer, len(self.viewer.parts)
        eventually(lambda: viewer.pictures()[since:].count("live") > 3)
        return viewer.parts

    def leave(self) -> None:
        if self.viewer is not None:
            self.viewer.leave()
            self.viewer = None

    def settle(self, *, is_watched: bool) -> None:
        """Return once it is live, and no longer decoded if it is not watched."""
        self.watch()
        if not is_watched:
            self.leave()
            idle = self.idle()
            eventually(lambda: self.idle() > idle + 10)

    def idle(self) -> float:
        found = re.search(
            r'frames_dropped_total\{reason="idle",stage="ingest",stream="door"\} (\S+)',
            metrics(self.appliance),
        )
        return float(found[1]) if found else 0.0

    def shows_slate(self) -> bool:
        """Say whether whoever watches sees why there is no picture."""
        return self.viewer is None or self.viewer.last() == "slate"

    def state(self) -> object:
        return self.appliance.stream("door")["state"]

    def reason(self) -> str:
        return str(self.appliance.stream("door")["reason"])


def metrics(appliance: Appliance) -> str:
    return appliance.request("GET", "/metrics").text


def told_of(appliance: Appliance, subject: str) -> str:
    """Return the only line of the log that names a subject, which may be on its way."""
    eventually(lambda: subject in appliance.log())
    [told] = [line for line in appliance.lines if subject in line]
    return told


@both
def test_camera_that_reboots_is_live_again(
    appliance: Appliance, clips: Path, *, is_watched: bool
) -> None:
    with linked() as link:
        with rtsp_camera(clips) as before:
            link.target = before.ports["none"]
            stream = Stream(appliance, link.url(before.url("h264")))
            stream.settle(is_watched=is_watched)
        with stream:
            eventually(lambda: stream.state() == "down")
            eventually(stream.shows_slate)
            with rtsp_camera(clips) as after:
                link.target = after.ports["none"]
                eventually(lambda: stream.state() == "running")
                stream.watch()


@both
def test_connection_on_which_nothing_comes_any_more_is_opened_anew(
    appliance: Appliance, camera: RtspCamera, *, is_watched: bool
) -> None:
    with (
        linked(camera.ports["none"]) as link,
        Stream(appliance, link.url(camera.url("h264"))) as stream,
    ):
        stream.settle(is_watched=is_watched)

        link.is_frozen = True
        eventually(lambda: "nothing" in stream.reason())
        eventually(stream.shows_slate)

        link.is_frozen = False
        stream.watch()


@pytest.mark.parametrize(
    ("change", "is_watched"),
    [(noise, True), (Flips(2000), True), (Flips(2000), False)],
    ids=["noise-watched", "flips-watched", "flips-idle"],
)
def test_garbage_behind_a_valid_beginning_hurts_while_it_lasts(
    appliance: Appliance, camera: RtspCamera, change: Change, *, is_watched: bool
) -> None:
    with (
        linked(camera.ports["none"]) as link,
        Stream(appliance, link.url(camera.url("h264"))) as stream,
    ):
        stream.settle(is_watched=is_watched)
        ingest = appliance.pid_of("ingest:door")
        passed = link.passed_bytes

        link.change = change
        eventually(
            lambda: stream.state() == "down" or link.passed_bytes > passed + 200_000, 20
        )
        link.change = bytes

        stream.watch()
        assert appliance.pid_of("ingest:door") == ingest


def test_time_that_a_camera_tells_wrongly_does_no_harm(
    appliance: Appliance, camera: RtspCamera
) -> None:
    jumps = Jumps(0, 0, -5, -5, 3 * 3600, 0.01, -3600, 0)
    with linked(camera.ports["none"]) as link:
        link.change = jumps
        with Stream(appliance, link.url(camera.url("h264"))) as stream:
            stream.settle(is_watched=False)
            parts = stream.watch()
            seen = len(parts)
            eventually(lambda: len(live(parts[seen:])) > 20)

            assert stream.state() == "running"
            # On a busy machine a frame may come late, which is held.
            assert {part.picture for part in parts[seen:]} <= {"live", "held"}
            ages_ms = [part.age_ms for part in live(parts[seen:])]
            assert all(age_ms is not None and age_ms < 1000 for age_ms in ages_ms)


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NumberedCamera]:
    """A camera that announces 30 pictures a second and sends 60."""
    folder = tmp_path_factory.mktemp("hasty")
    units = make_units(folder, "264", size=(320, 180), count=300)
    with numbered_camera(units, fps=60, announced_fps=30) as running:
        yield running


def test_pictures_at_twice_the_announced_rate_are_no_older_for_it(
    appliance: Appliance, hasty: NumberedCamera
) -> None:
    with Stream(appliance, hasty.url) as stream:
        stream.settle(is_watched=False)
        parts = stream.watch()
        seen = len(parts)
        eventually(lambda: len(live(parts[seen:])) > 60)

        def are_new() -> bool:
            return median(hasty.ages_ms(map(seen_at, live(parts)[-30:]))) < 1000

        # What a pause of this process delays is soon over; what queues comes to stay.
        eventually(are_new)


def live(parts: list[Part]) -> list[Part]:
    return [part for part in parts if part.picture == "live"]


def seen_at(part: Part) -> tuple[int, int]:
    """Return the number in a picture, and when it arrived, in unix µs."""
    grey = cv2.imdecode(np.frombuffer(part.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    stamp = read_stamp(np.asarray(grey, np.uint8))
    assert stamp is not None
    arrived_s = time.time() - (time.monotonic() - part.at_s)
    return stamp.sequence, round(arrived_s * 1e6)


def test_owner_is_warned_once_that_b_frames_delay_the_picture(
    appliance: Appliance, clips: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(clips, tmp_path / "clips")
    small = ("-vf", "scale=320:180", "-c:v", "libx264", "-bf", "2", "-g", "25")
    encode_clip(folder / "clip.264", *small)
    with (
        rtsp_camera(folder) as camera,
        linked(camera.ports["none"]) as link,
        Stream(appliance, link.url(camera.url("h264"))) as stream,
    ):
        stream.watch()
        link.target = 1  # nobody listens there
        link.cut()
        eventually(lambda: stream.state() == "down")
        link.target = camera.ports["none"]
        stream.watch()

    warned = told_of(appliance, "B-frames")
    assert "door" in warned
    assert "delay every picture" in warned


def test_owner_is_told_once_why_there_is_no_sound(appliance: Appliance) -> None:
    port = free_port()
    with (
        beeping_encoder(port, "-c:a", "mp2"),
        Stream(appliance, f"udp://127.0.0.1:{port}") as stream,
    ):
        stream.watch()

    told = told_of(appliance, "its sound")
    assert "door" in told
    assert "its sound is MP2, which is left out: set the encoder to AAC-LC" in told


@pytest.mark.parametrize("size", [(2, 2), (4096, 2160)])
def test_pictures_from_the_smallest_to_the_largest_camera_are_shown(
    appliance: Appliance, size: tuple[int, int]
) -> None:
    done, jpeg = cv2.imencode(".jpg", np.full((*size[::-1], 3), 90, np.uint8))
    assert done
    with (
        http_camera({"stream": [jpeg.tobytes()]}, "") as camera,
        Stream(appliance, camera.url("stream")) as stream,
    ):
        shown = stream.watch()[-1].jpeg

    picture = cv2.imdecode(np.frombuffer(shown, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (*size[::-1], 3)
    assert abs(float(picture.mean()) - 90) < 4
