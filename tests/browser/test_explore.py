"""A person opens the page, types, points, presses keys, shares the address, and is never left with an empty panel."""

from __future__ import annotations

import base64
import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NARROW
from tests.running import RunningSite

pytestmark = pytest.mark.browser

FINISHED = re.compile("finished")
TEXT = "And Zubu said unto Kelar, and Zubu said unto"


def answered(page: Page) -> None:
    """Until the run of this page stands on it, whole."""
    expect(page.locator(".token")).not_to_have_count(0)
    expect(page.locator(".status")).to_have_text(FINISHED)


def open_first_page(page: Page) -> None:
    page.goto("/")
    answered(page)


def ask(page: Page, text: str) -> None:
    before = page.url
    page.get_by_label("Text", exact=True).fill(text)
    page.keyboard.press("Enter")
    page.wait_for_function("before => location.pathname !== new URL(before).pathname", arg=before)
    answered(page)


def drawn(page: Page, place: str) -> int:
    """How many different colours a place shows: counted in a picture of it, since WebGL keeps no pixels to be read."""
    picture = base64.b64encode(page.locator(place).first.screenshot()).decode()
    count = page.evaluate(
        """async picture => {
             const bytes = Uint8Array.from(atob(picture), character => character.charCodeAt(0));
             const image = await createImageBitmap(new Blob([bytes], {type: 'image/png'}));
             const copy = new OffscreenCanvas(image.width, image.height).getContext('2d');
             copy.drawImage(image, 0, 0);
             const pixels = new Uint32Array(copy.getImageData(0, 0, image.width, image.height).data.buffer);
             return new Set(pixels).size;
           }""",
        picture,
    )
    return int(count)


def test_first_page_is_already_answered(page: Page) -> None:
    open_first_page(page)
    assert drawn(page, ".grid-scroller") > 8
    assert drawn(page, ".map-body") > 8
    expect(page.get_by_role("list", name="Most likely next tokens").get_by_role("listitem")).not_to_have_count(0)
    expect(page.get_by_text("exact", exact=True)).to_be_visible()


def test_prompt_is_as_tall_as_its_text(page: Page) -> None:
    """It kept the height of two lines when it was measured before the page's letters had come."""
    open_first_page(page)
    prompt = page.get_by_label("Text", exact=True)
    page.wait_for_function("() => document.querySelector('#prompt-text').clientHeight < 48")
    one_line = prompt.evaluate("field => field.clientHeight")
    prompt.fill("one line\nanother line")
    assert prompt.evaluate("field => field.clientHeight") > one_line


def test_typed_text_gets_its_own_address_and_answer(page: Page) -> None:
    open_first_page(page)
    ask(page, TEXT)
    assert re.search(r"/runs/[a-z0-9]{26}", page.url)
    expect(page.get_by_role("region", name="Tokens").first).to_contain_text("Zubu")
    page.reload()
    expect(page.locator(".status")).to_have_text(FINISHED)
    expect(page.get_by_label("Text", exact=True)).to_have_value(TEXT)


def test_keys_walk_the_heads_and_history_walks_back(page: Page) -> None:
    open_first_page(page)
    heads = page.get_by_role("listbox", name=re.compile("Attention heads"))
    title = page.locator(".panel-map h2")
    first = title.inner_text()
    heads.focus()
    page.keyboard.press("ArrowRight")
    expect(title).not_to_have_text(first)
    second = title.inner_text()
    assert "head=" in page.url
    page.reload()
    expect(title).to_have_text(second)
    page.go_back()
    expect(title).to_have_text(first)


def test_pointed_token_shows_where_it_looks_and_a_click_keeps_it(page: Page) -> None:
    open_first_page(page)
    ask(page, TEXT)
    tokens = page.get_by_role("region", name="Tokens").first
    token = tokens.locator(".token").nth(6)
    token.hover()
    expect(tokens).to_contain_text("looks at")
    token.click()
    page.mouse.move(5, 5)
    expect(tokens).to_contain_text("looks at")
    assert "token=" in page.url
    page.keyboard.press("Escape")
    expect(tokens).not_to_contain_text("looks at")
    assert "token=" not in page.url


def test_encoder_decoder_shows_what_it_wrote_and_its_cross_attention(page: Page, site: RunningSite) -> None:
    run = site.submit("numbers", "the fourteenth of july seventeen eighty-nine")
    page.goto(f"/runs/{run}?site=decoder.cross.0&head=0")
    expect(page.locator(".status")).to_have_text(FINISHED)
    expect(page.get_by_label("Target, optional")).to_be_visible()
    strips = page.get_by_role("region", name="Tokens").first
    expect(strips).to_contain_text("july")
    expect(strips).to_contain_text("1")


