"""Those who watch by WebRTC see what the others see, and nothing else."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import cv2
import httpx
import numpy as np
import pytest

from ooblexd.sources.pixelclock import read_stamp
from tests.support.appliance import Appliance
from tests.support.centerface import pictures_with_faces
from tests.support.faults import hit, is_replaced
from tests.support.processes import eventually
from tests.support.viewer import MjpegViewer
from tests.support.whep_viewer import WhepViewer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import av

_ON_ITS_WAY_US = 300_000  # from the encoder through the buffers of a slow client

TOML = """
[streams.door]
source = "demo:"
effects = ["blur_faces"]

[streams.bare]
source = "demo:"
effects = []
"""


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    with Appliance(tmp_path_factory.mktemp("whep"), TOML) as running:
        yield running


def luma(frame: av.VideoFrame) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.asarray(frame.to_ndarray(format="yuv420p")[: frame.height], np.uint8)


def faces_shown(viewer: WhepViewer) -> list[int]:
    """Return which of its pictures show a face; each is looked at."""
    jpegs = []
    for seen in viewer.seen:
        done, jpeg = cv2.imencode(".jpg", seen.frame.to_ndarray(format="bgr24"))
        assert done
        jpegs.append(jpeg.tobytes())
    return pictures_with_faces(jpegs)


@pytest.mark.parametrize("codec", ["H264", "VP8"])
def test_every_picture_arrives_once_and_in_order(
    appliance: Appliance, codec: str
) -> None:
    with WhepViewer(appliance.port, "bare", codec) as viewer:
        assert viewer.answer is not None
        assert viewer.answer.status_code == 201, viewer.answer.text
        eventually(lambda: len(viewer.seen) >= 60, 15)

    stamps = [read_stamp(luma(seen.frame)) for seen in viewer.seen]
    numbers = [stamp.sequence for stamp in stamps if stamp is not None]
    assert len(numbers) >= 55
    assert numbers == sorted(set(numbers))
    assert numbers[-1] - numbers[0] < 1.1 * len(numbers)  # hardly any is missing


def test_who_leaves_is_counted_no_more(appliance: Appliance) -> None:
    def viewers() -> int:
        found: int = appliance.request("GET", "/api/v1/streams/bare").json()["viewers"]
        return found

    with (
        WhepViewer(appliance.port, "bare") as one,
        WhepViewer(appliance.port, "bare") as another,
    ):
        eventually(lambda: viewers() == 2, 10)
        eventually(lambda: len(one.seen) > 5 and len(another.seen) > 5, 10)
    eventually(lambda: viewers() == 0, 10)


@pytest.mark.timeout(90)
def test_no_face_is_shown_whatever_ends(appliance: Appliance) -> None:
    with WhepViewer(appliance.port, "door") as viewer:
        eventually(lambda: len(viewer.seen) > 10, 15)
        for worker in ("inference:0", "ingest:door", "control"):
            former, since = hit(appliance, worker, signal.SIGKILL), len(viewer.seen)
            eventually(lambda: is_replaced(appliance, worker, former), 10)  # noqa: B023 # called here
            eventually(lambda: len(viewer.seen) > since + 30, 20)  # noqa: B023 # likewise
    assert not faces_shown(viewer)

    with WhepViewer(appliance.port, "bare") as bare:
        eventually(lambda: len(bare.seen) > 10, 15)
    assert len(faces_shown(bare)) > 5  # the detector would have seen them


def test_a_viewer_can_come_back_when_the_encoding_worker_was_lost(
    appliance: Appliance,
) -> None:
    with WhepViewer(appliance.port, "door") as viewer:
        eventually(lambda: len(viewer.seen) > 10, 15)
        former = hit(appliance, "output:door", signal.SIGKILL)
        eventually(lambda: is_replaced(appliance, "output:door", former), 10)
    with WhepViewer(appliance.port, "door") as anew:
        eventually(lambda: len(anew.seen) > 10, 15)
    assert not faces_shown(anew)


def test_a_stricter_chain_holds_from_the_answer_on(appliance: Appliance) -> None:
    with WhepViewer(appliance.port, "bare") as viewer:
        eventually(lambda: len(viewer.seen) > 10, 15)
        answer = appliance.request(
            "PUT", "/api/v1/streams/bare/effects", ["blur_faces"]
        )
        assert answer.status_code == 202
        answered_us = time.time_ns() // 1000
        since = len(viewer.seen)
        eventually(lambda: len(viewer.seen) > since + 60, 20)

    # What was on its way when the answer came had been sent before.
    after = [seen for seen in viewer.seen if seen.at_us > answered_us + _ON_ITS_WAY_US]
    stamps = [read_stamp(luma(seen.frame)) for seen in after]
    viewer.seen = [
        seen
        for seen, stamp in zip(after, stamps, strict=True)
        if stamp is None or stamp.unix_us > answered_us - _ON_ITS_WAY_US
    ]
    assert len(viewer.seen) > 30
    assert not faces_shown(viewer)


def test_both_kinds_of_viewers_watch_the_same(appliance: Appliance) -> None:
    with (
        MjpegViewer(appliance.port, "door") as by_http,
        WhepViewer(appliance.port, "door") as by_webrtc,
    ):
        eventually(lambda: by_http.pictures().count("live") > 30, 15)
        eventually(lambda: len(by_webrtc.seen) > 30, 15)
        since = len(by_http.parts)
    with MjpegViewer(appliance.port, "door") as alone:
        eventually(lambda: alone.pictures().count("live") > 30, 15)
    assert since


@pytest.mark.parametrize(
    "offer", ["", "v=0\r\n", "\x00" * 100, "a=candidate\r\n" * 900]
)
def test_nonsense_is_refused_and_harms_nobody(appliance: Appliance, offer: str) -> None:
    former = appliance.pid_of("output:door")
    answer = httpx.post(
        f"http://127.0.0.1:{appliance.port}/streams/door/whep",
        content=offer,
        headers={"Content-Type": "application/sdp"},
        timeout=20,
    )

    assert answer.status_code == 400
    assert appliance.pid_of("output:door") == former
