"""A share of a long run: what it stores, and how soon its first heads are drawn when it is opened cold, workers away.

The model is made up: random weights of GPT-2 small's shape, whose maps are as flat as maps can be, and so the largest.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from tests.benchmarks.explorer_page import browser
from tests.benchmarks.figures import Figure
from tests.benchmarks.made_up import save_gpt2, text_of
from tests.browser.conftest import CHROMIUM
from tests.running import RunningSite

SMALL, TOKENS, HEADS = "gpt2-small", 512, 144
VIEW = "?site=decoder.self.5&head=3"
STORED_BYTES, OPENED_MS = 4_000_000, 300
ROUNDS = 9

# From the start of the navigation. The first heads stand in the frame that the browser calls its first with content,
# where that was shown after they were drawn; of the live ones the next frame says that theirs was shown.
STOPWATCH = """
const seen = (type, found) => new Promise((resolve) => {
  new PerformanceObserver((list) => {
    const entry = list.getEntries().find(({name}) => name.startsWith(found));
    if (entry) resolve(entry.startTime);
  }).observe({type, buffered: true});
});
const shown = () => new Promise((resolve) => requestAnimationFrame(() => resolve(performance.now())));
window.opened = Promise.all([
  Promise.all([seen("mark", "first-heads-drawn"), seen("paint", "first-contentful-paint")]).then(([drawn, painted]) => {
    if (painted < drawn) throw new Error(`Painted after ${painted} ms, and drawn only after ${drawn}`);
    return painted;
  }),
  seen("mark", "site-drawn:").then(shown),
]);
"""


def figures() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        site = RunningSite(data)
        try:
            site.add_model(save_gpt2(Path(folder) / SMALL, n_positions=TOKENS))
            run = site.submit(SMALL, text_of(TOKENS))
            site.wait(run, timeout_s=300)
            share = _shared(site, run, VIEW)
            other = site.submit(SMALL, text_of(TOKENS - 1))
            site.wait(other, timeout_s=300)
            compared = _shared(site, run, f"{VIEW}&with={other}")
        finally:
            site.stop()
        for name, stored in (("stored", share["size_bytes"]), ("stored_comparison", compared["size_bytes"])):
            yield Figure(
                f"sharing.{name}",
                f"{stored / 1e6:.2f} MB, {TOKENS} tokens, {HEADS} heads",
                f"<= {STORED_BYTES / 1e6:.0f} MB",
                stored <= STORED_BYTES,
            )
        if CHROMIUM is None:
            yield Figure("sharing.opened_cold", skipped="no chromium (apt-get install chromium)")
            return
        without_workers = RunningSite(data, workers=0)
        try:
            with browser() as chromium:
                rounds = [_opened_ms(chromium, without_workers, share["page"]) for _ in range(ROUNDS)]
        finally:
            without_workers.stop()
        first_ms, live_ms = (statistics.median(times) for times in zip(*rounds, strict=True))
        yield Figure(
            "sharing.opened_cold",
            f"{first_ms:.0f} ms to the first heads drawn",
            f"<= {OPENED_MS} ms, without workers",
            first_ms <= OPENED_MS,
        )
        yield Figure("sharing.opened_cold.live", f"{live_ms:.0f} ms until they answer to a hand", "none")


def _shared(site: RunningSite, run: str, view: str) -> dict[str, Any]:
    """With the lens open, at the end of the text."""
    order = {"run": run, "view": view, "title": "Long", "lens": {"positions": [TOKENS - 16, TOKENS]}}
    told: dict[str, Any] = site.http.post("/api/v1/shares", json=order).raise_for_status().json()
    return told


def _opened_ms(chromium: Browser, site: RunningSite, page: str) -> tuple[float, float]:
    """By a visitor who has nothing of the site in her cache: until all heads in little, and a live one."""
    visitor = chromium.new_context(viewport={"width": 1440, "height": 900}, base_url=f"http://127.0.0.1:{site.port}")
    visitor.add_init_script(STOPWATCH)
    tab = visitor.new_page()
    tab.goto(page, wait_until="commit")
    first_ms, live_ms = tab.evaluate("window.opened")
    visitor.close()
    return first_ms, live_ms
