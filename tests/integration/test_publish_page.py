"""A browser's camera in, and back again, through the page that publishes."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support.appliance import Appliance
from tests.support.browser import FAR_NAME, open_browser, open_page
from tests.support.faults import hit, is_replaced
from tests.support.processes import eventually
from tests.support.publishers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.timeout(120)

TOML = """
[http]
allowed_hosts = ["{far_name}"]

[streams.desk]
source = "whip:"
effects = ["grayscale"]
publish_key = "geheim"

[streams.door]
source = "demo:"

[streams.yard]
source = "rtmp-listen://0.0.0.0:{port}/yard"
publish_key = "geheim"
"""
FRAMES = "document.getElementById('video').getVideoPlaybackQuality().totalVideoFrames"


@pytest.fixture(scope="module")
def rtmp_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def appliance(
    tmp_path_factory: pytest.TempPathFactory, rtmp_port: int
) -> Iterator[Appliance]:
    toml = TOML.format(far_name=FAR_NAME, port=rtmp_port)
    with Appliance(tmp_path_factory.mktemp("publish"), toml) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as found:
        yield found


def url(appliance: Appliance, query: str = "?token=geheim") -> str:
    return f"http://127.0.0.1:{appliance.port}/publish/desk{query}"


def await_text(page: Page, element: str, text: str) -> None:
    eventually(lambda: text in page.locator(element).inner_text())


def await_state(appliance: Appliance, state: str) -> None:
    eventually(lambda: appliance.stream("desk")["state"] == state)


def test_a_camera_comes_back_and_so_does_its_page(
    appliance: Appliance, browser: Browser
) -> None:
    # What it asks of a session that is not there any more.
    with open_page(browser, url(appliance), but="404") as page:
        page.locator("#go").click()
        await_text(page, "#quality", "fps")
        await_state(appliance, "running")
        before = page.evaluate(FRAMES)
        eventually(lambda: page.evaluate(FRAMES) > before + 30)
        assert page.locator("#preview").is_visible()
        assert "H264" in page.locator("#quality").inner_text()

        former = hit(appliance, "ingest:desk", signal.SIGKILL)
        eventually(lambda: is_replaced(appliance, "ingest:desk", former))
        await_state(appliance, "running")

        page.locator("#go").click()
        await_state(appliance, "waiting")
        assert not page.locator("#preview").is_visible()


def test_the_microphone_is_used_once_somebody_says_so(
    appliance: Appliance, browser: Browser
) -> None:
    def heard() -> object:
        sound = appliance.stream("desk")["sound"]
        assert isinstance(sound, dict)
        return sound["codec"]

    with open_page(browser, url(appliance), but="404") as page:
        page.locator("#go").click()
        await_text(page, "#quality", "fps")
        assert heard() is None
        page.get_by_label("With sound").check()
        eventually(lambda: heard() == "opus")
        page.locator("#go").click()
        await_state(appliance, "waiting")


def test_the_key_is_asked_for(appliance: Appliance, browser: Browser) -> None:
    with open_page(browser, url(appliance, ""), but="401") as page:
        page.locator("#go").click()
        await_text(page, "#waiting", "wants its publish key")
        page.locator("#key").fill("geheim")
        page.locator("#go").click()
        await_text(page, "#quality", "fps")


def test_who_was_replaced_is_told_and_does_not_fight(
    appliance: Appliance, browser: Browser
) -> None:
    with (
        open_page(browser, url(appliance), but="410") as first,
        open_page(browser, url(appliance)) as second,
    ):
        first.locator("#go").click()
        await_text(first, "#quality", "fps")
        second.locator("#go").click()
        await_text(second, "#quality", "fps")
        await_text(first, "#waiting", "Somebody else publishes")
        assert second.locator("#quality").inner_text()


def test_without_https_it_says_what_is_missing(
    appliance: Appliance, browser: Browser
) -> None:
    far = url(appliance).replace("127.0.0.1", FAR_NAME)
    with open_page(browser, far) as page:
        await_text(page, "#waiting", "by https")
        assert not page.locator("#go").is_visible()


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        ("door", "Browsers cannot publish to door: its source is demo:. For browsers"),
        ("yard", "others publish to rtmp://127.0.0.1:{port}/live/yard with ?token="),
    ],
)
def test_where_browsers_cannot_publish_it_says_how_else(
    appliance: Appliance, browser: Browser, rtmp_port: int, stream: str, why: str
) -> None:
    address = f"http://127.0.0.1:{appliance.port}/publish/{stream}"
    with open_page(browser, address) as page:
        await_text(page, "#waiting", why.format(port=rtmp_port))
        await_text(page, "#waiting", 'set its source to "whip:"')
        assert not page.locator("#go").is_visible()


def test_an_unknown_stream_is_404_until_it_is_there(
    appliance: Appliance, browser: Browser
) -> None:
    address = f"http://127.0.0.1:{appliance.port}/publish/cellar"
    assert httpx.get(address).status_code == 404

    with open_page(browser, address, but="404") as page:
        await_text(page, "#waiting", "There is no stream cellar")
        assert page.locator("#waiting a").get_attribute("href") == "/"
        assert not page.locator("#go").is_visible()

        stream = {"name": "cellar", "source": "whip:", "effects": []}
        appliance.request("POST", "/api/v1/streams", stream)
        eventually(page.locator("#go").is_visible)
    assert httpx.get(address).status_code == 200
