"""A person sorts, searches and shortens the grid of heads, by mouse and by keys, and shares what she found."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import NARROW
from tests.browser.test_explore import answered, ask, open_first_page

pytestmark = pytest.mark.browser

# What is copied by a head of layer 1 in the model `prose`: names that come again.
TEXT = "And Zubu said unto Kelar, and Zubu said unto Kelar, and Zubu said"

# Without a graphics card a map is drawn aside and copied to the canvas that is seen.
SENT_TO_THE_GRID = """
const counts = new Map(), seenIn = new Map();
for (const name of ['bufferData', 'texImage3D']) {
  const send = WebGL2RenderingContext.prototype[name];
  WebGL2RenderingContext.prototype[name] = function (...given) {
    counts.set(this.canvas, (counts.get(this.canvas) ?? 0) + 1);
    return send.apply(this, given);
  };
}
const {drawImage} = CanvasRenderingContext2D.prototype;
CanvasRenderingContext2D.prototype.drawImage = function (image, ...given) {
  seenIn.set(image, this.canvas);
  return drawImage.call(this, image, ...given);
};
window.sent = () => [...counts]
  .filter(([canvas]) => (seenIn.get(canvas) ?? canvas).closest('.grid-scroller'))
  .reduce((sum, [, count]) => sum + count, 0);