@pytest.mark.parametrize("text", ["a", "🙂🏽‍🚀 e\u0301 — שלום עולם", "<img src=x onerror=alert(1)> <b>bold</b>"])
def test_every_text_is_shown_as_text(page: Page, text: str) -> None:
    open_first_page(page)
    ask(page, text)
    assert page.locator("img, b").count() == 0
    expect(page.locator(".words")).to_have_text(text.replace(" ", "·"))


def test_empty_text_is_answered_in_words(page: Page) -> None:
    open_first_page(page)
    page.get_by_label("Text", exact=True).fill("   ")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("at least one")


def test_text_that_is_too_long_says_how_long_it_may_be(page: Page, site: RunningSite) -> None:
    run = site.submit("prose", "a b " * 200)
    page.goto(f"/runs/{run}")
    expect(page.get_by_text(re.compile("reads at most"))).to_be_visible()


def test_unknown_run_says_so(page: Page, site: RunningSite) -> None:
    answer = site.http.get("/runs/nobody")
    assert answer.status_code == 404
    assert "nothing at this address" in answer.text


@pytest.mark.parametrize(
    "context",
    [{"viewport": NARROW}, {"viewport": NARROW, "color_scheme": "dark"}, {"color_scheme": "dark"}],
    indirect=True,
    ids=["narrow", "narrow and dark", "dark"],
)
def test_page_fits_its_window_in_both_lights(page: Page) -> None:
    open_first_page(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert drawn(page, ".map-body") > 8


@pytest.mark.parametrize("context", [{"locale": "en"}, {"locale": "de"}], indirect=True, ids=["en", "de"])
def test_nothing_in_the_head_of_a_panel_lies_over_its_neighbour(page: Page) -> None:
    """Between two panels the map's own has little room in a window of 1,100 pixels too: its tools lay over the next."""
    page.goto("/")
    expect(page.locator(".map-label")).to_have_text(re.compile(r"\."))
    outside = """() => [...document.querySelectorAll(".map-head, .map-foot, .panel-head")].flatMap((head) => {
      const room = head.getBoundingClientRect();
      return [...head.querySelectorAll("button, span, h2")].filter((part) => {
        const { left, right, width } = part.getBoundingClientRect();
        return width > 0 && (left < room.left - 1 || right > room.right + 1);
      }).map((part) => `${head.className}: ${part.textContent}`);
    })"""
    for width in (1440, 1280, 1100, 1024, 768, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate(outside) == [], f"{width} px wide"


def test_tokens_show_the_characters_that_they_have(page: Page) -> None:
    """The font draws != as one sign, and <|endoftext|> between two triangles, unless it is told not to."""
    open_first_page(page)
    drawn_alike = """(family) => {
      const draw = (parts) => {
        const context = new OffscreenCanvas(200, 40).getContext("2d");
        context.font = `20px ${family}`;
        const width = context.measureText("<").width;
        parts.forEach((part, at) => context.fillText(part, 5 + at * width, 25));
        return context.getImageData(0, 0, 200, 40).data.join();
      };
      return draw(["<|!="]) === draw([..."<|!="]);
    }"""
    assert page.evaluate(drawn_alike, '"JetBrains Mono Variable"')


def test_chart_is_drawn_by_our_own_plotly_when_it_is_opened(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_first_page(page)
    assert not [url for url in asked if "plotly" in url]
    page.locator("summary", has_text="Heads by layer").click()
    expect(page.locator(".js-plotly-plot .point")).not_to_have_count(0)


def test_head_is_named_with_its_confidence_and_a_measure_opens_to_its_formula_by_keyboard(page: Page) -> None:
    open_first_page(page)
    expect(page.locator(".head-label")).to_have_text("induction")
    expect(page.locator(".head-confidence")).to_have_text(re.compile("clearly|probably"))
    found = page.locator(".measure-found summary")
    found.focus()
    page.keyboard.press("Enter")
    formula = page.locator(".measure-found .measure-formula")
    expect(formula).to_be_visible()
    expect(formula).to_have_text(re.compile(r"= \.\d{4}$"))
    page.get_by_label("Attention heads").press("ArrowRight")
    expect(page.locator(".where", has_text="head 1")).to_be_visible()
    expect(formula).to_be_visible()


def test_page_waits_in_words_for_a_worker_and_then_shows_its_run(page: Page, site: RunningSite) -> None:
    workers = site.children("celery")
    for worker in workers:
        worker.suspend()
    try:
        run = site.submit("prose", TEXT)
        page.goto(f"/runs/{run}")
        expect(page.locator(".status")).to_contain_text("waiting for a worker")
    finally:
        for worker in workers:
            worker.resume()
    expect(page.locator(".status")).to_have_text(FINISHED)
