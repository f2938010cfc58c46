"""A newcomer takes the tour, asks for the keys, chooses ready examples, and leaves the weak weights out."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_explore import answered, drawn, open_first_page

pytestmark = pytest.mark.browser


def test_tour_waits_for_each_thing_to_be_done(page: Page) -> None:
    open_first_page(page)
    page.get_by_role("button", name="Tour").click()
    card = page.get_by_role("dialog", name="Tour")
    expect(card).to_contain_text("Every square is a head")
    page.keyboard.press("Shift+Tab")
    expect(card).to_contain_text("Step 1 of 4")
    page.locator(".grid-scroller").click(position={"x": 120, "y": 60})
    expect(card).to_contain_text("One head, exactly")
    page.locator(".map-body").click(position={"x": 300, "y": 400})
    expect(card).to_contain_text("The text itself")
    page.locator(".token").nth(9).click()
    expect(card).to_contain_text("Your own words")
    page.get_by_label("Text", exact=True).fill("So it goes, and so it goes.")
    page.keyboard.press("Enter")
    expect(card).to_be_hidden()


def test_tour_ends_with_esc(page: Page) -> None:
    open_first_page(page)
    page.get_by_role("button", name="Tour").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Tour")).to_be_hidden()
    expect(page.locator(".tour-lit")).to_have_count(0)


def test_question_mark_lists_the_keys_but_not_while_typing(page: Page) -> None:
    open_first_page(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    page.get_by_label("Text", exact=True).focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_arrow_keys_walk_heads_before_anything_has_the_focus(page: Page) -> None:
    open_first_page(page)
    expect(page.locator(".map-name")).to_have_text("L1 · H0")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".map-name")).to_have_text("L1 · H1")
    page.keyboard.press("ArrowUp")
    expect(page.locator(".map-name")).to_have_text("L0 · H1")


EXAMPLES = ["Induction", "Previous token", "First-token sink", "Matching brackets", "Duplicate tokens", "Cross-"]


@pytest.mark.parametrize("title", EXAMPLES)
def test_example_is_a_live_run_that_opens_on_its_head_with_its_finding(page: Page, title: str) -> None:
    open_first_page(page)
    before = page.url
    page.get_by_role("button", name="Examples").click()
    chosen = page.get_by_role("option", name=re.compile(f"^{title}"))
    finding = chosen.locator(".choice-detail").text_content() or ""
    chosen.click()
    page.wait_for_function("before => location.href !== before", arg=before)
    answered(page)
    expect(page.locator(".map-line span").first).to_have_text(re.sub(r" \([^)]*\)$", "", finding))
    page.get_by_label("Text", exact=True).press_sequentially(" again")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Text", exact=True)).to_have_value(re.compile("again$"))


def test_threshold_leaves_out_what_is_weak_and_the_address_keeps_it(page: Page) -> None:
    open_first_page(page)
    expect(page.get_by_text("exact", exact=True)).to_be_visible()
    colours = drawn(page, ".map-body")
    page.get_by_role("button", name="Threshold").click()
    page.get_by_role("option", name="strongest 50 %").click()
    page.wait_for_url(re.compile("mass=0.5"))
    page.mouse.move(2, 2)
    assert drawn(page, ".map-body") < colours
    page.reload()
    answered(page)
    expect(page.get_by_role("button", name="Threshold: strongest 50 %")).to_be_visible()


def test_press_on_the_map_keeps_the_pair_and_back_lets_go(page: Page) -> None:
    open_first_page(page)
    page.locator(".map-body").click(position={"x": 300, "y": 400})
    page.wait_for_url(re.compile(r"token=decoder\.\d+&key=\d+"))
    page.go_back()
    page.wait_for_function("() => !location.search.includes('key=')")
