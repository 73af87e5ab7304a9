"""While nobody looks at a stream it is read, and hardly more.

How little that costs and how soon the first viewer sees a picture is measured by the
benchmark ``idle``.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.appliance import Appliance
from tests.support.faces import clip_truth, uncovered_faces
from tests.support.processes import eventually
from tests.support.viewer import MjpegViewer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

TOML = """
[streams.door]
source = "demo:"
effects = ["blur_faces"]

[streams.yard]
source = "demo:"
effects = [{ effect = "blur_faces", mode = "tracked" }]
"""
STREAMS = ["door", "yard"]

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    clip_truth()
    with Appliance(tmp_path_factory.mktemp("idle"), TOML) as daemon:
        yield daemon
        assert daemon.stop() == 0


def metrics_of(appliance: Appliance) -> str:
    return appliance.request("GET", "/metrics").text


def metric(text: str, name: str, *labels: str) -> float:
    """Return the sum of what has all ``labels``, such as ``stage="output"``."""
    lines = re.findall(rf"^{name}\{{(.*)\}} (\S+)$", text, re.MULTILINE)
    return sum(float(n) for said, n in lines if all(label in said for label in labels))


def worked_on(appliance: Appliance, stream: str) -> float:
    """Return how many frames the chain of ``stream`` has worked on."""
    labels = (f'stream="{stream}"', 'stage="inference"')
    return metric(metrics_of(appliance), "ooblexd_frame_age_seconds_count", *labels)


def left_alone(appliance: Appliance, stream: str) -> float:
    """Return how many frames of ``stream`` nobody wanted."""
    labels = (f'stream="{stream}"', 'reason="idle"')
    return metric(metrics_of(appliance), "ooblexd_frames_dropped_total", *labels)


def count(text: str, name: str, stage: str) -> float:
    return metric(text, name, 'stream="door"', f'stage="{stage}"')


def await_idle(appliance: Appliance, stream: str) -> float:
    """Wait until many frames were left alone one after another; see `worked_on`."""
    worked = idle = -1.0

    def is_idle() -> bool:
        nonlocal worked, idle
        before, worked = worked, worked_on(appliance, stream)
        if worked != before:
            idle = left_alone(appliance, stream)
        return left_alone(appliance, stream) > idle + 15

    eventually(is_idle, 30)
    return worked


@pytest.mark.parametrize("stream", STREAMS)
def test_an_idle_stream_is_healthy_and_says_how_fast_its_source_is(
    appliance: Appliance, stream: str
) -> None:
    await_idle(appliance, stream)
    eventually(lambda: appliance.stream(stream)["fps_in"] != 0)

    def is_well() -> bool:
        told = appliance.stream(stream)
        checks = appliance.request("GET", "/health").json()["checks"]
        status = checks[f"source:{stream}"]["status"]
        return (told["state"], told["reason"], status) == ("running", "", "healthy")

    eventually(is_well)


def test_frames_that_nobody_wants_stay_with_ingest(appliance: Appliance) -> None:
    await_idle(appliance, "door")

    text = metrics_of(appliance)
    sent = count(text, "ooblexd_frames_total", "ingest")
    received = count(text, "ooblexd_frames_received_total", "ingest")
    dropped = count(text, "ooblexd_frames_dropped_total", "ingest")

    assert count(text, "ooblexd_frames_received_total", "inference") == sent
    # The newest is held for whoever comes; one may come while the words are read.
    assert abs(dropped + sent + 1 - received) <= 2


def test_whoever_asks_for_numbers_is_no_viewer(appliance: Appliance) -> None:
    worked = await_idle(appliance, "door")

    for path in ("/metrics", "/health", "/api/v1/streams", "/"):
        for _ in range(10):
            assert appliance.request("GET", path).status_code == 200

    assert worked_on(appliance, "door") == worked


@pytest.mark.parametrize("stream", STREAMS)
def test_the_first_viewer_sees_no_face_and_no_picture_of_before(
    appliance: Appliance, stream: str
) -> None:
    for _ in range(3):
        await_idle(appliance, stream)
        with MjpegViewer(appliance.port, stream) as viewer:
            eventually(lambda: "live" in viewer.pictures())

        first = viewer.pictures().index("live")
        for part in viewer.parts[: first + 1]:
            assert part.picture in ("live", "covered")
            assert part.picture == "covered" or not uncovered_faces(part.jpeg)
            # A cover of nothing says nothing of a frame.
            assert part.age_ms is None or part.age_ms < 1000


def test_a_snapshot_of_an_idle_stream_is_a_picture_of_now(
    appliance: Appliance,
) -> None:
    await_idle(appliance, "door")
    live: list[httpx.Response] = []

    def asks() -> bool:
        asked_s = time.time()
        answer = appliance.request("GET", "/streams/door/snapshot.jpg")
        if answer.headers["x-picture"] == "live":
            live.append(answer)
            # What lay in the ring already may be as old as any live picture.
            assert float(answer.headers["x-capture-time"]) > asked_s - 1
        return bool(live)

    eventually(asks)  # on a busy machine the first may be a cover
    assert not uncovered_faces(live[0].content)


def test_effects_may_change_while_nobody_looks(appliance: Appliance) -> None:
    await_idle(appliance, "door")

    path = "/api/v1/streams/door/effects"
    answer = appliance.request("PUT", path, json=["pixelate_faces"])

    assert answer.status_code == 202
    await_idle(appliance, "door")
    eventually(
        lambda: appliance.request("GET", "/health").json()["status"] == "healthy"
    )
