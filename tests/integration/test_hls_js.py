"""hls.js in a real browser, where ``tools/test`` could bring it by npm."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.sources.test_mpegts import free_port
from tests.support.appliance import Appliance
from tests.support.beeps import beeping_encoder
from tests.support.browser import open_browser
from tests.support.faults import hit, is_replaced
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

HLS_JS = Path(sys.prefix) / "node_modules" / "hls.js" / "dist" / "hls.min.js"
HTML = """<!doctype html><title>HLS</title><video id="video" muted autoplay></video>
<script src="/hls.js"></script>"""
PLAY = """url => {
  window.fatal = [];
  window.player = new Hls({lowLatencyMode: true});
  player.on(Hls.Events.ERROR, (_, error) => {
    if (!error.fatal) return;
    fatal.push(error.details);
    player.loadSource(url);  // as players of hls.js do when the network failed
  });
  player.loadSource(url);
  player.attachMedia(video);
}"""
FRAMES = "video.getVideoPlaybackQuality().totalVideoFrames"
TOML = """
[streams.bare]
source = "demo:"
max_fps = 15
effects = []

[streams.beeps]
source = "udp://127.0.0.1:{port}"
effects = []
"""
ZONE = {"effect": "privacy_zone", "polygons": [[[0, 0], [0.1, 0], [0.1, 0.1]]]}
EDGE = "(({endCC, edge}) => [endCC, edge])(player.levels[0].details)"
HEARD = "video.webkitAudioDecodedByteCount"

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[Appliance]:
    port = free_port()
    with (
        Appliance(tmp_path, TOML.format(port=port)) as running,
        beeping_encoder(port, "-c:a", "libopus"),
    ):
        yield running


@pytest.fixture
def page(appliance: Appliance) -> Iterator[Page]:
    """Lend a page of the daemon's own origin, as no other may play its streams."""
    if not HLS_JS.exists():
        pytest.skip("no hls.js: tools/test brings it where there is npm")
    script = HLS_JS.read_text()
    with open_browser() as browser:
        page = browser.new_page()
        page.route(
            "**/player", lambda it: it.fulfill(content_type="text/html", body=HTML)
        )
        page.route("**/hls.js", lambda it: it.fulfill(body=script))
        page.goto(f"{appliance.url}/player")
        page.wait_for_function("() => typeof Hls === 'function'")
        page.unroute_all()  # each request would go through the test
        yield page


def frames(page: Page) -> int:
    count: int = page.evaluate(FRAMES)
    return count


def test_it_plays_at_the_edge_and_goes_on_whatever_ends(
    appliance: Appliance, page: Page
) -> None:
    page.evaluate(PLAY, f"{appliance.url}/streams/bare/hls/index.m3u8")

    eventually(lambda: frames(page) > 30, 40)
    assert page.evaluate("[video.videoWidth, video.videoHeight]") == [1280, 720]
    assert page.evaluate("player.lowLatencyMode && player.targetLatency < 3")
    assert page.evaluate("fatal") == []

    for worker in ("output:bare", "control"):
        former, since = hit(appliance, worker, signal.SIGKILL), frames(page)
        eventually(lambda: is_replaced(appliance, worker, former))  # noqa: B023 # called here
        eventually(lambda: frames(page) > since + 30, 40)  # noqa: B023 # likewise


def test_sound_is_played_beside_the_pictures_and_both_go_on_with_stricter_effects(
    appliance: Appliance, page: Page
) -> None:
    eventually(lambda: appliance.stream("beeps")["state"] == "running")

    page.evaluate(PLAY, f"{appliance.url}/streams/beeps/hls/index.m3u8")

    eventually(lambda: frames(page) > 75, 40)
    assert page.evaluate("player.audioTracks.map((track) => track.name)") == ["sound"]
    heard, at_s = page.evaluate(f"[{HEARD}, video.currentTime]")
    assert heard > 0
    eventually(lambda: page.evaluate(HEARD) > heard + 5_000)
    assert page.evaluate("video.currentTime") > at_s
    assert page.evaluate("fatal") == []

    former, edge_s = page.evaluate(EDGE)
    since = frames(page)
    appliance.request("PUT", "/api/v1/streams/beeps/effects", [ZONE])
    eventually(lambda: page.evaluate(EDGE)[0] > former)
    assert page.evaluate(EDGE)[1] > edge_s  # else it waits until that is reached again
    eventually(lambda: frames(page) > since + 50)
    assert page.evaluate("fatal") == []
