"""Whoever publishes by WebRTC is seen, one at a time, and can always come back."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest

from ooblexd.sources.pixelclock import read_stamp
from tests.support.appliance import Appliance
from tests.support.faults import hit, is_replaced
from tests.support.processes import eventually
from tests.support.repository import ROOT
from tests.support.viewer import MjpegViewer
from tests.support.whep_viewer import WhepViewer
from tests.support.whip_publisher import MirroredPublisher, WhipPublisher

if TYPE_CHECKING:
    from collections.abc import Iterator

    import av

pytestmark = pytest.mark.timeout(120)

TOML = """
[streams.desk]
source = "whip:"
effects = []

[streams.gray]
source = "whip:"
effects = ["grayscale"]

[streams.locked]
source = "whip:"
effects = []
publish_key = "geheim-7"
"""


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    with Appliance(tmp_path_factory.mktemp("whip"), TOML) as running:
        yield running


def await_state(appliance: Appliance, state: str, name: str = "desk") -> None:
    eventually(lambda: appliance.stream(name)["state"] == state)


def luma(frame: av.VideoFrame) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.asarray(frame.to_ndarray(format="yuv420p")[: frame.height], np.uint8)


@pytest.mark.parametrize("codec", ["H264", "VP8"])
def test_what_is_published_is_watched(appliance: Appliance, codec: str) -> None:
    await_state(appliance, "waiting")
    with (
        WhipPublisher(appliance.port, "desk", codec) as publisher,
        WhepViewer(appliance.port, "desk") as viewer,
    ):
        assert publisher.answer is not None
        assert publisher.answer.status_code == 201, publisher.answer.text
        await_state(appliance, "running")
        eventually(lambda: len(viewer.seen) >= 60)
    stamps = [read_stamp(luma(seen.frame)) for seen in viewer.seen]
    numbers = [stamp.sequence for stamp in stamps if stamp is not None]
    assert len(numbers) > 30
    assert numbers == sorted(numbers)
    await_state(appliance, "waiting")


def test_who_publishes_has_the_pictures_back_with_their_effects(
    appliance: Appliance,
) -> None:
    with MirroredPublisher(appliance.port, "gray") as publisher:
        eventually(lambda: len(publisher.seen) >= 60)
        chroma = publisher.seen[-1].to_ndarray(format="yuv420p")[360:]
        assert np.all(np.abs(chroma.astype(int) - 128) <= 2)
        stamps = [read_stamp(luma(frame)) for frame in publisher.seen[30:]]
        numbers = [stamp.sequence for stamp in stamps if stamp is not None]
        assert len(numbers) > 20
        steps = np.diff(numbers)
        assert (steps >= 0).all()
        # One comes again where a keyframe was due and the next was late.
        assert (steps == 0).sum() <= len(numbers) // 10


def test_who_vanishes_leaves_a_slate_and_can_come_back_at_once(
    appliance: Appliance,
) -> None:
    program = [sys.executable, "-m", "tests.support.whip_publisher"]
    with (
        subprocess.Popen(
            [*program, str(appliance.port), "desk"], stdout=subprocess.PIPE, cwd=ROOT
        ) as publisher,
        MjpegViewer(appliance.port, "desk") as viewer,
    ):
        eventually(lambda: viewer.pictures()[-1:] == ["live"])
        publisher.kill()
        since_s = time.monotonic()
        eventually(lambda: viewer.pictures()[-1] == "slate")
        assert time.monotonic() - since_s < 10, "ICE alone notices after 30 s"

        with WhipPublisher(appliance.port, "desk"):
            eventually(lambda: viewer.pictures()[-1] == "live")
    assert "takes over from the one before" in appliance.log()


def test_the_newest_publisher_takes_over(appliance: Appliance) -> None:
    with WhipPublisher(appliance.port, "desk") as first:
        await_state(appliance, "running")
        with WhipPublisher(appliance.port, "desk") as second:
            eventually(lambda: "closed" in first.states)
            assert first.answer is not None
            path = first.answer.headers["location"]
            gone = appliance.request("DELETE", path)
            assert gone.status_code == 410
            eventually(lambda: second.states[-1:] == ["connected"])


def test_a_publisher_comes_back_when_its_worker_was_lost(appliance: Appliance) -> None:
    with WhipPublisher(appliance.port, "desk") as publisher:
        await_state(appliance, "running")
        former = hit(appliance, "ingest:desk", signal.SIGKILL)
        eventually(lambda: is_replaced(appliance, "ingest:desk", former))
        assert publisher.answer is not None
        path = publisher.answer.headers["location"]
        assert appliance.request("DELETE", path).status_code == 404
        with WhipPublisher(appliance.port, "desk"):
            await_state(appliance, "running")


def test_the_log_says_why_somebody_may_not_publish(appliance: Appliance) -> None:
    headers = {"Content-Type": "application/sdp"}
    sdp = "v=0\r\na=fingerprint:sha-256 00\r\n"  # OBS shows no reason to its user
    for key in ("", "falsch", "falsch", "geheim-7"):
        whip = f"{appliance.url}/streams/locked/whip?token={key}"
        assert httpx.post(whip, content=sdp, headers=headers).status_code in (400, 401)

    told = "127.0.0.1 may not publish by WHIP: "

    def told_lines() -> list[str]:
        return [line for line in appliance.lines if told in line]

    eventually(lambda: any("no SDP" in line for line in told_lines()))  # the last one
    lines = told_lines()
    assert len(lines) == 3, "what happens again is not told each time"
    reasons = ("publish_key is missing", "publish_key is wrong", "no SDP")
    assert all(reason in line for reason, line in zip(reasons, lines, strict=True))
    assert "geheim-7" not in "".join(lines)


def test_a_change_that_leaves_the_source_ends_no_session(appliance: Appliance) -> None:
    patch = {"max_fps": 20, "publish_key": "***", "effects": ["grayscale"]}
    bearer = {"Authorization": "Bearer geheim-7"}
    with WhipPublisher(appliance.port, "locked", headers=bearer) as publisher:
        await_state(appliance, "running", "locked")
        answer = appliance.request("PATCH", "/api/v1/streams/locked", patch)
        assert answer.status_code == 200, answer.text
        with WhepViewer(appliance.port, "locked") as viewer:
            eventually(lambda: len(viewer.seen) > 20)
        assert publisher.states[-1] == "connected"
        assert 'publish_key = "geheim-7"' in appliance.config.read_text()

        elsewhere = {"source": "demo:"}
        appliance.request("PATCH", "/api/v1/streams/locked", elsewhere)
        eventually(lambda: "closed" in publisher.states)
    with WhipPublisher(appliance.port, "locked") as late:
        assert late.answer is not None
        assert late.answer.status_code == 409


@pytest.mark.parametrize("offer", ["", "v=0\r\n", "\x00" * 100, "a=candidate\r\n" * 99])
def test_nonsense_is_refused_and_harms_nobody(appliance: Appliance, offer: str) -> None:
    former = appliance.pid_of("ingest:desk")
    answer = httpx.post(
        f"{appliance.url}/streams/desk/whip",
        content=offer,
        headers={"Content-Type": "application/sdp"},
        timeout=20,
    )

    assert answer.status_code == 400
    assert appliance.pid_of("ingest:desk") == former
