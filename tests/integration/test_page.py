"""The page in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support.appliance import Appliance
from tests.support.browser import open_page

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(90)
WITHIN_MS = 30_000


def test_a_browser_shows_the_demo_live_and_complains_of_nothing(
    tmp_path: Path,
) -> None:
    with Appliance(tmp_path) as appliance, open_page(appliance.url) as page:
        card = page.locator("article.card")

        expect(card.locator("h2")).to_have_text("demo")
        expect(card.locator(".badge")).to_contain_text("Live", timeout=WITHIN_MS)
        expect(card.locator("canvas")).to_be_visible()
