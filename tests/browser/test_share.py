"""A person shares what she sees; another opens it without signing in, changes nothing of hers, and then it is gone."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import NARROW, WIDE
from tests.running import RunningSite

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]


TEXT = "Mary gave the book to John, and John gave it to Mary."


@pytest.fixture
def visitor(browser: Browser, site: RunningSite) -> Iterator[Page]:
    """A second browser, which knows nothing of the first."""
    context = browser.new_context(base_url=f"http://127.0.0.1:{site.port}", viewport=WIDE, color_scheme="dark")
    yield context.new_page()
    context.close()


@pytest.fixture
def blog() -> Iterator[Callable[[str], str]]:
    """Another site, with one page; gives its address."""
    body = b""

    class OnePage(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), OnePage)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def publish(page: str) -> str:
        nonlocal body
        body = page.encode()
        return f"http://localhost:{server.server_port}/"

    yield publish
    server.shutdown()


@contextmanager
def workers_halted(site: RunningSite) -> Iterator[None]:
    """None of them does anything, nor ends."""
    workers = site.children("celery")
    assert workers
    try:
        for worker in workers:
            worker.suspend()
        yield
    finally:
        for worker in workers:
            worker.resume()


def share(page: Page, site: RunningSite) -> str:
    """Runs a text, looks at a head in another way, shares it; the link's path."""
    told = site.traced("prose", TEXT)
    page.goto(f"{told['page']}?site=decoder.self.2&head=1&scale=log&token=decoder.5")
    expect(page.locator(".status")).to_contain_text("recorded")
    return link_of(page)


def link_of(page: Page) -> str:
    """Shares what is seen; the link's path."""
    page.get_by_role("button", name="Share", exact=True).click()
    page.get_by_label("Title").fill("Who gets the book")
    page.get_by_label("Note").fill("Look at the second name.")
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_label("Link", exact=True)
    expect(link).to_have_value(re.compile(r"/s/[\w-]{22}$"))
    return "/s/" + link.input_value().rpartition("/s/")[2]


def test_view_is_shared_opened_elsewhere_copied_and_withdrawn(page: Page, visitor: Page, site: RunningSite) -> None:
    path = share(page, site)
    visitor.goto(path)
    expect(visitor.get_by_role("heading", name="Who gets the book")).to_be_visible()
    expect(visitor.get_by_text("Look at the second name.")).to_be_visible()
    expect(visitor.locator(".map-head")).to_contain_text("L2 · H1")
    expect(visitor.locator(".map-head, .map-foot").filter(has_text="exact").first).to_be_visible()
    expect(visitor.locator(".status")).to_contain_text("recorded")
    expect(visitor.get_by_role("button", name="Run", exact=True)).to_have_count(0)
    expect(visitor.locator(".token-active")).to_have_count(1)

    visitor.get_by_role("button", name="Open a copy").click()
    visitor.wait_for_url(re.compile(r"/runs/[a-z0-9]{26}"))
    expect(visitor.get_by_role("button", name="Run", exact=True)).to_be_visible()
    expect(visitor.locator(".status")).to_contain_text("finished")
    visitor.goto(path)
    expect(visitor.locator(".status")).to_contain_text("recorded")

    page.get_by_role("listitem").filter(has_text="Who gets the book").get_by_role(
        "button", name="Withdraw"
    ).first.click()
    expect(visitor.get_by_text("This link leads nowhere any more.")).to_be_visible(timeout=6_000)
    expect(visitor.locator(".token-active")).to_have_count(0)
    visitor.goto(path)
    expect(visitor.get_by_role("heading", name="This link leads nowhere")).to_be_visible()


