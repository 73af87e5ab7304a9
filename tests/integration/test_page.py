"""The page in a real browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.support.appliance import Appliance
from tests.support.browser import open_browser, open_page
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

    Point = tuple[float, float]

pytestmark = pytest.mark.timeout(90)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    with Appliance(tmp_path_factory.mktemp("daemon")) as daemon:
        yield daemon


@pytest.fixture
def appliance(shared: Appliance) -> Iterator[Appliance]:
    """Lend the daemon with its demo stream, and leave it so."""
    yield shared
    for name in streams_of(shared) - {"demo"}:
        shared.request("DELETE", f"/api/v1/streams/{name}")
    shared.request("PUT", "/api/v1/streams/demo/effects", ["blur_faces"])
    assert streams_of(shared) == {"demo"}
    assert effects_of(shared) == ["blur_faces"]


def streams_of(appliance: Appliance) -> set[str]:
    items = appliance.request("GET", "/api/v1/streams").json()["items"]
    return {item["name"] for item in items}


def add(appliance: Appliance, name: str, source: str) -> None:
    stream = {"name": name, "source": source, "effects": []}
    assert appliance.request("POST", "/api/v1/streams", stream).status_code == 201


def card_of(page: Page, stream: str = "demo") -> Locator:
    return page.locator(f"article.card[data-name={stream}]")


def test_the_description_shows_itself_and_lets_it_be_tried(
    appliance: Appliance, browser: Browser
) -> None:
    with open_page(browser, appliance.url + "/docs") as page:
        page.get_by_label("Find").fill("snapshot")
        card = page.locator("#take_snapshot")
        card.locator("summary").first.click()

        expect(page.locator("#list_streams")).to_be_hidden()
        expect(card.get_by_role("textbox", name="name")).to_have_value("demo")
        expect(card.locator(".command")).to_contain_text("/streams/demo/snapshot.jpg")
        card.get_by_role("button", name="Send").click()
        expect(card.locator(".output .status")).to_contain_text("200")
        expect(card.locator(".output img")).to_be_visible()


def test_a_browser_shows_the_demo_live_and_complains_of_nothing(
    appliance: Appliance, browser: Browser
) -> None:
    with open_page(browser, appliance.url) as page:
        card = card_of(page)

        expect(card.locator("h2")).to_have_text("demo")
        expect(card.locator(".badge")).to_contain_text("Live")
        expect(card.locator("canvas")).to_be_visible()


def test_a_stream_that_waits_looks_like_no_fault(
    appliance: Appliance, browser: Browser
) -> None:
    add(appliance, "desk", "upload:")
    with open_page(browser, appliance.url) as page:
        card = card_of(page, "desk")

        expect(card.locator(".badge")).to_have_text("Waiting")
        expect(card).to_contain_text("No picture has been sent yet")


def test_an_effect_is_switched_and_told_its_parameters_live(
    appliance: Appliance, browser: Browser
) -> None:
    with open_page(browser, appliance.url) as page:
        card = card_of(page)
        expect(card.locator(".badge")).to_contain_text("Live")

        card.get_by_role("button", name="Pixelate faces", exact=True).click()
        eventually(lambda: effects_of(appliance) == ["pixelate_faces"])
        card.get_by_role("button", name="Settings of pixelate faces").click()
        page.get_by_label("Strength").fill("0.25")
        eventually(lambda: chain_of(appliance)[0]["strength"] == 0.25)
        page.get_by_role("button", name="Done").click()

        card.get_by_role("button", name="Pixelate faces", exact=True).click()
        page.get_by_role("button", name="Show it").click()
        eventually(lambda: effects_of(appliance) == [])
        expect(card).to_contain_text("Shows everybody")


def test_cards_keep_their_names_whole_and_their_trouble_to_themselves(
    appliance: Appliance, browser: Browser
) -> None:
    add(appliance, "front-door-by-the-stairs", "whip:")
    with open_page(browser, appliance.url) as page:
        name = card_of(page, "front-door-by-the-stairs").locator("h2")
        badge = card_of(page, "front-door-by-the-stairs").locator(".badge")
        demo = card_of(page)
        expect(badge).to_have_text("Waiting")
        expect(demo.locator(".badge")).to_contain_text("Live")
        expect(demo.locator(".sound dd")).to_have_text("\N{EN DASH}")
        height = demo.evaluate("card => card.offsetHeight")
        push = {"push": ["rtmp://127.0.0.1:9/live/a-name-that-is-long/key"]}
        path = "/api/v1/streams/front-door-by-the-stairs"
        appliance.request("PATCH", path, push)
        trouble = card_of(page, "front-door-by-the-stairs").locator(".push")
        expect(trouble).to_be_visible()
        assert demo.evaluate("card => card.offsetHeight") == height

        page.set_viewport_size({"width": 390, "height": 844})
        expect(badge).to_be_visible()
        assert name.evaluate("h2 => h2.getClientRects().length") == 1
        line = "parseFloat(getComputedStyle(h2).lineHeight)"
        assert name.evaluate(f"h2 => h2.offsetHeight < 1.5 * {line}")
        assert page.evaluate("document.body.scrollWidth") <= 390


def test_a_zone_is_drawn_on_the_picture(appliance: Appliance, browser: Browser) -> None:
    with open_page(browser, appliance.url) as page:
        card = card_of(page)
        expect(card.locator(".badge")).to_contain_text("Live")

        card.get_by_role("button", name="Privacy zone", exact=True).click()
        drag(page.locator("canvas.zones"), (0.25, 0.25), (0.5, 0.75))

        eventually(lambda: "privacy_zone" in effects_of(appliance))
        zone = next(e for e in chain_of(appliance) if e["effect"] == "privacy_zone")
        (polygon,) = zone["polygons"]
        assert [pytest.approx(point, abs=0.02) for point in polygon] == [
            [0.25, 0.25],
            [0.5, 0.25],
            [0.5, 0.75],
            [0.25, 0.75],
        ]
        assert "blur_faces" in effects_of(appliance)


def drag(canvas: Locator, start: Point, end: Point) -> None:
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    places = [
        (box["x"] + x * box["width"], box["y"] + y * box["height"])
        for x, y in (start, end)
    ]
    mouse = canvas.page.mouse
    mouse.move(*places[0])
    mouse.down()
    mouse.move(*places[1], steps=4)
    mouse.up()


def test_a_camera_is_added_and_removed(appliance: Appliance, browser: Browser) -> None:
    with open_page(browser, appliance.url) as page:
        page.get_by_role("button", name="Add a camera").first.click()
        page.get_by_label("Address").fill("demo:")
        page.get_by_label("Name").fill("yard")
        expect(page.locator("#probe")).to_contain_text("H264, 1280")
        page.get_by_role("button", name="Add", exact=True).click()

        yard = card_of(page, "yard")
        expect(yard.locator(".badge")).to_contain_text("Live")
        assert effects_of(appliance, "yard") == ["blur_faces"]
        yard.get_by_role("button", name="Remove").click()
        page.get_by_role("button", name="Remove", exact=True).last.click()
        expect(yard).to_have_count(0)


def test_a_camera_that_is_down_takes_a_line_and_gets_another_address(
    appliance: Appliance, browser: Browser
) -> None:
    add(appliance, "yard", "rtsp://admin:geheim@127.0.0.1:1/stream1")
    with open_page(browser, appliance.url, but="403") as page:
        yard = card_of(page, "yard")
        expect(yard.locator(".badge")).to_have_text("No picture")
        expect(yard).to_contain_text("Connection refused")
        expect(yard).to_contain_text(re.compile(r"Tried for \d+ s, and on for ever"))
        assert height_of(yard) < 120

        yard.get_by_label("Edit the source of yard").click()
        dialog = page.locator("#edit-dialog")
        expect(dialog).to_contain_text("rtsp://***@127.0.0.1:1/stream1")
        save = dialog.locator("button[type=submit]")
        expect(save).to_be_disabled()
        dialog.get_by_label("New URL").fill("rtsp://127.0.0.1:1/other")
        expect(dialog).to_contain_text("Connection refused")
        expect(save).to_have_text("Save anyway")
        dialog.get_by_label("New URL").fill("file:/etc/passwd")
        expect(dialog).to_contain_text("Only the configuration file may name")
        expect(save).to_be_disabled()
        dialog.get_by_label("New URL").fill("demo:")
        expect(dialog).to_contain_text("H264, 1280")
        save.click()

        expect(yard.locator(".badge")).to_contain_text("Live")
        assert height_of(yard) > 400
        assert appliance.stream("yard")["source"] == "demo:"
        assert appliance.stream("yard")["down_for_ms"] is None


def height_of(card: Locator) -> float:
    box = card.bounding_box()
    assert box
    return box["height"]


def chain_of(appliance: Appliance, stream: str = "demo") -> list[dict[str, Any]]:
    chain: list[dict[str, Any]] = appliance.stream(stream)["effects"]  # type: ignore[assignment] # as the contract has it
    return chain


def effects_of(appliance: Appliance, stream: str = "demo") -> list[str]:
    return [effect["effect"] for effect in chain_of(appliance, stream)]
