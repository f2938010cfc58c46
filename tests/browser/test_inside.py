"""A person keeps a pair of tokens and follows how its weight comes about; the numbers are the model's."""

from __future__ import annotations

import math
import re

import pytest
import torch
from playwright.sync_api import Locator, Page, expect
from transformers import GPT2LMHeadModel

from tests.browser.conftest import NARROW
from tests.running import HOUSE, RunningSite

pytestmark = pytest.mark.browser

TEXT = "And Zubu said unto Kelar, and Zubu said unto Kelar, Arise, and let us go down."
ROW, COL, LAYER, HEAD = 20, 7, 1, 0


def inside(page: Page) -> Locator:
    return page.get_by_role("group", name="Inside this head")


def number(shown: str) -> float:
    return float(shown.removeprefix("= ").replace("−", "-"))


def eager(ids: list[int]) -> tuple[float, float]:
    """The weight and q·k of the pair, by transformers' own layers in plain torch."""
    model = GPT2LMHeadModel.from_pretrained(HOUSE / "modelcore" / "zoo" / "prose", attn_implementation="eager").eval()
    block = model.transformer.h[LAYER]
    with torch.no_grad():
        out = model(torch.tensor([ids]), output_attentions=True, output_hidden_states=True)
        q, k, _ = block.attn.c_attn(block.ln_1(out.hidden_states[LAYER])).chunk(3, dim=-1)
    width = q.shape[-1] // model.config.n_head
    of_head = slice(HEAD * width, (HEAD + 1) * width)
    return float(out.attentions[LAYER][0, HEAD, ROW, COL]), float(q[0, ROW, of_head] @ k[0, COL, of_head])


def test_pair_by_address_shows_the_weight_and_the_product_of_the_model(page: Page, site: RunningSite) -> None:
    told = site.traced("prose", TEXT)
    weight, product = eager([token["id"] for token in told["tokens"]])
    page.goto(f"/runs/{told['id']}?site=decoder.self.{LAYER}&head={HEAD}&token=decoder.{ROW}&key={COL}")
    expect(inside(page).locator(".inside-weight")).not_to_be_empty()
    assert number(inside(page).locator(".inside-weight").inner_text()) == pytest.approx(weight, abs=6e-5)
    expect(inside(page).locator(".where")).to_contain_text(f"row {ROW}, column {COL}")

    lines = {
        line.locator(".formula-name").inner_text(): number(line.locator(".formula-result").inner_text())
        for line in inside(page).locator(".formula-line").all()
    }
    assert lines["q·k"] == pytest.approx(product, rel=1e-3, abs=6e-4)
    assert lines["exp"] == pytest.approx(math.exp(lines["− log-sum-exp"]), abs=6e-4)
    products = inside(page).get_by_role("row").locator("td:last-child").all_inner_texts()
    assert sum(map(number, products)) == pytest.approx(product, abs=0.05)


def test_nothing_is_kept_until_a_weight_is_pressed_and_a_later_key_is_hidden(page: Page, site: RunningSite) -> None:
    run = site.traced("prose", TEXT)["id"]
    page.goto(f"/runs/{run}?site=decoder.self.{LAYER}&head={HEAD}")
    expect(inside(page)).to_contain_text("Press a weight of the map")
    map_ = page.get_by_role("application", name=re.compile("Attention map"))
    map_.focus()
    for key in ("ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    expect(inside(page).locator(".inside-weight")).to_have_text(re.compile(r"\d"))
    expect(inside(page).locator(".inside-weight")).to_be_in_viewport(ratio=1)  # it lies below the other panels
    page.goto(f"/runs/{run}?site=decoder.self.{LAYER}&head={HEAD}&token=decoder.{COL}&key={ROW}")
    expect(inside(page).locator(".inside-hidden")).to_contain_text("later in the text")
    expect(inside(page).locator(".inside-weight")).to_have_text("0")


def test_arrow_keys_tell_one_product_after_another(page: Page, site: RunningSite) -> None:
    run = site.traced("prose", TEXT)["id"]
    page.goto(f"/runs/{run}?site=decoder.self.{LAYER}&head={HEAD}&token=decoder.{ROW}&key={COL}")
    strip = inside(page).get_by_role("group", name=re.compile("Products by dimension"))
    expect(strip).to_be_visible()
    strip.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".tooltip")).to_contain_text("dimension 1")


@pytest.mark.parametrize("context", [{"viewport": NARROW}], indirect=True, ids=["narrow"])
def test_narrow_window_shows_it_as_a_sheet(page: Page, site: RunningSite) -> None:
    run = site.traced("prose", TEXT)["id"]
    page.goto(f"/runs/{run}?site=decoder.self.{LAYER}&head={HEAD}&token=decoder.{ROW}&key={COL}")
    page.get_by_role("button", name="Inside", exact=True).click()
    expect(inside(page).locator(".formula-line").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