def test_lens_that_is_open_is_shared_with_it(page: Page, visitor: Page, site: RunningSite) -> None:
    told = site.traced("prose", f"{TEXT} {TEXT}")
    page.goto(f"{told['page']}?site=decoder.self.2&head=1")
    page.locator(".panel-lens summary").click()
    expect(page.locator(".lens-cell").first).to_be_visible()
    page.get_by_role("button", name="Earlier positions").click()
    expect(page.locator(".lens-span")).to_contain_text("positions 8 to")
    expect(page.locator('.lens-cell[data-position="8"]').first).to_be_visible()
    cells, span = page.locator(".lens-table").inner_text(), page.locator(".lens-span").inner_text()
    visitor.goto(link_of(page))
    expect(visitor.locator(".lens-cell").first).to_be_visible()
    assert (visitor.locator(".lens-table").inner_text(), visitor.locator(".lens-span").inner_text()) == (cells, span)
    visitor.get_by_role("button", name="Later positions").click()
    expect(visitor.locator('.lens-cell[data-position="31"]').first).to_be_attached()


def test_weight_taken_apart_is_shared_and_opens_without_workers(page: Page, visitor: Page, site: RunningSite) -> None:
    told = site.traced("prose", TEXT)
    page.goto(f"{told['page']}?site=decoder.self.2&head=1&token=decoder.9&key=4&picked=decoder.self.0.3")
    inside = page.get_by_role("group", name="Inside this head")
    expect(inside.locator(".formula-line").first).to_be_visible()
    parts = (".inside-weight", ".where", ".formula", ".inside-row")
    numbers = [inside.locator(part).inner_text() for part in parts]
    path = link_of(page)
    page.goto(f"{told['page']}?site=decoder.self.0&head=3&token=decoder.9&key=4")
    expect(inside.locator(".formula-line").first).to_be_visible()
    of_picked = inside.locator(".inside-weight").inner_text()
    assert of_picked != numbers[0]
    with workers_halted(site):
        visitor.goto(path)
        opened = visitor.get_by_role("group", name="Inside this head")
        expect(opened.locator(".formula-line").first).to_be_visible()
        assert [opened.locator(part).inner_text() for part in parts] == numbers
        visitor.goto(f"{path}?site=decoder.self.0&head=3&token=decoder.9&key=4")
        expect(opened.locator(".inside-weight")).to_have_text(of_picked)
        visitor.get_by_role("application", name=re.compile("Attention map")).focus()
        for key in ("ArrowDown", "Enter"):
            visitor.keyboard.press(key)
        expect(opened.locator(".inside-state")).to_contain_text("not this one.")


@pytest.mark.parametrize("reading", ["value", "gradient", "rollout", "flow"])
def test_reading_in_view_is_shared(page: Page, visitor: Page, site: RunningSite, reading: str) -> None:
    told = site.traced("prose", TEXT)
    page.goto(f"{told['page']}?site=decoder.self.2&head=1&reading={reading}&token=decoder.5")
    expect(page.locator(".map-head, .map-foot").filter(has_text="exact").first).to_be_visible()
    formula = page.locator(".measure-formula").first.inner_text()
    visitor.goto(link_of(page))
    expect(visitor.locator(".map-head, .map-foot").filter(has_text="exact").first).to_be_visible()
    expect(visitor.locator(".measure-formula").first).to_have_text(formula)
    expect(visitor.locator(".map-line, .map-trouble").filter(has_text="This share")).to_have_count(0)


def test_comparison_is_shared_copied_and_withdrawn(page: Page, visitor: Page, site: RunningSite) -> None:
    first, second = site.traced("prose", TEXT), site.traced("prose", TEXT.replace("John", "Paul"))
    page.goto(f"{first['page']}?site=decoder.self.2&head=1&with={second['id']}")
    changed = page.locator(".compare-distance")
    expect(changed).to_contain_text("changed by")
    path = link_of(page)
    visitor.goto(path)
    expect(visitor.locator(".compare-distance")).to_have_text(changed.inner_text())
    expect(visitor.locator(".compare-texts")).to_contain_text("Paul")
    for name in ("Swap", "Pair by hand"):
        expect(visitor.get_by_role("button", name=name)).to_be_hidden()

    visitor.get_by_role("button", name="Open a copy").click()
    visitor.wait_for_url(re.compile(r"/runs/[a-z0-9]{26}.*with=[a-z0-9]{26}"))
    expect(visitor.locator(".compare-distance")).to_have_text(changed.inner_text())
    visitor.goto(path)
    expect(visitor.locator(".compare-texts")).to_contain_text("Paul")
    page.get_by_role("listitem").filter(has_text="Who gets the book").get_by_role(
        "button", name="Withdraw"
    ).first.click()
    expect(visitor.locator(".compare-texts")).not_to_contain_text("Paul", timeout=6_000)


