"""A person sweeps a plan: chooses rows, watches the table fill, compares curves, opens a row, stops a sweep."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NARROW
from tests.browser.test_training import WAIT_S, plan
from tests.running import RunningSite

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    """A Headlight that trains."""
    running = RunningSite(tmp_path_factory.mktemp("sweep-page") / "data", trainers=1)
    yield running
    running.stop()


def choose(page: Page, rows: list[str], steps: int) -> None:
    plan(page, "Copy", steps)
    page.get_by_role("button", name="Table 3").click()
    boxes = page.locator(".sweep-rows input")
    # The rows come from the site; what is not there yet cannot be unchecked.
    expect(boxes.first).to_be_visible()
    for box in boxes.all():
        box.set_checked(box.get_attribute("value") in rows)
    page.get_by_role("button", name=f"Start {len(rows)} trainings").click()
    page.wait_for_url("**/sweeps/*")


def test_sweep_fills_its_table_and_its_rows_can_be_opened(page: Page) -> None:
    choose(page, ["base", "1 head", "positions none"], 20)
    rows = page.locator(".sweep-table tbody tr")
    expect(rows).to_have_count(3)
    expect(page.get_by_role("status").first).to_contain_text("3 of 3 rows have ended", timeout=WAIT_S * 1000)
    expect(rows.nth(1)).to_contain_text(re.compile(r"[+−]\d\.\d{4}"))
    expect(rows.nth(0)).not_to_contain_text(re.compile(r"[+−]\d\.\d{4}"))
    expect(page.locator(".curve-loss .curve-legend")).to_contain_text("positions none")
    rows.nth(2).get_by_role("link").click()
    page.wait_for_url("**/trainings/*")
    expect(page.locator(".samples li").first).to_contain_text("→")
    page.goto("/train")
    expect(page.locator(".planning-sweeps")).to_contain_text("3 of 3 rows have ended")


def test_form_says_what_a_plan_takes_and_what_does_not_fit(page: Page) -> None:
    plan(page, "Copy", 150)
    estimate = page.locator(".planning-estimate")
    expect(estimate).to_contain_text("Wh")
    expect(estimate).to_contain_text("22 K")
    for name, value in (("Width", 1024), ("Layers", 24), ("Batch", 1024), ("Length", 1024)):
        page.get_by_label(name, exact=True).fill(str(value))
    expect(estimate.get_by_role("alert")).to_contain_text("of memory")
    page.get_by_role("button", name="Start training").click()
    expect(page.locator("#plan-batch-error")).to_contain_text("Make the batch smaller")


def test_sweep_is_stopped_as_one_on_a_narrow_screen(page: Page) -> None:
    page.set_viewport_size(NARROW)
    choose(page, ["base", "1 head"], 100_000)
    page.get_by_role("button", name="Cancel the sweep").click()
    expect(page.locator(".sweep-table tbody tr").first).to_contain_text("cancelled")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
