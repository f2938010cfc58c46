"""The pictures of the README: `python -m tests.browser.pictures` takes them anew from a site of its own."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM, NARROW, WIDE
from tests.running import HOUSE, RunningSite

FOLDER = HOUSE / "static" / "pictures"
SETTLED_MS = 1500
TRAINED_MS = 120_000
DATES = {"assignment": "dates", "layers": 2, "heads": 4, "width": 64}
OFTEN = {"steps": 300, "evaluate_every": 20, "snapshot_every": 20}


def explored(page: Page) -> None:
    page.goto("/")
    expect(page.locator(".status")).to_have_text(re.compile("finished"), timeout=60_000)


def trained(page: Page) -> None:
    told = page.request.post("/api/v1/trainings", data={**DATES, **OFTEN}).json()
    page.goto(told["page"])
    expect(page.get_by_text(re.compile("Finished"))).to_be_visible(timeout=TRAINED_MS)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        site = RunningSite(Path(data) / "data", trainers=1)
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        pictures = [
            (f"explore-{name}-{scheme}", viewport, scheme, explored)
            for scheme in ("light", "dark")
            for name, viewport in (("wide", WIDE), ("narrow", NARROW))
        ]
        pictures.append(("training-wide-light", WIDE, "light", trained))
        try:
            for name, viewport, scheme, opened in pictures:
                page = chromium.new_page(
                    base_url=f"http://127.0.0.1:{site.port}", viewport=viewport, color_scheme=scheme
                )
                opened(page)
                page.wait_for_timeout(SETTLED_MS)
                page.screenshot(path=FOLDER / f"{name}.png")
                page.close()
        finally:
            chromium.close()
            site.stop()


if __name__ == "__main__":
    main()