def test_password_opens_a_share(page: Page, visitor: Page, site: RunningSite) -> None:
    """It was refused as another site's page: under no-referrer browsers send a form with `Origin: null`."""
    told = site.traced("prose", TEXT)
    page.goto(f"{told['page']}?site=decoder.self.2&head=1")
    page.get_by_role("button", name="Share", exact=True).click()
    page.get_by_label("Password, optional").fill("between us")
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_label("Link", exact=True)
    expect(link).to_have_value(re.compile("/s/"))
    visitor.goto(link.input_value())
    visitor.get_by_label("Password").fill("between us")
    visitor.get_by_role("button", name="Open").click()
    expect(visitor.locator(".status")).to_contain_text("recorded")


def test_share_is_embedded_with_chosen_panels(
    page: Page, visitor: Page, site: RunningSite, blog: Callable[[str], str]
) -> None:
    slug = share(page, site).removeprefix("/s/")
    frame_of = f'<iframe src="http://127.0.0.1:{site.port}/embed/{slug}?panels=map,text" width="700" height="520">'
    visitor.goto(blog(frame_of))
    frame = visitor.frame_locator("iframe")
    expect(frame.locator(".embed-map canvas").first).to_be_visible()
    expect(frame.locator(".embed-text")).to_contain_text("Mary")
    expect(frame.locator(".panel")).to_have_count(2)


def test_shared_page_fits_a_telephone(page: Page, visitor: Page, site: RunningSite) -> None:
    path = share(page, site)
    visitor.set_viewport_size(NARROW)  # type: ignore[arg-type]
    visitor.goto(path)
    expect(visitor.get_by_role("button", name="Open a copy")).to_be_visible()
    assert visitor.evaluate("document.documentElement.scrollWidth") <= 390


def test_run_is_saved_as_a_page_that_works_offline(
    page: Page, browser: Browser, site: RunningSite, tmp_path: Path
) -> None:
    told = site.traced("prose", "Mary gave the book to John.")
    page.goto(told["page"])
    page.get_by_role("button", name="Share", exact=True).click()
    with page.expect_download() as saved:
        page.get_by_role("link", name="a page that works offline").click()
    saved.value.save_as(tmp_path / "run.html")
    offline = browser.new_context(offline=True)
    alone = offline.new_page()
    faults: list[str] = []
    alone.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    alone.on("pageerror", lambda error: faults.append(str(error)))
    alone.goto(f"file://{tmp_path}/run.html")
    expect(alone.get_by_role("button")).to_have_count(32)
    alone.get_by_role("button", name="layer 2, head 1").click()
    expect(alone.get_by_role("heading", name="layer 2, head 1")).to_be_visible()
    alone.get_by_role("application").hover(position={"x": 5, "y": 5})
    expect(alone.get_by_role("status")).to_have_text("M looks at M: 1.000")
    assert faults == []
    offline.close()


def test_heads_in_little_stand_where_the_live_ones_will(page: Page, visitor: Page, site: RunningSite) -> None:
    """The page draws them before most of its code is here; here that code never comes."""
    link = share(page, site)
    visitor.route("**/explore-*.js", lambda route: route.abort())
    visitor.goto(link)
    expect(visitor.locator(".grid-first")).to_be_visible()
    first = picture_of(visitor)
    visitor.unroute_all()
    visitor.reload()
    expect(visitor.locator(".status")).to_contain_text("recorded")
    expect(visitor.locator(".grid-first")).to_have_count(0)
    live = picture_of(visitor)
    assert first.shape == live.shape and first.std() > 10
    assert np.abs(first - live).mean() < 0.5


def picture_of(page: Page) -> np.ndarray[Any, Any]:
    """The heads as they are on the screen."""
    page.wait_for_timeout(300)
    return np.asarray(Image.open(io.BytesIO(page.locator(".grid-scroller").first.screenshot())).convert("RGB")).astype(
        int
    )
