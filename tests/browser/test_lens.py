"""A person looks through the lens: what each layer would say, in step with the text; and trains a tuned one."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Locator, Page, expect
from transformers import GPT2LMHeadModel

from tests.browser.conftest import NARROW
from tests.browser.test_figures import numbers, run_as_it_is, save
from tests.browser.test_images import SEVEN
from tests.running import HOUSE, RunningSite

pytestmark = pytest.mark.browser

TEXT = "And Zubu said unto Kelar, and Zubu said unto Kelar, Arise, and let us go down."
BRACKETS = "(see[how{each}one]finds<its[own]mate>here)" * 8


def lens(page: Page) -> Locator:
    return page.locator(".panel-lens")


def open_lens(page: Page, run: str, view: str = "") -> None:
    page.goto(f"/runs/{run}{view}")
    expect(page.locator(".status")).to_have_text(re.compile("finished"))
    lens(page).locator("summary").click()
    expect(page.locator(".lens-cell").first).to_be_visible()


def cell(page: Page, depth: int, position: int) -> Locator:
    return page.locator(f'.lens-cell[data-depth="{depth}"][data-position="{position}"]')


def column(page: Page) -> Locator:
    return page.locator(".lens-name.lens-marked")


def test_cells_say_what_transformers_says_of_each_layer(page: Page, site: RunningSite) -> None:
    told = site.traced("prose", TEXT)
    ids = [token["id"] for token in told["tokens"]]
    model = GPT2LMHeadModel.from_pretrained(HOUSE / "modelcore" / "zoo" / "prose").eval()
    with torch.no_grad():
        states = model(torch.tensor([ids]), output_hidden_states=True).hidden_states
        scores = [model.lm_head(model.transformer.ln_f(state)) for state in states[:-1]] + [model.lm_head(states[-1])]
    probabilities = torch.stack(scores)[:, 0].softmax(-1)
    open_lens(page, told["id"])
    rows = page.locator(".lens-table tbody tr")
    expect(rows).to_have_count(5)
    assert rows.locator("th").all_inner_texts() == ["L3", "L2", "L1", "L0", "in"]
    for depth in range(5):
        for position in (16, 20, 27):
            words = cell(page, depth, position).get_attribute("aria-label") or ""
            found = re.search(r": .+ (<?\.\d+|1\.00); true: .+ rank (\d+)$", words)
            assert found is not None, words
            best = float(probabilities[depth, position].max())
            assert float(found[1].removeprefix("<")) == pytest.approx(best, abs=6e-3)
            true = probabilities[depth, position, ids[position + 1]]
            assert int(found[2]) == int((probabilities[depth, position] > true).sum()) + 1


def test_closed_lens_asks_for_nothing_and_an_open_one_once_for_each_window(page: Page, site: RunningSite) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/lens" in request.url else None)
    run = site.traced("prose", TEXT)["id"]
    page.goto(f"/runs/{run}?token=decoder.3")
    expect(page.locator(".status")).to_have_text(re.compile("finished"))
    page.locator("[data-token]").nth(5).hover()
    assert asked == []
    lens(page).locator("summary").click()
    expect(cell(page, 0, 3)).to_be_visible()
    page.get_by_role("button", name="Later positions").click()
    expect(cell(page, 0, 23)).to_be_attached()
    page.get_by_role("button", name="Earlier positions").click()
    expect(cell(page, 0, 3)).to_be_attached()
    windows = [url.partition("?")[2] for url in asked if "/runs/" in url]
    assert windows == ["positions=0%3A16", "positions=8%3A24"]


def test_a_column_and_its_token_are_pointed_at_and_kept_together(page: Page, site: RunningSite) -> None:
    run = site.traced("prose", TEXT)["id"]
    open_lens(page, run)
    token = page.locator(".token-active")
    cell(page, 2, 20).hover()
    expect(token).to_have_attribute("data-token", "20")
    expect(column(page)).to_have_attribute("data-position", "20")
    expect(page.locator(".tooltip")).to_contain_text("true: ise")
    expect(page.locator(".lens-detail")).to_contain_text("after layer 1, at ·Ar:")
    cell(page, 2, 20).click()
    expect(page).to_have_url(re.compile(r"token=decoder\.20"))
    page.mouse.move(5, 5)
    expect(column(page)).to_have_attribute("data-position", "20")
    cell(page, 2, 20).click()
    expect(page).not_to_have_url(re.compile("token="))
    page.locator('[data-token="25"]').hover()
    expect(column(page)).to_have_attribute("data-position", "25")
    # A token beyond the window brings its own, once the pointer rests.
    page.locator('[data-token="2"]').hover()
    expect(column(page)).to_have_attribute("data-position", "2")
    page.locator('.lens-name[data-position="4"]').hover()
    expect(token).to_have_attribute("data-token", "4")


def test_keys_walk_the_cells_and_keep_a_position(page: Page, site: RunningSite) -> None:
    run = site.traced("prose", TEXT)["id"]
    open_lens(page, run)
    grid = page.get_by_role("grid", name="What each layer would say, the last one on top")
    expect(grid).to_be_visible()
    page.locator('.lens-cell[tabindex="0"]').focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowLeft"):
        page.keyboard.press(key)
    expect(cell(page, 2, 27)).to_be_focused()
    expect(page.locator(".token-active")).to_have_attribute("data-token", "27")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"token=decoder\.27"))
    expect(cell(page, 2, 27)).to_be_focused()
    assert page.locator('.lens-cell[tabindex="0"]').count() == 1
    # Out of the window the next one comes, though the kept token is not in it.
    for _ in range(14):
        page.keyboard.press("ArrowLeft")
    expect(cell(page, 2, 15)).to_be_focused()
    expect(page.locator(".lens-span")).to_have_text("positions 8 to 23 of 29")


def test_tuned_lens_is_trained_and_comes_nearer_to_the_model(page: Page, site: RunningSite, tmp_path: Path) -> None:
    run = site.traced("patterns", BRACKETS[:60])["id"]
    open_lens(page, run)
    expect(page.get_by_role("radio", name="Tuned")).to_be_hidden()
    page.get_by_role("button", name="Train a tuned lens").click()
    expect(lens(page)).to_contain_text("at least 256 tokens; this one has 60")
    text = page.get_by_label("Text to train the tuned lens on")
    text.fill("too short")
    page.get_by_role("button", name="Train", exact=True).click()
    expect(lens(page).locator(".lens-tuning")).to_contain_text("This text has 9 tokens; a tuned lens needs 256")

    page.get_by_role("button", name="Train a tuned lens").click()
    text.fill(BRACKETS)
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    rows = page.locator(".lens-divergences tbody tr")
    expect(rows).to_have_count(3, timeout=90_000)
    for row in rows.all():
        before, after = (float(number) for number in row.locator("td").all_inner_texts())
        assert after < before

    plain = cell(page, 0, 50).get_attribute("aria-label")
    page.get_by_role("radio", name="Tuned").click()
    expect(cell(page, 0, 50)).not_to_have_attribute("aria-label", plain or "")
    arrays = numbers(save(page, "lens", "npz", tmp_path))
    stored = site.data / "lenses" / "patterns" / "lens.safetensors"
    made = run_as_it_is(save(page, "lens", "py", tmp_path), str(HOUSE / "modelcore" / "zoo" / "patterns"), str(stored))
    assert np.allclose(made["probabilities"], arrays["probabilities"], atol=2e-6)


def test_training_is_stopped_on_request(page: Page, site: RunningSite) -> None:
    run = site.traced("prose", TEXT)["id"]
    open_lens(page, run)
    page.get_by_role("button", name="Train a tuned lens").click()
    page.get_by_label("Text to train the tuned lens on").fill(TEXT * 40)
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(lens(page)).to_contain_text("The training was stopped.")
    expect(page.get_by_role("button", name="Train a tuned lens")).to_be_visible()
    assert site.http.get("/api/v1/models/prose/lens").json()["tuned"] is None


def test_lens_is_saved_with_its_script(page: Page, site: RunningSite, tmp_path: Path) -> None:
    told = site.traced("prose", TEXT)
    open_lens(page, told["id"], "?token=decoder.5")
    arrays = numbers(save(page, "lens", "npz", tmp_path))
    assert arrays["ids"].shape == (5, 16, 5)
    made = run_as_it_is(save(page, "lens", "py", tmp_path))
    assert sorted(made) == ["ids", "probabilities", "truth", "truth_probabilities", "truth_ranks"]
    for name, values in made.items():
        assert np.allclose(values, arrays[name], atol=2e-6), name
    assert save(page, "lens", "pdf", tmp_path).read_bytes().startswith(b"%PDF")
    assert "<text" in save(page, "lens", "svg", tmp_path).read_text()


def test_picture_is_named_layer_by_layer(page: Page, site: RunningSite) -> None:
    picture = site.http.post("/api/v1/pictures", content=SEVEN.read_bytes()).json()["id"]
    open_lens(page, site.traced("digits", picture=picture)["id"])
    expect(page.locator(".lens-cell")).to_have_count(5)
    expect(cell(page, 4, 0)).to_have_attribute("aria-label", re.compile("after layer 3, at class: 7"))
    expect(lens(page)).to_contain_text("what the picture shows")
    expect(page.get_by_role("button", name="Train a tuned lens")).to_be_hidden()


def test_decoder_of_a_translator_is_read(page: Page, site: RunningSite) -> None:
    told = site.traced("numbers", "the fourteenth of july seventeen eighty-nine", target="1789-07-14")
    open_lens(page, told["id"])
    expect(column(page)).to_have_count(0)
    cell(page, 1, 2).hover()
    expect(page.locator('[data-sequence="decoder"] .token-active')).to_have_attribute("data-token", "2")
    expect(page.get_by_role("button", name="Train a tuned lens")).to_be_hidden()


@pytest.mark.parametrize("context", [{"viewport": NARROW}], indirect=True, ids=["narrow"])
def test_narrow_window_shows_it_as_a_sheet(page: Page, site: RunningSite) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/lens" in request.url else None)
    run = site.traced("prose", TEXT)["id"]
    page.goto(f"/runs/{run}")
    expect(page.locator(".status")).to_have_text(re.compile("finished"))
    assert asked == []
    page.get_by_role("button", name="Lens", exact=True).click()
    expect(page.locator(".lens-cell").last).to_be_visible()
    page.locator(".lens-cell").last.click()
    expect(page).to_have_url(re.compile(r"token=decoder\.28"))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
