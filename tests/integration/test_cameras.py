"""Real cameras added by the API, and what their owner is told when they fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import httpx
import numpy as np
import pytest

from tests.support.appliance import Appliance
from tests.support.cameras import LOGIN, PASSWORD, make_clips, rtsp_camera
from tests.support.http_camera import http_camera
from tests.support.processes import eventually
from tests.support.viewer import MjpegViewer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cameras import RtspCamera

JPEG_START = b"\xff\xd8"
NOTHING_YET = "# streams come by the API\n"

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspCamera]:
    with rtsp_camera(make_clips(tmp_path_factory.mktemp("clips"))) as running:
        yield running


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    with Appliance(tmp_path_factory.mktemp("cameras"), NOTHING_YET) as daemon:
        yield daemon


def add(appliance: Appliance, name: str, source: str, **more: object) -> None:
    body = {"name": name, "source": source, "effects": ["blur_faces"], **more}
    answer = appliance.request("POST", "/api/v1/streams", body)
    assert answer.status_code == 201, answer.text


def remove(appliance: Appliance, name: str) -> None:
    answer = appliance.request("DELETE", f"/api/v1/streams/{name}", {})
    assert answer.status_code == 204, answer.text


def live_snapshot(appliance: Appliance, name: str) -> httpx.Response:
    """Return the first that is live; on a busy machine another may be a cover."""
    answer = httpx.Response(204)

    def is_live() -> bool:
        nonlocal answer
        answer = appliance.request("GET", f"/streams/{name}/snapshot.jpg")
        return bool(answer.headers.get("x-picture") == "live")

    eventually(is_live)
    return answer


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("codec", ["h264", "h265", "mjpeg"])
def test_camera_with_digest_login_is_shown_live(
    appliance: Appliance, camera: RtspCamera, codec: str, transport: str
) -> None:
    name = f"{codec}-{transport}"
    add(appliance, name, camera.url(codec, "digest"), transport=transport)

    with MjpegViewer(appliance.port, name) as viewer:
        eventually(lambda: viewer.pictures().count("live") > 5)
    snapshot = live_snapshot(appliance, name)

    assert snapshot.content.startswith(JPEG_START)
    assert PASSWORD not in appliance.request("GET", "/api/v1/streams").text
    remove(appliance, name)


@pytest.mark.parametrize(
    ("mount", "login", "reason"),
    [
        ("h264", "admin:wrong@", "login refused (401)"),
        ("no-such-mount", LOGIN, "nothing at this path (404)"),
        ("audio", LOGIN, "there is no video track"),
    ],
)
def test_owner_is_told_why_a_camera_fails(
    appliance: Appliance, camera: RtspCamera, mount: str, login: str, reason: str
) -> None:
    add(appliance, "failing", camera.url(mount, "digest", login))

    with MjpegViewer(appliance.port, "failing") as viewer:
        eventually(lambda: appliance.stream("failing")["state"] == "down")
        eventually(lambda: viewer.last() == "slate")
        since = len(viewer.parts)
        eventually(lambda: len(viewer.parts) > since)
        assert set(viewer.pictures()[since:]) == {"slate"}

    assert reason in str(appliance.stream("failing")["reason"])
    health = appliance.request("GET", "/health")
    assert health.json()["status"] == "degraded"
    assert reason in health.text
    eventually(lambda: reason in appliance.log())
    refused = appliance.request("GET", "/streams/failing/snapshot.jpg")
    assert refused.status_code == 503
    assert reason in refused.text
    remove(appliance, "failing")


def test_unreachable_cameras_have_reasons_of_their_own(appliance: Appliance) -> None:
    sources = {
        "closed": ("rtsp://127.0.0.1:9/x", "connection refused"),
        "nobody": ("rtsp://no-such-host.invalid/x", "host"),
        "page": (f"{appliance.url}/health", "not a video"),
    }
    for name, (source, reason) in sources.items():
        add(appliance, name, source)
        eventually(lambda name=name: appliance.stream(name)["state"] == "down")  # type: ignore[misc] # mypy infers no default of a lambda
        assert reason in str(appliance.stream(name)["reason"])
        remove(appliance, name)


def test_no_credential_is_ever_told(appliance: Appliance, camera: RtspCamera) -> None:
    add(appliance, "secret", camera.url("h264", "digest", "admin:hunter2@"))
    eventually(lambda: appliance.stream("secret")["state"] == "down")

    for path in ("/api/v1/streams", "/health", "/metrics", "/"):
        assert "hunter2" not in appliance.request("GET", path).text
    assert "hunter2" not in appliance.log()
    remove(appliance, "secret")


def test_camera_that_is_unplugged_comes_back_by_itself(
    appliance: Appliance, tmp_path_factory: pytest.TempPathFactory
) -> None:
    clips = make_clips(tmp_path_factory.mktemp("unplugged"))
    with rtsp_camera(clips) as first:
        add(appliance, "plug", first.url("h264"))
        with MjpegViewer(appliance.port, "plug") as viewer:
            eventually(lambda: viewer.pictures().count("live") > 5)
    with MjpegViewer(appliance.port, "plug") as viewer:
        eventually(lambda: viewer.last() == "slate")
        assert appliance.stream("plug")["state"] == "down"
        with rtsp_camera(clips) as second:
            source = {"source": second.url("h264")}
            appliance.request("PATCH", "/api/v1/streams/plug", source)
            eventually(lambda: viewer.last() == "live")
    remove(appliance, "plug")


def test_camera_with_huge_pictures_is_refused_with_the_limit(
    appliance: Appliance,
) -> None:
    done, jpeg = cv2.imencode(".jpg", np.zeros((4200, 4200, 3), np.uint8))
    assert done
    with http_camera({"stream": [jpeg.tobytes()]}, "") as camera:
        add(appliance, "huge", camera.url("stream"))
        eventually(lambda: appliance.stream("huge")["state"] == "down")

        assert "at most 17 megapixels" in str(appliance.stream("huge")["reason"])
        remove(appliance, "huge")
