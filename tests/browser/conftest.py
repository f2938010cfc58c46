"""A real browser on a running site; what the page complains about fails the test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.running import RunningSite

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# As a visitor's browser is where there is no graphics card: the processor puts the page together, and WebGL2 runs on it
# too. (--use-angle=swiftshader would make a pretended graphics card of it and have that put the page together, which
# took 90 ms of all cores a frame.) And none of the browser's own conversations with the outside.
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-swiftshader",
]
# A loaded machine is slow, not wrong.
TIMEOUT_MS = 20_000
expect.set_options(timeout=TIMEOUT_MS)
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Per module, because Playwright's event loop stays current while it lives, and other tests need their own.
    if CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no chromium: CI must install it (apt-get install chromium)")
        pytest.skip("no chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: Browser, site: RunningSite, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """A fresh visitor; `indirect` parameters are options of the browser's context."""
    options = {"viewport": WIDE, "color_scheme": "light", **getattr(request, "param", {})}
    visitor = browser.new_context(base_url=f"http://127.0.0.1:{site.port}", **options)
    yield visitor
    visitor.close()


@pytest.fixture
def page(context: BrowserContext, site: RunningSite) -> Iterator[Page]:
    """A page that may not complain: no error, no failed request, nothing from elsewhere."""
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.on("console", lambda line: complaints.append(line.text) if _is_fault(line) else None)
    page.on("request", lambda request: _note_foreign(request.url, site.port, complaints))
    yield page
    assert not complaints, complaints


def _note_foreign(url: str, port: int, complaints: list[str]) -> None:
    home = (f"http://127.0.0.1:{port}/", f"ws://127.0.0.1:{port}/", "data:", "blob:")
    if not url.startswith(home):
        complaints.append(f"asked elsewhere: {url}")


def _is_fault(line: ConsoleMessage) -> bool:
    """Chromium reports a refusal that the page asked for and shows, a 422, as an error too."""
    return line.type == "error" and "422" not in line.text
