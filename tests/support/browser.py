"""A real browser that looks at a page."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

expect.set_options(timeout=30_000)  # of whoever expects nothing else

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FAR_NAME = "box.test"
"""This machine, but by a name that browsers do not trust as they do localhost."""

_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    f"--host-resolver-rules=MAP {FAR_NAME} 127.0.0.1",
)


@contextmanager
def open_browser(*more: str) -> Iterator[Browser]:
    """Lend a browser for any number of pages, started with ``more`` arguments.

    Skip where none is installed.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("apt install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browser, args=[*_QUIET, *more]
        )
        yield chromium
        chromium.close()


@contextmanager
def open_page(browser: Browser, url: str, but: str | None = None) -> Iterator[Page]:
    """Lend ``url`` as ``browser`` shows it, which complains of nothing until left.

    But of what holds the text ``but``: a browser calls each answer of 503 an error.
    """
    complaints: list[str] = []
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(url)
    yield page
    page.close()
    unexpected = [text for text in complaints if but is None or but not in text]
    assert not unexpected, unexpected
