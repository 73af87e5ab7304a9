"""Sound passes with the pictures of its moment, unless somebody is to be protected."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.sources.test_mpegts import free_port
from tests.support.appliance import Appliance
from tests.support.beeps import BRIGHT, LOUD, beeping_encoder
from tests.support.browser import open_browser, open_page
from tests.support.processes import eventually
from tests.support.whep_viewer import WhepViewer
from tests.support.whip_publisher import HummingPublisher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator, Page

# The loudest of a third of a second, which browsers tell for what they play.
_LEVEL = """(async () => {
  const context = new AudioContext(), analyser = context.createAnalyser();
  await context.resume();
  context.createMediaStreamSource(video.srcObject).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  let peak = 0;
  for (let n = 0; n < 60; n++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    analyser.getFloatTimeDomainData(samples);
    peak = Math.max(peak, ...samples);
  }
  await context.close();
  return peak;
})()"""
ZONE = {"effect": "privacy_zone", "polygons": [[[0, 0], [0.1, 0], [0.1, 0.1]]]}
TOML = """
[streams.beeps]
source = "udp://127.0.0.1:{port}"
effects = []

[streams.desk]
source = "whip:"
effects = []
"""


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    port = free_port()
    toml = TOML.format(port=port)
    with (
        beeping_encoder(port, "-c:a", "aac"),
        Appliance(tmp_path_factory.mktemp("sound"), toml) as running,
    ):
        yield running


def button_of(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name)


def beginnings(times_us: list[int]) -> list[int]:
    """Return the first of each group of moments."""
    return [
        at_us
        for before_us, at_us in zip([0, *times_us], times_us, strict=False)
        if at_us - before_us > 500_000
    ]


def test_a_beep_is_heard_when_its_flash_is_seen(appliance: Appliance) -> None:
    with WhepViewer(appliance.port, "beeps", listens=True) as viewer:
        eventually(lambda: len(viewer.seen) >= 150)
    beeps = [heard.at_us for heard in viewer.heard if heard.peak > LOUD]
    lumas = ((one.at_us, one.frame.to_ndarray(format="gray")) for one in viewer.seen)
    flashes = [at_us for at_us, luma in lumas if np.mean(luma) > BRIGHT]

    # Those that are seen: a flash is three pictures, which a busy machine passes over.
    pairs = [
        min(abs(beep_us - flash_us) for beep_us in beginnings(beeps)) / 1e6
        for flash_us in beginnings(flashes)[1:-1]
    ]

    assert len(pairs) >= 3
    # aiortc holds four packets of sound, and MPEG-TS a picture until the next begins.
    assert median(pairs) < 0.4


def test_a_protected_stream_is_silent_from_the_answer_on(appliance: Appliance) -> None:
    path = "/api/v1/streams/beeps/effects"
    with WhepViewer(appliance.port, "beeps", listens=True) as viewer:
        eventually(lambda: len(viewer.heard) > 50)
        told = {"state": "on", "codec": "aac", "reason": ""}
        assert appliance.stream("beeps")["sound"] == told
        answer = appliance.request("PUT", path, [ZONE])
        at_answer = len(viewer.heard)
        assert answer.status_code == 202, answer.text

        def falls_silent() -> bool:
            count, pictures = len(viewer.heard), len(viewer.seen)
            eventually(lambda: len(viewer.seen) > pictures + 20)
            return len(viewer.heard) == count

        eventually(falls_silent)
        count = len(viewer.heard)
        assert count <= at_answer + 75  # what was on its way to a busy client: 1.5 s
        eventually(lambda: appliance.stream("beeps")["effects"] != [])
        sound = appliance.stream("beeps")["sound"]
        assert isinstance(sound, dict)
        assert (sound["state"], sound["codec"]) == ("off", "aac")
        assert "because of privacy_zone" in sound["reason"]
        appliance.request("PUT", path, [])
        eventually(lambda: len(viewer.heard) > count + 50)


def test_a_publisher_is_heard(appliance: Appliance) -> None:
    with (
        HummingPublisher(appliance.port, "desk"),
        WhepViewer(appliance.port, "desk", listens=True) as viewer,
    ):
        eventually(lambda: sum(one.peak > LOUD for one in viewer.heard) > 50)


def test_a_browser_hears_once_it_is_asked_to(appliance: Appliance) -> None:
    address = f"http://127.0.0.1:{appliance.port}/watch/beeps"
    with open_browser() as browser, open_page(browser, address) as page:
        button = button_of(page, "Turn the sound on")
        eventually(button.is_visible)
        button.click()
        assert not page.evaluate("video.muted")
        assert button_of(page, "Turn the sound off").is_visible()
        eventually(lambda: page.evaluate(_LEVEL) > LOUD)

        appliance.request("PUT", "/api/v1/streams/beeps/effects", [ZONE])
        word = page.locator("#silence")
        eventually(lambda: word.inner_text() == "Sound off")
        appliance.request("PUT", "/api/v1/streams/beeps/effects", [])
        eventually(button_of(page, "Turn the sound off").is_visible)


def test_a_browser_is_told_why_it_hears_nothing(appliance: Appliance) -> None:
    path = "/api/v1/streams/beeps/effects"
    appliance.request("PUT", path, [ZONE])
    address = f"http://127.0.0.1:{appliance.port}"
    with open_browser() as browser:
        with open_page(browser, f"{address}/watch/beeps") as page:
            word = page.locator("#silence")
            eventually(lambda: word.inner_text() == "Sound off")
            assert "because of privacy_zone" in (word.get_attribute("title") or "")
        with open_page(browser, address) as page:
            card = page.locator("article.card[data-name=beeps] .sound")
            eventually(lambda: card.locator("dd").inner_text() == "off")
            assert "because of privacy_zone" in (card.get_attribute("title") or "")
            appliance.request("PUT", path, [])
            eventually(lambda: card.locator("dd").inner_text() == "AAC")
