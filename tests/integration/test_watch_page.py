"""The page of one stream in a real browser: by WebRTC, and without it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support.appliance import Appliance
from tests.support.browser import open_browser, open_page
from tests.support.faults import hit, is_replaced
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

# The picture is hidden for a moment only, which a busy machine's test would miss.
_NOTE_HIDDEN = """() => {
  const note = () => { if (video.hidden) window.wasHidden = true; };
  new MutationObserver(note).observe(video, { attributeFilter: ["hidden"] });
}"""
pytestmark = pytest.mark.timeout(120)

FRAMES = "document.getElementById('video').getVideoPlaybackQuality().totalVideoFrames"


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    with Appliance(tmp_path_factory.mktemp("watch")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as found:
        yield found


def url(appliance: Appliance, name: str = "demo") -> str:
    return f"http://127.0.0.1:{appliance.port}/watch/{name}"


def await_text(page: Page, element: str, text: str) -> None:
    eventually(lambda: text in page.locator(element).inner_text(), 30)


def is_hidden(page: Page) -> bool:
    return not page.locator("#video").is_visible()


def test_a_browser_watches_by_webrtc_and_is_told_how_good_it_is(
    appliance: Appliance, browser: Browser
) -> None:
    with open_page(browser, url(appliance)) as page:
        await_text(page, "#quality", "H264")
        await_text(page, "#quality", "fps")
        await_text(page, "#quality", "ms old")
        appliance.request("PUT", "/api/v1/streams/demo/effects", ["blur_faces"])
        await_text(page, "#quality", " face")
        before = page.evaluate(FRAMES)
        eventually(lambda: page.evaluate(FRAMES) > before + 30)
        size = page.evaluate("[video.videoWidth, video.videoHeight]")
        assert size == [1280, 720]
        assert not is_hidden(page)
        assert not page.locator("#waiting").is_visible()
        assert page.title() == "demo · ooblexd"
    eventually(lambda: viewers(appliance) == 0)


def viewers(appliance: Appliance) -> int:
    found: int = appliance.request("GET", "/api/v1/streams/demo").json()["viewers"]
    return found


def test_it_comes_back_by_itself_when_the_connection_is_lost(
    appliance: Appliance, browser: Browser
) -> None:
    # Its former session is not there any more when it asks (404), nor somebody to ask.
    with open_page(browser, url(appliance), but="status of") as page:
        await_text(page, "#quality", "fps")
        page.evaluate(_NOTE_HIDDEN)
        former = hit(appliance, "output:demo", signal.SIGKILL)
        eventually(lambda: page.evaluate("window.wasHidden === true"))
        eventually(lambda: is_replaced(appliance, "output:demo", former))
        await_text(page, "#quality", "fps")
        eventually(lambda: not is_hidden(page))


def test_without_webrtc_it_shows_mjpeg(appliance: Appliance, browser: Browser) -> None:
    with open_page(browser, "about:blank") as page:
        page.add_init_script("delete window.RTCPeerConnection")
        page.goto(url(appliance))
        await_text(page, "#quality", "MJPEG")
        assert page.locator("#canvas").is_visible()
        assert "ms old" in page.locator("#quality").inner_text()


def test_a_stream_that_is_not_there_is_said_and_shown_once_it_is(
    appliance: Appliance, browser: Browser
) -> None:
    with open_page(browser, url(appliance, "attic"), but="404") as page:
        await_text(page, "#waiting", "There is no stream attic. All streams")
        assert page.locator("#waiting a").get_attribute("href") == "/"

        stream = {"name": "attic", "source": "demo:", "effects": []}
        appliance.request("POST", "/api/v1/streams", stream)
        await_text(page, "#quality", "fps")
    assert httpx.get(url(appliance, "attic")).status_code == 200
    appliance.request("DELETE", "/api/v1/streams/attic")
    assert httpx.get(url(appliance, "attic")).status_code == 404


def test_the_page_asks_the_servers_that_the_daemon_names(
    appliance: Appliance, browser: Browser
) -> None:
    turn = {
        "urls": ["stun:127.0.0.1:9", "turn:127.0.0.1:9?transport=udp"],
        "username": "box",
        "password": 'hun"ter\\2',
    }
    patch = {"webrtc": {"ice_servers": [turn]}}
    assert appliance.request("PATCH", "/api/v1/config", patch).status_code == 200

    with open_page(browser, url(appliance)) as page:
        found = page.evaluate(
            "import('/static/ice.js').then(m => m.iceServers('/streams/demo/whep'))"
        )
        await_text(page, "#quality", "H264")  # they are silent, and delay nothing
    assert found == [
        {"urls": "stun:127.0.0.1:9"},
        {"urls": turn["urls"][1], "username": "box", "credential": turn["password"]},
    ]
    patch = {"webrtc": {"ice_servers": []}}
    assert appliance.request("PATCH", "/api/v1/config", patch).status_code == 200
