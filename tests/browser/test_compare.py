"""A person puts two runs side by side, and reads what changed between them; the numbers are the model's."""

from __future__ import annotations

import io
import re
import time

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from scipy.spatial.distance import jensenshannon
from transformers import GPT2LMHeadModel

from tests.browser.conftest import NARROW, TIMEOUT_MS
from tests.running import HOUSE, RunningSite

pytestmark = pytest.mark.browser

TEXT = "And Zubu said unto Kelar, and Zubu said unto Kelar, Arise, and let us go down."
# One name for another, of as many tokens: every token keeps its place.
OTHER = "And Zubu said unto Kelar, and Kelar said unto Kelar, Arise, and let us go down."
# Two words more.
LONGER = "And Zubu said unto Kelar, and Zubu said again unto Kelar, Arise now, and let us go down."
LAYER, HEAD = 3, 1
CUT_PX, TABS_PX = 900, 60
"""Where the window cuts a map, and the room that the bar of tabs takes below it."""


def comparison(page: Page) -> Locator:
    return page.get_by_role("region", name="Comparison")


def ranked(page: Page) -> Locator:
    return comparison(page).get_by_role("region", name="Heads by change").get_by_role("listitem")


def plot(page: Page, name: str) -> Locator:
    return comparison(page).get_by_role("application", name=re.compile(name))


def open_choice(page: Page) -> Locator:
    page.get_by_role("button", name="Compare", exact=True).click()
    return page.get_by_role("form", name="What to compare with")


def eager(ids: list[int]) -> list[np.ndarray]:
    model = GPT2LMHeadModel.from_pretrained(HOUSE / "modelcore" / "zoo" / "prose", attn_implementation="eager").eval()
    with torch.no_grad():
        return [map_[0].numpy() for map_ in model(torch.tensor([ids]), output_attentions=True).attentions]


def ids_of(told: dict) -> list[int]:
    return [token["id"] for token in told["tokens"]]


def test_second_text_is_run_and_the_most_changed_head_is_that_of_transformers(page: Page, site: RunningSite) -> None:
    first, second = site.traced("prose", TEXT), site.traced("prose", OTHER)
    a, b = eager(ids_of(first)), eager(ids_of(second))
    assert a[0].shape == b[0].shape
    distances = {
        (layer, head): np.mean(
            # Of equal rows SciPy takes the root of what rounding leaves, and that may lie below 0.
            np.nan_to_num(
                [
                    jensenshannon(a[layer][head, row, 1:], b[layer][head, row, 1:], base=2)
                    for row in range(1, len(a[0][0]))
                ]
            )
        )
        for layer in range(len(a))
        for head in range(len(a[0]))
    }
    layer, head = max(distances, key=lambda ref: distances[ref])

    page.goto(f"/runs/{first['id']}")
    form = open_choice(page)
    form.get_by_label("Second text").fill(OTHER)
    form.get_by_label("Second text").press("Enter")
    expect(comparison(page)).to_be_visible()
    expect(page.get_by_role("region", name="Map", exact=True)).to_be_hidden()
    top = ranked(page).first
    expect(top).to_contain_text(f"L{layer}·H{head}")
    assert float(top.locator(".compare-value").inner_text()) == pytest.approx(distances[layer, head], abs=6e-4)
    assert page.url.count("with=") == 1

    top.get_by_role("button").click()
    expect(top.get_by_role("button")).to_have_attribute("aria-current", "true")
    expect(comparison(page).locator(".compare-name")).to_have_text(f"L{layer} · H{head}")
    rows = comparison(page).get_by_role("region", name="Rows that changed most").get_by_role("listitem")
    expect(rows.first).to_contain_text(re.compile(r"row \d+ ‘.+’: "))

    page.reload()
    expect(comparison(page).locator(".compare-name")).to_have_text(f"L{layer} · H{head}")
    expect(ranked(page).first).to_contain_text(f"L{layer}·H{head}")

    page.get_by_role("button", name="Leave comparison").click()
    expect(comparison(page)).to_be_hidden()
    expect(page.get_by_role("region", name="Map", exact=True)).to_be_visible()
    assert "with=" not in page.url


