"""The explorer in a real browser, with a stopwatch in the page and an ear on its socket and its textures."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.running import RunningSite
from workers.protocol import frame
from workers.protocol.events import Finished, Site

TIMEOUT_MS = 120_000

# Pressing is timed by the event's own stamp, which the browser gives it before any script runs. All is drawn when a
# later frame begins, because by then the frame in which the page drew the last site has been handed over.
STOPWATCH = """
const Plain = window.WebSocket;
window.WebSocket = class extends Plain {
  constructor(...address) {
    super(...address);
    this.addEventListener("message", ({data}) => watch.frames.push({at: performance.now(), data}));
  }
};
const watch = window.watch = {
  start(sites) {
    for (const entry of performance.getEntriesByType("mark")) performance.clearMarks(entry.name);
    Object.assign(watch, {sites, marks: {}, frames: [], pressed: null});
    watch.drawn = new Promise((resolve) => { watch.resolve = resolve; });
  },
  result: async () => ({...await watch.drawn, pressed: watch.pressed, marks: watch.marks}),
  received: () => watch.frames.map(({at, data}) => [at, btoa(new Uint8Array(data).reduce(
    (text, byte) => text + String.fromCharCode(byte), ""))]),
};
watch.start(0);
window.addEventListener("keydown", (event) => { watch.pressed ??= event.timeStamp; }, true);
new PerformanceObserver((list) => {
  for (const {name, startTime} of list.getEntries()) {
    if (name.startsWith("site-drawn:")) watch.marks[name.slice("site-drawn:".length)] ??= startTime;
  }
  if (watch.sites && Object.keys(watch.marks).length === watch.sites)
    requestAnimationFrame(() => watch.resolve({drawn: performance.now()}));
}).observe({type: "mark"});
"""

# A texture is known by the canvas it is for and by its content; one canvas cannot use another's.
UPLOADS = """
window.uploads = {count: 0, again: 0, bytes: 0};
const known = new WeakMap();
for (const name of ["texImage2D", "texImage3D", "texSubImage2D", "texSubImage3D"]) {
  const plain = WebGL2RenderingContext.prototype[name];
  WebGL2RenderingContext.prototype[name] = function (...given) {
    const pixels = given.find(ArrayBuffer.isView);
    const bytes = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
    let hash = 2166136261;
    for (const byte of bytes) hash = Math.imul(hash ^ byte, 16777619);
    const mine = known.get(this) ?? new Set();
    known.set(this, mine);
    const key = [name, bytes.length, hash, ...given.filter(Number.isInteger)].join();
    uploads.count += 1;
    uploads.bytes += bytes.length;
    uploads.again += mine.has(key);
    mine.add(key);
    return plain.apply(this, given);
  };
}
"""


@dataclass(frozen=True)
class Answer:
    """One run as the page saw it. Units: ms on the page's clock, from the press of Enter."""

    drawn_ms: float
    """All sites are drawn."""
    marks_ms: dict[str, float]
    """When each site was drawn."""
    arrivals_ms: dict[str, float]
    """When each site arrived."""
    seconds: dict[str, float]
    """How long after the beginning of its forward pass the worker had each site."""
    bytes_until_sites: int
    """What the socket brought until the last site was there."""
    bytes_in_all: int
    finished: Finished


@contextmanager
def browser(*arguments: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *arguments])
        yield chromium
        chromium.close()


@contextmanager
def page_on(
    browser: Browser, site: RunningSite, run: str, view: str = "", size: tuple[int, int] = (1440, 900), script: str = ""
) -> Iterator[Page]:
    """A fresh visitor's page on a finished run of the model to be asked."""
    options: Any = {"viewport": {"width": size[0], "height": size[1]}, "base_url": f"http://127.0.0.1:{site.port}"}
    visitor = browser.new_context(**options)
    visitor.set_default_timeout(TIMEOUT_MS)
    if script:
        visitor.add_init_script(script)
    page = visitor.new_page()
    page.goto(f"/runs/{run}{view}")
    page.locator(".dot-finished").wait_for()
    page.locator(".token").first.wait_for()
    yield page
    visitor.close()


def ask(page: Page, text: str, sites: int) -> Answer:
    """Type, press Enter, and look until every site is drawn and the run is over."""
    page.get_by_label("Text", exact=True).fill(text)
    page.evaluate("sites => watch.start(sites)", sites)
    page.keyboard.press("Enter")
    told = page.evaluate("watch.result()")
    page.locator(".dot-finished").wait_for()
    pressed, marks = told["pressed"], told["marks"]
    arrivals: dict[str, float] = {}
    seconds: dict[str, float] = {}
    until_sites = in_all = 0
    finished = None
    for at, data in page.evaluate("watch.received()"):
        received = base64.b64decode(data)
        in_all += len(received)
        event = frame.decode(received).event
        if isinstance(event, Site):
            arrivals[event.site], seconds[event.site] = at - pressed, event.seconds
            until_sites = in_all
        finished = event if isinstance(event, Finished) else finished
    assert finished is not None and len(arrivals) == sites
    return Answer(
        drawn_ms=told["drawn"] - pressed,
        marks_ms={name: at - pressed for name, at in marks.items()},
        arrivals_ms=arrivals,
        seconds=seconds,
        bytes_until_sites=until_sites,
        bytes_in_all=in_all,
        finished=finished,
    )