"""


def grid(page: Page) -> Locator:
    return page.get_by_role("listbox", name=re.compile("Attention heads"))


def option(page: Page) -> Locator:
    """What a screen reader hears of the head that is shown."""
    return page.get_by_role("option", name=re.compile("self-attention|cross-attention")).first


def search(page: Page) -> Locator:
    return page.get_by_role("searchbox", name="Find heads")


def count(page: Page) -> Locator:
    return page.locator(".grid-count")


def choose(page: Page, menu: str, choice: str) -> None:
    page.get_by_role("button", name=re.compile(f"^{menu}")).click()
    page.get_by_role("option", name=re.compile(f"^{choice}")).click()


def value(page: Page) -> float:
    said = re.search(r"induction ([.\d]+)", option(page).inner_text())
    assert said, option(page).inner_text()
    return float(said[1])


def test_sorting_by_induction_puts_the_strongest_induction_head_first(page: Page) -> None:
    open_first_page(page)
    ask(page, TEXT)
    choose(page, "Sort", "induction")
    grid(page).focus()
    page.keyboard.press("Home")
    expect(option(page)).to_have_attribute("aria-posinset", "1")
    expect(option(page)).to_contain_text("layer 1")
    expect(option(page)).to_contain_text("induction")
    first = value(page)
    page.keyboard.press("ArrowRight")
    expect(option(page)).to_have_attribute("aria-posinset", "2")
    assert first >= value(page)
    page.keyboard.press("End")
    expect(option(page)).to_have_attribute("aria-posinset", "32")
    page.reload()
    answered(page)
    expect(page.get_by_role("button", name="Sort: induction")).to_be_visible()


def test_an_order_is_a_step_back_in_history(page: Page) -> None:
    open_first_page(page)
    choose(page, "Sort", "induction")
    expect(page.get_by_role("button", name="Sort: induction")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("button", name="Sort: by layer")).to_be_visible()
    page.go_forward()
    expect(page.get_by_role("button", name="Sort: induction")).to_be_visible()


def test_slash_leads_to_the_search_enter_shows_the_first_match_and_esc_clears(page: Page) -> None:
    open_first_page(page)
    page.keyboard.press("/")
    expect(search(page)).to_be_focused()
    page.keyboard.type("previous token")
    expect(count(page)).to_have_text(re.compile(r"^[1-9]\d? of 32 heads"))
    page.keyboard.press("Enter")
    expect(grid(page)).to_be_focused()
    expect(option(page)).to_contain_text("previous token")
    expect(page.locator(".panel-map")).to_contain_text("previous token")
    page.wait_for_url(re.compile("find=previous"))
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    expect(search(page)).to_have_value("")
    expect(grid(page)).to_be_focused()
    expect(count(page)).to_be_hidden()


def test_slash_in_the_text_is_a_letter(page: Page) -> None:
    open_first_page(page)
    prompt = page.get_by_label("Text", exact=True)
    prompt.fill("")
    prompt.press("/")
    expect(prompt).to_have_value("/")
    expect(prompt).to_be_focused()


def test_a_head_by_its_name_is_a_jump_and_leaves_the_grid_whole(page: Page) -> None:
    open_first_page(page)
    page.keyboard.press("/")
    page.keyboard.type("L2 H5")
    expect(count(page)).to_contain_text("1 of 32 heads")
    page.keyboard.press("Enter")
    expect(page.locator(".panel-map h2")).to_have_text("L2 · H5")
    expect(count(page)).to_be_hidden()


def test_a_search_without_a_match_says_so_and_the_way_back_is_one_press(page: Page) -> None:
    open_first_page(page)
    search(page).fill("banana")
    expect(page.get_by_text("No label, layer or head is called “banana”.")).to_be_visible()
    page.get_by_role("button", name="Show all", exact=True).click()
    expect(count(page)).to_be_hidden()
    expect(search(page)).to_have_value("")


def test_chips_say_how_many_heads_there_are_and_join_with_what_is_typed(page: Page) -> None:
    open_first_page(page)
    page.get_by_role("button", name="Show", exact=True).click()
    chip = page.get_by_role("group", name="Labels").get_by_role("button", name=re.compile(r"^induction \d+"))
    held = int(re.sub(r"\D", "", chip.inner_text()))
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "true")
    expect(chip).to_be_focused()
    expect(count(page)).to_contain_text(f"{held} of 32 heads")
    page.get_by_role("group", name="Layers").get_by_role("button", name="L0").click()
    expect(search(page)).to_have_value("induction, L0")
    chip.click()
    expect(count(page)).to_contain_text("8 of 32 heads")


def test_top_heads_are_kept_in_the_address(page: Page) -> None:
    open_first_page(page)
    choose(page, "How many", "top 6")
    expect(count(page)).to_contain_text("6 of 32 heads")
    page.reload()
    answered(page)
    expect(count(page)).to_contain_text("6 of 32 heads")


def test_heads_are_picked_by_key_and_by_mouse_and_listed(page: Page) -> None:
    open_first_page(page)
    grid(page).focus()
    page.keyboard.press("Home")
    page.keyboard.press("p")
    expect(option(page)).to_contain_text("picked as number 1")
    page.locator(".grid-scroller").click(position={"x": 200, "y": 30}, modifiers=["Control"])
    expect(page.locator(".panel-map h2")).to_have_text("L0 · H0")
    search(page).fill("picked")
    expect(count(page)).to_contain_text("2 of 32 heads")
    grid(page).focus()
    page.keyboard.press("Shift+Enter")
    expect(count(page)).to_contain_text("1 of 32 heads")


def test_moving_over_the_grid_sends_no_map_to_the_graphics_card_twice(page: Page) -> None:
    page.add_init_script(SENT_TO_THE_GRID)
    open_first_page(page)
    page.evaluate("document.querySelector('.grid-place').style.cssText = 'flex: none; height: 90px'")
    place = page.locator(".grid-scroller")
    expect(place).to_have_css("height", "90px")
    place.hover()
    page.mouse.wheel(0, 400)
    page.wait_for_function("() => document.querySelector('.grid-scroller').scrollTop > 40")
    page.mouse.wheel(0, -400)
    page.wait_for_function("() => document.querySelector('.grid-scroller').scrollTop === 0")
    sent = page.evaluate("sent()")
    assert sent > 0
    page.mouse.wheel(0, 400)
    page.wait_for_function("() => document.querySelector('.grid-scroller').scrollTop > 40")
    grid(page).focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.get_by_role("button", name="Switch to dark").click()
    page.wait_for_timeout(200)
    assert page.evaluate("sent()") == sent


@pytest.mark.parametrize("context", [{"viewport": NARROW}], indirect=True, ids=["narrow"])
def test_slash_brings_the_heads_up_on_a_narrow_window(page: Page) -> None:
    open_first_page(page)
    page.keyboard.press("/")
    expect(search(page)).to_be_focused()
    expect(search(page)).to_be_in_viewport()
    page.keyboard.type("induction")
    expect(count(page)).to_have_text(re.compile("of 32 heads"))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
