"""A picture is turned, mirrored and cut while it runs, and never unprotected."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from ooblexd.sources.pixelclock import read_stamp
from tests.support.appliance import DEMO_TOML, ZONE_TOML, Appliance
from tests.support.processes import eventually
from tests.support.viewer import MjpegViewer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ooblexd.pixels import Plane
    from tests.support.viewer import Part

TOML = DEMO_TOML + ZONE_TOML.format(name="other")

pytestmark = pytest.mark.timeout(90)


def luma_of(jpeg: bytes) -> Plane:
    decoded = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert decoded is not None
    return np.asarray(decoded, np.uint8)


def as_it_is(plane: Plane) -> Plane:
    return plane


def is_stamped(jpeg: bytes, undo: Callable[[Plane], Plane]) -> bool:
    """Say whether the demo's clock can be read once the picture is put back."""
    return read_stamp(np.ascontiguousarray(undo(luma_of(jpeg)))) is not None


def is_live_and_stamped(part: Part, undo: Callable[[Plane], Plane]) -> bool:
    return part.picture == "live" and is_stamped(part.jpeg, undo)


def test_view_changes_live_covered_until_it_is_known_and_others_run_on(
    tmp_path: Path,
) -> None:
    with Appliance(tmp_path, TOML) as daemon:
        ingest = daemon.pid_of("ingest:demo")
        with (
            MjpegViewer(daemon.port, "demo") as viewer,
            MjpegViewer(daemon.port, "other") as other,
        ):
            eventually(lambda: other.pictures().count("live") > 2)
            since = len(other.parts)
            eventually(lambda: viewer.last() == "live")
            eventually(lambda: is_live_and_stamped(viewer.parts[-1], as_it_is))

            daemon.request("PATCH", "/api/v1/streams/demo", {"flip": "horizontal"})
            eventually(lambda: is_live_and_stamped(viewer.parts[-1], np.fliplr))
            count = other.pictures().count("live")
            eventually(lambda: other.pictures().count("live") > count + 1)
            assert set(other.pictures()) <= {"slate", "covered", "live", "held"}
            assert not other.has_ended.is_set()
            assert "covered" not in other.pictures()[since:]
        # Of some the clock cannot be read: it is covered until looked at again.
        parts = viewer.parts
        flipped = [
            n for n, part in enumerate(parts) if is_live_and_stamped(part, np.fliplr)
        ]
        former = [
            n for n, part in enumerate(parts) if is_live_and_stamped(part, as_it_is)
        ]
        between = parts[former[-1] : flipped[0] + 1]
        numbers = [part.sequence or 0 for part in between]
        # Who is slow gets the newest: others were passed over, the cover with them.
        was_passed_over = max(np.diff(numbers)) > 1
        assert was_passed_over or "covered" in [part.picture for part in between]
        assert daemon.pid_of("ingest:demo") == ingest


def test_turned_picture_has_its_sides_exchanged_and_a_crop_its_part(
    tmp_path: Path,
) -> None:
    with Appliance(tmp_path, DEMO_TOML) as daemon:
        crop = {"left": 0, "top": 0.5, "width": 0.5, "height": 0.5}
        answer = daemon.request("PATCH", "/api/v1/streams/demo", {"rotate": 90})
        assert answer.json()["rotate"] == 90
        eventually(lambda: size_of(daemon) == (720, 1280))
        eventually(lambda: is_stamped(snapshot(daemon), np.rot90))

        daemon.request("PATCH", "/api/v1/streams/demo", {"crop": crop})
        eventually(lambda: size_of(daemon) == (360, 640))
        eventually(lambda: luma_of(snapshot(daemon)).shape == (640, 360))

        # The file says so by now, and what its owner then writes there is done too.
        text = daemon.config.read_text()
        assert "rotate = 90" in text
        daemon.config.write_text(text.replace("rotate = 90", "rotate = 0"))
        daemon.process.send_signal(signal.SIGHUP)
        eventually(lambda: size_of(daemon) == (640, 360))


def test_max_fps_and_enabled_change_live(tmp_path: Path) -> None:
    with (
        Appliance(tmp_path, '[streams.demo]\nsource = "demo:"\n') as daemon,
        MjpegViewer(daemon.port, "demo", keeps_jpeg=False),
    ):
        ingest = daemon.pid_of("ingest:demo")
        eventually(lambda: fps_of(daemon) > 12)
        daemon.request("PATCH", "/api/v1/streams/demo", {"max_fps": 5})
        eventually(lambda: 0 < fps_of(daemon) < 7)
        assert daemon.pid_of("ingest:demo") == ingest
        assert 'reason="rate"' in daemon.request("GET", "/metrics").text

        daemon.request("PATCH", "/api/v1/streams/demo", {"enabled": False})
        assert daemon.pid_of("ingest:demo") == 0
        assert daemon.stream("demo")["state"] == "stopped"
        daemon.request("PATCH", "/api/v1/streams/demo", {"enabled": True, "max_fps": 0})
        with MjpegViewer(daemon.port, "demo", keeps_jpeg=False):
            eventually(lambda: fps_of(daemon) > 12)


def size_of(daemon: Appliance) -> tuple[object, object]:
    stream = daemon.stream("demo")
    return stream["width"], stream["height"]


def fps_of(daemon: Appliance) -> float:
    fps = daemon.stream("demo")["fps_out"]
    assert isinstance(fps, float | int)
    return float(fps)


def snapshot(daemon: Appliance) -> bytes:
    answer = daemon.request("GET", "/streams/demo/snapshot.jpg")
    return answer.content if answer.status_code == 200 else blank()


def blank() -> bytes:
    done, jpeg = cv2.imencode(".jpg", np.zeros((16, 16), np.uint8))
    assert done
    return jpeg.tobytes()
