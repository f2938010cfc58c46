"""The pictures of the README: `python -m tests.browser.pictures` takes them anew from a site of its own."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM, NARROW, WIDE
from tests.running import HOUSE, RunningSite

FOLDER = HOUSE / "static" / "pictures"
SETTLED_MS = 1500


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        site = RunningSite(Path(data) / "data")
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            for scheme in ("light", "dark"):
                for name, viewport in (("wide", WIDE), ("narrow", NARROW)):
                    page = chromium.new_page(
                        base_url=f"http://127.0.0.1:{site.port}", viewport=viewport, color_scheme=scheme
                    )
                    page.goto("/")
                    expect(page.locator(".status")).to_have_text(re.compile("finished"), timeout=60_000)
                    page.wait_for_timeout(SETTLED_MS)
                    page.screenshot(path=FOLDER / f"explore-{name}-{scheme}.png")
                    page.close()
        finally:
            chromium.close()
            site.stop()


if __name__ == "__main__":
    main()
