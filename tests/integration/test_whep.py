"""Those who watch by WebRTC see what the others see, and nothing else."""

from __future__ import annotations

import re
import signal
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import cv2
import httpx
import numpy as np
import pytest

from ooblexd.effects.bgr import bgr_of
from ooblexd.sources.demo import DEMO_CLIP
from ooblexd.sources.pixelclock import read_stamp
from tests.support.appliance import Appliance
from tests.support.centerface import faces_in, pictures_with_faces
from tests.support.clips import clip
from tests.support.faults import hit, is_replaced
from tests.support.processes import eventually
from tests.support.viewer import MjpegViewer
from tests.support.whep_viewer import WhepViewer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import av
    from numpy.typing import NDArray

    from tests.support.centerface import Face
    from tests.support.whep_viewer import Seen

    Thumbnail = NDArray[np.float32]

pytestmark = pytest.mark.timeout(120)

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
        eventually(lambda: len(viewer.seen) >= 60)

    stamps = [read_stamp(luma(seen.frame)) for seen in viewer.seen]
    numbers = [stamp.sequence for stamp in stamps if stamp is not None]
    assert len(numbers) >= 55
    steps = np.diff(numbers)
    assert (steps >= 0).all()
    # One comes again where a keyframe was due and the next was late.
    assert (steps == 0).sum() <= len(numbers) // 10
    # A busy machine passes pictures over, but not most of them.
    assert numbers[-1] - numbers[0] < 3 * len(numbers)


def test_who_leaves_is_counted_no_more(appliance: Appliance) -> None:
    def viewers() -> int:
        found: int = appliance.request("GET", "/api/v1/streams/bare").json()["viewers"]
        return found

    with (
        WhepViewer(appliance.port, "bare") as one,
        WhepViewer(appliance.port, "bare") as another,
    ):
        eventually(lambda: viewers() == 2)
        eventually(lambda: len(one.seen) > 5 and len(another.seen) > 5)
    eventually(lambda: viewers() == 0)


def test_no_face_is_shown_whatever_ends(appliance: Appliance) -> None:
    with WhepViewer(appliance.port, "door") as viewer:
        eventually(lambda: len(viewer.seen) > 10)
        for worker in ("inference:0", "ingest:door", "control"):
            former, since = hit(appliance, worker, signal.SIGKILL), len(viewer.seen)
            eventually(lambda: is_replaced(appliance, worker, former))  # noqa: B023 # called here
            eventually(lambda: len(viewer.seen) > since + 30)  # noqa: B023 # likewise
    assert not faces_shown(viewer)

    with WhepViewer(appliance.port, "bare") as bare:
        eventually(lambda: len(bare.seen) > 10)
    assert len(faces_shown(bare)) > 5  # the detector would have seen them


def test_a_viewer_can_come_back_when_the_encoding_worker_was_lost(
    appliance: Appliance,
) -> None:
    with WhepViewer(appliance.port, "door") as viewer:
        eventually(lambda: len(viewer.seen) > 10)
        former = hit(appliance, "output:door", signal.SIGKILL)
        eventually(lambda: is_replaced(appliance, "output:door", former))
    with WhepViewer(appliance.port, "door") as anew:
        eventually(lambda: len(anew.seen) > 10)
    assert not faces_shown(anew)


def test_a_stricter_chain_holds_from_the_answer_on(appliance: Appliance) -> None:
    with WhepViewer(appliance.port, "bare") as viewer:
        eventually(lambda: len(viewer.seen) > 10)
        answer = appliance.request(
            "PUT", "/api/v1/streams/bare/effects", ["blur_faces"]
        )
        assert answer.status_code == 202
        answered_us = time.time_ns() // 1000
        eventually(lambda: is_from(viewer.seen[-1], answered_us), 30)
        since = len(viewer.seen)
        eventually(lambda: len(viewer.seen) > since + 20, 30)

    # What was on its way when the answer came had been sent before; all come in order.
    ours = (n for n, seen in enumerate(viewer.seen) if is_from(seen, answered_us))
    viewer.seen = viewer.seen[next(ours) :]
    assert len(viewer.seen) > 20
    assert not faces_shown(viewer)


