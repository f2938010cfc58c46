"""A person plans a training, starts it, watches its curve and heads, steers it, and opens what it made."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NARROW
from tests.browser.test_explore import answered, drawn
from tests.modelcore.zips import picture_zip
from tests.running import RunningSite

pytestmark = pytest.mark.browser

TINY = {"Layers": 1, "Heads": 2, "Width": 32, "Length": 16, "Batch": 16, "Warm-up": 10}
LOOKS = {"Heads every": 10, "Tests every": 25, "Checkpoint every": 50}
WAIT_S = 60
FINISHED = re.compile("Finished")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    """A Headlight that trains."""
    running = RunningSite(tmp_path_factory.mktemp("train-page") / "data", trainers=1)
    yield running
    running.stop()


def plan(page: Page, task: str, steps: int) -> None:
    page.goto("/train")
    page.get_by_text("More", exact=True).click()
    page.locator(".plan-task", has_text=task).click()
    for name, value in {**TINY, **LOOKS, "Steps": steps}.items():
        page.get_by_label(name, exact=True).fill(str(value))


def start(page: Page, task: str = "Reverse", steps: int = 150) -> str:
    plan(page, task, steps)
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url("**/trainings/*")
    return re.findall(r"/trainings/([a-z0-9]{26})", page.url)[0]


def trained(site: RunningSite, seed: int = 0) -> str:
    """A finished training of a few steps."""
    small = {"assignment": "copy", "layers": 1, "heads": 2, "width": 32, "length": 16, "steps": 5, "snapshot_every": 1}
    run = str(site.http.post("/api/v1/trainings", json={**small, "seed": seed}).json()["id"])
    deadline = time.monotonic() + WAIT_S
    while site.http.get(f"/api/v1/trainings/{run}").json()["state"] != "finished":
        assert time.monotonic() < deadline, list(site.log)[-20:]
        time.sleep(0.2)
    return run


def shown_step(page: Page) -> int:
    words = page.locator(".slider-where").inner_text()
    return int(re.findall(r"step ([\d,]+)", words)[0].replace(",", ""))


def test_explorer_leads_to_the_trainings_and_back(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Train", exact=True).click()
    expect(page.get_by_role("heading", name="Train a model, and watch its heads form")).to_be_visible()
    page.get_by_role("link", name="Explore", exact=True).click()
    answered(page)


def test_form_estimates_and_a_recipe_fills_it(page: Page) -> None:
    plan(page, "Copy", 150)
    estimate = page.locator(".planning-estimate")
    expect(estimate).to_contain_text("22 K")
    expect(estimate).to_contain_text("256")
    recipes = page.get_by_role("radiogroup", name="Recipe")
    recipes.get_by_role("radio", name="The paper's").click()
    expect(recipes.get_by_role("radio", name="The paper's")).to_have_attribute("aria-checked", "true")
    schedules = page.get_by_role("radiogroup", name="Schedule of the learning rate")
    expect(schedules.get_by_role("radio", name="The paper's")).to_have_attribute("aria-checked", "true")
    expect(page.get_by_label("Dropout")).to_have_value("0.1")
    expect(page.get_by_label("Label smoothing")).to_have_value("0.1")
    page.get_by_label("Beta 2").fill("0.9")
    expect(recipes.locator("[aria-checked=true]")).to_have_count(0)
    page.get_by_label("Width", exact=True).fill("64")
    expect(estimate).not_to_contain_text("22 K")


def test_refusal_stands_at_its_field_and_the_form_keeps_everything(page: Page) -> None:
    plan(page, "Sort", 77)
    page.get_by_label("Heads", exact=True).fill("5")
    page.get_by_role("button", name="Start training").click()
    field = page.locator(".plan-field", has=page.get_by_label("Heads", exact=True))
    expect(field).to_contain_text("5 heads do not divide a width of 32.")
    expect(page.get_by_label("Heads", exact=True)).to_be_focused()
    expect(page.get_by_label("Steps", exact=True)).to_have_value("77")
    page.reload()
    expect(page.get_by_label("Heads", exact=True)).to_have_value("5")


def test_training_is_watched_from_its_first_step_and_opened_in_the_explorer(page: Page) -> None:
    training = start(page)
    expect(page.get_by_role("heading", name="Reverse")).to_be_visible()
    expect(page.get_by_role("status").first).to_have_text(FINISHED)
    expect(page.locator(".slider-where")).to_have_text("step 150 of 150")
    expect(page.locator(".curve-loss .scatterlayer path").first).to_be_attached()
    assert drawn(page, ".training-grid") > 8
    assert drawn(page, ".training-map") > 8

    slider = page.get_by_role("slider", name="Step that is shown")
    slider.focus()
    page.keyboard.press("Home")
    expect(page.locator(".slider-where")).to_have_text("step 0 of 150")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".slider-where")).to_have_text("step 10 of 150")
    assert "step=10" in page.url
    at_ten = page.locator(".training-map").screenshot()
    slider.fill("104")
    expect(page.locator(".slider-where")).to_have_text("step 100 of 150")
    page.wait_for_timeout(300)
    assert page.locator(".training-map").screenshot() != at_ten

    page.reload()
    expect(page.locator(".slider-where")).to_have_text("step 100 of 150")
    grid = page.get_by_role("listbox", name="Attention heads of the probe text")
    grid.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".training-head-name")).to_contain_text("head 1")
    assert "head=decoder.self.0.1" in page.url
    page.get_by_role("button", name="Play through the steps").click()
    expect(page.locator(".slider-where")).to_have_text("step 150 of 150")

    page.get_by_role("button", name="Open in the explorer").click()
    page.wait_for_url("**/runs/*")
    answered(page)
    expect(page.get_by_role("button", name="Model: Trained: reverse")).to_be_visible()

    page.goto(f"/train?from={training}")
    expect(page.get_by_label("Steps", exact=True)).to_have_value("150")
    expect(page.get_by_label("Width", exact=True)).to_have_value("32")


def test_handwritten_digits_are_learned_for_a_few_steps_and_opened(page: Page) -> None:
    page.goto("/train")
    page.get_by_label("Handwritten digits").check()
    expect(page.get_by_label("Length", exact=True)).to_be_hidden()
    page.get_by_label("Steps", exact=True).fill("20")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url("**/trainings/*")
    expect(page.get_by_role("heading", name="Handwritten digits")).to_be_visible()
    expect(page.get_by_role("status").first).to_have_text(FINISHED)
    assert drawn(page, ".training-grid") > 8
    page.get_by_role("button", name="Open in the explorer").click()
    page.wait_for_url("**/runs/*")
    expect(page.get_by_role("button", name="Model: Trained: digits")).to_be_visible()


def test_model_of_the_library_is_fine_tuned_from_the_form(page: Page, site: RunningSite) -> None:
    page.goto("/train")
    page.get_by_label("Dates").check()
    page.get_by_label("Starts from").select_option(label="Numbers")
    expect(page.get_by_label("Layers", exact=True)).to_be_hidden()
    expect(page.get_by_text("Layers, heads and width stay those of the model")).to_be_visible()
    expect(page.get_by_label("Learning rate", exact=True)).to_have_value("0.0003")
    page.get_by_label("Steps", exact=True).fill("10")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url("**/trainings/*")
    expect(page.get_by_role("status").first).to_have_text(FINISHED)
    run = re.findall(r"/trainings/([a-z0-9]{26})", page.url)[0]
    told = site.http.get(f"/api/v1/trainings/{run}").json()
    assert told["plan"]["start"] == "numbers"
    (made,) = (one for one in site.http.get("/api/v1/models").json()["models"] if one["id"] == told["model"])
    assert made["name"] == "Fine-tuned: dates" and "from numbers" in made["sentence"]


def test_pairs_of_a_file_are_dropped_cut_by_another_models_tokenizer_and_refused_by_their_line(
    page: Page, tmp_path: Path
) -> None:
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("\n".join(f"{letter} b\tb {letter}" for letter in "acdefghijklm") + "\nno tab\n")
    page.goto("/train")
    page.get_by_label("Pairs", exact=True).check()
    page.locator("#plan-file").set_input_files(pairs)
    expect(page.get_by_label("The pairs that are learned")).to_have_value(re.compile("no tab"))
    page.get_by_label("Tokenizer").select_option(label="Characters")
    page.locator(".switch-choice", has_text="The paper's").first.click()
    page.get_by_text("More", exact=True).click()
    expect(page.get_by_label("Tokens a batch")).to_have_value("2000")
    expect(page.get_by_label("Average", exact=True)).to_have_value("5")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url("**/trainings/*")
    expect(page.get_by_text("Line 13 has no tab").first).to_be_visible()


def test_zip_of_labelled_pictures_is_sent_and_learned(page: Page, tmp_path: Path) -> None:
    page.goto("/train")
    page.get_by_label("Labelled pictures").check()
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_text("images learns a zip of yours: give one.").first).to_be_visible()
    page.locator("#plan-pictures").set_input_files(
        picture_zip(tmp_path / "shades.zip", {"dark": range(9), "light": range(200, 209)})
    )
    expect(page.get_by_text("shades.zip")).to_be_visible()
    page.get_by_label("Steps", exact=True).fill("5")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url("**/trainings/*")
    expect(page.get_by_role("status").first).to_have_text(FINISHED)


def test_training_is_paused_slowed_goes_on_and_is_cancelled(page: Page) -> None:
    start(page, "Copy", 100_000)
    page.wait_for_function("() => /step [1-9]/.test(document.querySelector('.slider-where').textContent)")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused. A checkpoint was saved.").first).to_be_visible()
    stopped = page.locator(".training-facts").inner_text()
    page.wait_for_timeout(700)
    assert page.locator(".training-facts").inner_text() == stopped
    page.get_by_role("button", name="Rate ÷ 2").click()
    expect(page.locator(".training-facts")).to_contain_text("learning rate × 0.5")
    page.get_by_role("button", name="Go on").click()
    before = shown_step(page)
    page.wait_for_function(
        """before => Number(
        document.querySelector('.slider-where').textContent.match(/step ([\\d,]+)/)[1].replaceAll(',', '')
    ) > before""",
        arg=before,
    )

    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Let it run").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Cancel the training").click()
    expect(page.get_by_text("Cancelled. What it told stays here.").first).to_be_visible()
    expect(page.get_by_role("link", name="Train again with changes")).to_be_visible()


def test_another_training_is_laid_beneath(page: Page, site: RunningSite) -> None:
    one, other = (trained(site, seed) for seed in (1, 2))
    page.goto(f"/trainings/{one}")
    legend = page.locator(".curve-loss .curve-legend")
    expect(legend).to_contain_text("held-out")
    page.get_by_role("button", name="Compare with").click()
    page.get_by_role("option").filter(has_text=other[:4]).click()
    expect(legend).to_contain_text(f"{other[:4]}: training")


@pytest.mark.parametrize("context", [{"viewport": NARROW, "color_scheme": "dark"}], indirect=True)
def test_nothing_is_cut_off_on_a_telephone(page: Page, site: RunningSite) -> None:
    for address in ("/train", f"/trainings/{trained(site)}", "/"):
        page.goto(address)
        expect(page.get_by_role("link", name="Train", exact=True)).to_be_visible()
        page.wait_for_timeout(500)
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], address


@pytest.mark.parametrize("context", [{"viewport": NARROW, "locale": "de-DE"}], indirect=True)
def test_form_fits_a_telephone_in_longer_words_too(page: Page) -> None:
    """The recipes stood side by side, and four German ones were wider than the page."""
    page.goto("/train")
    for task in ("pairs", "images", "catalogs"):
        page.locator(f".plan-task [value={task}]").check()
        page.locator(".plan-more").evaluate("more => { more.open = true }")
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], task