def test_cursor_is_linked_through_the_alignment_and_tells_the_difference(page: Page, site: RunningSite) -> None:
    first, second = site.traced("prose", TEXT), site.traced("prose", LONGER)
    a, b = (eager(ids_of(told))[LAYER][HEAD] for told in (first, second))
    texts_a, texts_b = ([token["text"] for token in told["tokens"]] for told in (first, second))
    row, partner = texts_a.index(" go"), texts_b.index(" go")
    assert row < partner
    # The first words are the same in both, so that their keys have the same places.
    col = int(np.abs(b[partner, :8] - a[row, :8]).argmax())
    page.goto(f"/runs/{first['id']}?with={second['id']}&site=decoder.self.{LAYER}&head={HEAD}")
    expect(ranked(page).first).to_be_visible()
    lines = comparison(page).locator(".compare-line")
    expect(lines.nth(0).locator(".compare-alone")).to_have_count(0)
    expect(lines.nth(1).locator(".compare-alone")).to_have_count(len(texts_b) - len(texts_a))

    plot(page, "What changed").focus()
    for key, times in (("ArrowDown", row), ("ArrowRight", col)):
        for _ in range(times):
            page.keyboard.press(key)
    expect(lines.nth(0).locator(".compare-row")).to_have_text("·go")
    expect(lines.nth(1).locator(".compare-row")).to_have_attribute("data-place", f"decoder.{partner}")
    spoken = page.locator("[aria-live=polite]", has_text=f"A: ·go ({row})")
    expect(spoken).to_contain_text(f"B: ·go ({partner})")
    found = re.match(r"([+−])(\d?\.\d+)\. A", spoken.inner_text())
    assert found, spoken.inner_text()
    assert float(found[1].replace("−", "-") + found[2]) == pytest.approx(b[partner, col] - a[row, col], abs=6e-3)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"token=decoder\.{row}&key={col}"))


def test_tokens_are_paired_by_hand_and_let_go(page: Page, site: RunningSite) -> None:
    first, second = site.traced("prose", TEXT), site.traced("prose", LONGER)
    page.goto(f"/runs/{first['id']}?with={second['id']}")
    expect(ranked(page).first).to_be_visible()
    alone = comparison(page).locator(".compare-line").nth(1).locator(".compare-alone")
    before = alone.count()
    place = alone.first.get_attribute("data-place")
    page.get_by_role("button", name="Pair by hand").click()
    comparison(page).locator(".compare-line").nth(0).locator('[data-place="decoder.5"]').click()
    alone.first.click()
    expect(page).to_have_url(re.compile("pairs=decoder.5"))
    expect(comparison(page).locator(f'.compare-line:last-child [data-place="{place}"]')).not_to_have_class(
        re.compile("compare-alone")
    )
    expect(alone).to_have_count(before)  # the old partner of 5 has none now
    page.get_by_role("button", name=re.compile("Undo the pair")).click()
    expect(page).not_to_have_url(re.compile("pairs="))
    expect(comparison(page).locator(f'.compare-line:last-child [data-place="{place}"]')).to_have_class(
        re.compile("compare-alone")
    )


def test_same_text_with_another_model_is_refused_in_words_where_nothing_fits(page: Page, site: RunningSite) -> None:
    first, second = site.traced("prose", TEXT), site.traced("patterns", "a b c d a b")
    page.goto(f"/runs/{first['id']}")
    form = open_choice(page)
    form.get_by_label("Link to a run").fill("no link")
    form.get_by_role("button", name="Compare texts").click()
    expect(form.get_by_role("alert")).to_contain_text("This is no link to a run")
    form.get_by_label("Link to a run").fill(f"http://somewhere/runs/{second['id']}?site=x")
    form.get_by_role("button", name="Compare texts").click()
    expect(comparison(page).get_by_role("status").first).to_contain_text("Compare models with as many heads")