def is_from(seen: Seen, since_us: int) -> bool:
    """Say whether a picture was taken after a moment, as its clock tells."""
    stamp = read_stamp(luma(seen.frame))
    return stamp is not None and stamp.unix_us > since_us


def test_both_kinds_of_viewers_watch_the_same(appliance: Appliance) -> None:
    with (
        MjpegViewer(appliance.port, "door") as by_http,
        WhepViewer(appliance.port, "door") as by_webrtc,
    ):
        eventually(lambda: by_http.pictures().count("live") > 30)
        eventually(lambda: len(by_webrtc.seen) > 30)
        since = len(by_http.parts)
    with MjpegViewer(appliance.port, "door") as alone:
        eventually(lambda: alone.pictures().count("live") > 30)
    assert since


def test_each_picture_is_described_by_a_data_channel(appliance: Appliance) -> None:
    with WhepViewer(appliance.port, "door", has_channel=True) as viewer:
        eventually(lambda: len(viewer.told) > 30)
        viewer.say('{"every_ms": 300}')
        since = len(viewer.told)
        # Five of them follow one another in 0.2 s else.
        eventually(lambda: is_each_after(0.2, live_with(viewer, faces=0, since=since)))
        viewer.say("nonsense")
        eventually(lambda: any("status" in told for told in viewer.told))

    refusals = [told for told in viewer.told if "status" in told]
    assert [told["status"] for told in refusals] == [400]
    live = live_with(viewer, faces=0)
    assert len(live) > 20
    numbers = [told["sequence"] for told in live]
    # One is told of again that was encoded again, since the next came late.
    assert len(set(numbers)) >= 0.9 * len(numbers)
    assert all(0 < told["age_ms"] < 1000 for told in live)
    assert max(map(captured_s, live)) > min(map(captured_s, live))
    metrics = appliance.request("GET", "/metrics").text
    assert re.search(
        r'viewer_frames_total\{protocol="webrtc",stream="door"\} [1-9]', metrics
    )


def test_the_faces_that_are_covered_are_told_with_their_picture(
    appliance: Appliance,
) -> None:
    with WhepViewer(appliance.port, "door", has_channel=True) as viewer:
        # Who begins to watch is told of pictures that it cannot decode yet.
        eventually(lambda: len(viewer.seen) > 0)
        since = len(viewer.told)
        eventually(lambda: len(live_with(viewer, faces=1)) > since + 20, 40)
        eventually(lambda: len(viewer.seen) > 20)
        metrics = appliance.request("GET", "/metrics").text

    pictures = clip(str(DEMO_CLIP))
    thumbnails = np.stack([small(picture.y) for picture in pictures])
    stamps = [read_stamp(luma(seen.frame)) for seen in viewer.seen]
    shown = {
        stamp.unix_us: small(luma(seen.frame))
        for seen, stamp in zip(viewer.seen, stamps, strict=True)
        if stamp is not None
    }
    compared, confirmed = 0, []
    for told in live_with(viewer, faces=0)[::3]:
        nearest_s, picture = min(
            (abs(unix_us / 1e6 - captured_s(told)), unix_us) for unix_us in shown
        )
        if nearest_s > 0.002:
            continue  # it was told of, and lost on its way
        differences = np.abs(thumbnails - shown[picture]).mean(axis=(1, 2))
        bgr = bgr_of(pictures[int(differences.argmin())], full_range=False)
        possible = faces_in(bgr, 0.2, fine=True)
        for one in told["detections"]:
            assert one["label"] == "face"
            is_whole = one["x"] > 0 and one["x"] + one["width"] < 0.999
            if is_whole:
                confirmed.append(any(is_at(one, face) for face in possible))
        for face in faces_in(bgr, 0.8):
            compared += 1
            assert any(is_at(one, face) for one in told["detections"]), face
    assert compared > 3
    assert np.mean(confirmed) > 0.9  # two networks differ in what they doubt
    assert re.search(r'detections_total\{label="face",stream="door"\} [1-9]', metrics)


