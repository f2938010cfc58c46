"""A person has a model write, pauses, goes back, takes another token, and sends somebody the link."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NARROW
from tests.running import RunningSite

pytestmark = pytest.mark.browser

PROMPT = "In the beginning God created the heaven and the earth. And"
PROMPT_TOKENS = 13


def write(page: Page, text: str = PROMPT, **choices: str) -> None:
    page.goto("/")
    expect(page.get_by_role("button", name="Write", exact=True)).to_be_visible()
    if choices:
        page.get_by_text("How it writes").click()
    for name, value in choices.items():
        field = page.get_by_label(name, exact=True).first
        field.fill(value)
        field.press("Tab")
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_role("button", name="Write", exact=True).click()
    page.wait_for_url("**/runs/*")


def words(page: Page) -> str:
    return page.locator(".words").last.text_content() or ""


def shown(page: Page) -> int:
    return int((page.locator(".transport-where").text_content() or "0").split()[0])


def test_person_pauses_goes_back_takes_another_token_and_shares_the_link(page: Page) -> None:
    write(page, Tokens="24")
    expect(page.locator(".status")).to_contain_text("finished")
    expect(page.locator(".transport-where")).to_have_text("24 of 24 tokens")
    finished = words(page)
    page.get_by_role("button", name="One token back").click()
    expect(page).to_have_url(re.compile("step=23"))
    assert finished.startswith(words(page)) and words(page) != finished
    page.get_by_role("slider", name="Written tokens shown").fill("4")
    place = PROMPT_TOKENS + 3
    expect(page.locator(".alternatives-lead").first).to_contain_text(f"token {place} ")
    # The fourth written token is the newest in sight; its second likeliest takes its place.
    other = page.locator(".alternative").first
    token = other.locator(".token-name").text_content() or ""
    root = page.url.split("?")[0]
    other.click()
    page.wait_for_url(lambda url: not url.startswith(root))
    expect(page.locator(".words").last).to_have_text(re.compile(re.escape(token)))
    expect(page.locator(".status")).to_contain_text("finished")
    assert words(page) != finished
    page.reload()
    expect(page.get_by_label("Text", exact=True)).to_have_value(PROMPT)
    expect(page.locator(".writing-branches summary")).to_have_text("Branches: 2")
    page.locator(".writing-branches summary").click()
    expect(page.locator(".branch-shown")).to_contain_text(f"at {place} with")
    page.get_by_role("button", name="from the prompt").click()
    expect(page).to_have_url(re.compile(re.escape(root)))
    expect(page.locator(".words").last).to_have_text(finished)


def test_paused_link_opens_at_the_token_that_was_shown(page: Page) -> None:
    write(page, Tokens="12")
    expect(page.locator(".status")).to_contain_text("finished")
    page.get_by_role("slider", name="Written tokens shown").fill("5")
    expect(page).to_have_url(re.compile("step=5"))
    seen = words(page)
    page.reload()
    expect(page.locator(".transport-where")).to_have_text("5 of 12 tokens")
    assert words(page) == seen
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()


def test_text_that_is_stopped_in_the_middle_keeps_its_tokens_and_can_be_branched(page: Page) -> None:
    write(page, "And God said", Tokens="600", **{"Stop at": "xyzzy"})
    expect(page.locator(".words .token-written").nth(5)).to_be_visible()
    page.get_by_role("group", name="Playing").get_by_role("button", name="Stop").click()
    expect(page.locator(".writing-ending")).to_contain_text("Stopped.")
    assert 6 <= shown(page) < 600
    page.locator(".words .token-written").nth(3).click()
    expect(page.locator(".alternatives-lead").first).to_contain_text("token 6")
    page.get_by_label("Tokens", exact=True).first.fill("3")
    page.keyboard.press("Tab")
    page.locator(".alternative").first.click()
    expect(page.locator(".status")).to_contain_text("finished")
    expect(page.locator(".writing-ending")).to_contain_text("the stop text did not come")


def test_translation_shows_a_row_of_cross_attention_for_each_word(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Model: Prose").click()
    page.get_by_role("option").filter(has_text="Numbers").click()
    page.get_by_label("Text", exact=True).fill("forty-two")
    page.get_by_role("button", name="Write", exact=True).click()
    page.wait_for_url("**/runs/*")
    expect(page.locator(".status")).to_contain_text("finished")
    expect(page.locator(".writing-ending")).to_have_text("The model ended the text itself.")
    page.get_by_role("button", name="Back to the first written token").click()
    expect(page.locator(".map-head")).to_contain_text("cross-attention")
    expect(page.locator(".words").last.locator(".token-written")).to_have_count(1)


def test_beams_stand_as_a_tree_with_the_best_text_marked(page: Page) -> None:
    write(page, "And God said", Tokens="6", Beams="3")
    expect(page.locator(".status")).to_contain_text("finished")
    expect(page.locator(".beam-found").filter(has_text="best")).to_have_count(1)
    best = "".join(
        page.locator(".beam-best").locator("> .token-name, > details > summary > .token-name").all_inner_texts()
    )
    assert words(page).endswith(best)


def test_number_that_makes_no_sense_is_told_beside_the_numbers(page: Page) -> None:
    page.goto("/")
    page.get_by_text("How it writes").click()
    page.get_by_label("Top-p").fill("3")
    page.get_by_role("button", name="Write", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("top_p is 3.0; it is a probability above 0, and no more than 1.")
    expect(page.get_by_label("Top-p")).to_have_attribute("aria-invalid", "true")


@pytest.mark.parametrize("context", [{"viewport": NARROW}], indirect=True)
def test_bar_fits_a_narrow_window(page: Page) -> None:
    write(page, Tokens="8")
    expect(page.locator(".transport-where")).to_have_text("8 of 8 tokens")
    for part in (".writing", ".transport", ".sampling"):
        box = page.locator(part).bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= NARROW["width"]


def test_prompt_that_fills_the_model_is_refused_in_words(page: Page, site: RunningSite) -> None:
    models = {model["id"]: model for model in site.http.get("/api/v1/models").json()["models"]}
    ids = [5] * models["prose"]["positions"]
    run = site.http.post("/api/v1/runs", json={"kind": "generate", "model": "prose", "ids": ids}).json()["id"]
    page.goto(f"/runs/{run}")
    expect(page.get_by_text("The prompt fills all")).to_be_visible()