def test_grid_is_sorted_by_change(page: Page, site: RunningSite) -> None:
    first, second = site.traced("prose", TEXT), site.traced("prose", OTHER)
    page.goto(f"/runs/{first['id']}?with={second['id']}&sort=change")
    expect(page.get_by_role("button", name=re.compile("^Sort"))).to_contain_text("change")
    name = ranked(page).first.locator(".compare-tag").inner_text()
    page.get_by_role("listbox", name=re.compile("Attention heads")).focus()
    page.keyboard.press("Home")
    expect(comparison(page).locator(".compare-name")).to_have_text(name.replace("·", " · "))


@pytest.mark.parametrize("context", [{"viewport": NARROW}], indirect=True, ids=["narrow"])
def test_narrow_window_stacks_the_maps(page: Page, site: RunningSite) -> None:
    first, second = site.traced("prose", TEXT), site.traced("prose", OTHER)
    page.goto(f"/runs/{first['id']}?with={second['id']}")
    expect(ranked(page).first).to_be_visible()
    tops = [plot(page, name).bounding_box() for name in ("first run", "second run", "What changed")]
    assert all(tops) and tops[0]["y"] < tops[1]["y"] < tops[2]["y"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("context", [{"color_scheme": name} for name in ("light", "dark")], indirect=True)
def test_difference_is_orange_where_there_is_more_and_blue_where_there_is_less(page: Page, site: RunningSite) -> None:
    """The colours on the screen, told by what the page says of the weight under them."""
    first, second = site.traced("prose", TEXT), site.traced("prose", OTHER)
    page.goto(f"/runs/{first['id']}?with={second['id']}&site=decoder.self.{LAYER}&head={HEAD}")
    expect(ranked(page).first).to_be_visible()
    difference = plot(page, "What changed")
    for sign, of in (("+", 1), ("−", -1)):
        page.mouse.move(0, 0)
        deadline = time.monotonic() + TIMEOUT_MS / 1000
        while True:
            with Image.open(io.BytesIO(difference.screenshot())) as shown:
                pixels = np.asarray(shown.convert("RGB")).astype(int)
            redness = of * (pixels[..., 0] - pixels[..., 2])
            if redness.max() > 60 or time.monotonic() > deadline:
                break
        y, x = np.unravel_index(redness.argmax(), redness.shape)
        assert redness[y, x] > 60, "no colour has come"
        box = difference.bounding_box()
        assert box
        page.mouse.move(box["x"] + float(x) + 1, box["y"] + float(y) + 1)
        expect(page.locator(".tooltip-first")).to_have_text(re.compile(rf"^{re.escape(sign)}\d?\.\d+$"))


@pytest.mark.parametrize("context", [{"viewport": NARROW}], indirect=True, ids=["narrow"])
def test_map_that_the_windows_edge_cuts_is_drawn(page: Page, site: RunningSite) -> None:
    """Where there is no graphics card, what was in sight of such a map was black, or missing."""
    first, second = site.traced("prose", TEXT), site.traced("prose", OTHER)
    page.goto(f"{first['page']}?with={second['id']}")
    expect(comparison(page).locator(".compare-distance")).to_contain_text("changed by")
    cut = plot(page, "second run")
    box = cut.bounding_box()
    assert box is not None and box["y"] < CUT_PX < box["y"] + box["height"]
    shown = []
    for height in (int(box["y"] + box["height"]) + TABS_PX, CUT_PX + TABS_PX):
        page.set_viewport_size({"width": NARROW["width"], "height": height})
        page.wait_for_timeout(500)
        shown.append(np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int))
    whole, part = (each[int(box["y"]) : CUT_PX, int(box["x"]) : int(box["x"] + box["width"])] for each in shown)
    assert part.std() > 20, "a part of the map is in sight"
    assert np.abs(whole - part).max() <= 8