def small(luma: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> Thumbnail:
    """Return what tells one picture of the demo from the next, without its clock."""
    above = luma[: luma.shape[0] * 9 // 10]
    return np.asarray(cv2.resize(above, (64, 32), interpolation=cv2.INTER_AREA), "f4")


def live_with(
    viewer: WhepViewer, *, faces: int, since: int = 0
) -> list[dict[str, Any]]:
    """Return what it was told of live pictures with so many faces or more."""
    return [
        told
        for told in viewer.told[since:]
        if told.get("picture") == "live" and len(told["detections"]) >= faces
    ]


def captured_s(told: dict[str, Any]) -> float:
    """Return the time of a picture that it was told of."""
    told_time: str = told["capture_time"]
    return datetime.fromisoformat(told_time.replace("Z", "+00:00")).timestamp()


def is_each_after(pause_s: float, told: list[dict[str, Any]]) -> bool:
    """Say whether each of the last five is so much newer than the one before."""
    gaps_s = np.diff([captured_s(one) for one in told[-5:]])
    return len(gaps_s) == 4 and bool((gaps_s > pause_s).all())


def is_at(told: dict[str, Any], face: Face) -> bool:
    """Say whether the middle of one is in the inner half of the other."""
    x: float = (told["x"] + told["width"] / 2) * 1280 - face.x
    y: float = (told["y"] + told["height"] / 2) * 720 - face.y
    return (
        face.width / 4 < x < face.width * 3 / 4
        and face.height / 4 < y < face.height * 3 / 4
    )


def test_viewers_may_change_effects_where_it_is_allowed(appliance: Appliance) -> None:
    def allow(*, is_allowed: bool) -> None:
        patch = {"webrtc": {"data_channel_control": is_allowed}}
        assert appliance.request("PATCH", "/api/v1/config", patch).status_code == 200

    def answer(number: int) -> dict[str, Any]:
        found = [told for told in viewer.told if told.get("id") == number]
        return found[0] if found else {}

    with WhepViewer(appliance.port, "door", has_channel=True) as viewer:
        eventually(lambda: len(viewer.told) > 3)
        viewer.say('{"effects": ["blur_faces", "overlay"], "id": 1}')
        eventually(lambda: bool(answer(1)))
        allow(is_allowed=True)
        viewer.say('{"effects": ["blur_faces", "overlay"], "id": 2}')
        eventually(lambda: bool(answer(2)))
        viewer.say('{"effects": ["blurr_faces"], "id": 3}')
        eventually(lambda: bool(answer(3)))
        allow(is_allowed=False)

    assert answer(1)["status"] == 403
    assert "data_channel_control" in answer(1)["detail"]
    assert answer(2) == {"id": 2, "status": 202, "detail": ""}
    assert answer(3)["status"] == 422
    effects = appliance.request("GET", "/api/v1/streams/door").json()["effects"]
    assert [one["effect"] for one in effects] == ["blur_faces", "overlay"]


def test_who_watches_is_told_at_once_that_the_stream_ends(appliance: Appliance) -> None:
    table = {"name": "brief", "source": "demo:"}
    assert appliance.request("POST", "/api/v1/streams", table).status_code == 201
    with WhepViewer(appliance.port, "brief") as viewer:
        eventually(lambda: len(viewer.seen) > 3)
        assert appliance.request("DELETE", "/api/v1/streams/brief").status_code == 204
        eventually(lambda: viewer.state == "closed", 10)  # ICE alone notices after 30


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
