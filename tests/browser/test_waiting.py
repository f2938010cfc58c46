"""A person comes while no worker runs: every panel says what it waits for, and she can stop the run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import NARROW
from tests.running import RunningSite

pytestmark = pytest.mark.browser

PANELS = ["Heads", "Next tokens", "This head", "Inside this head", "Tokens"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    """A Headlight in which nothing is ever computed."""
    running = RunningSite(tmp_path_factory.mktemp("idle") / "data", workers=0)
    yield running
    running.stop()


def wait_for_queue(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_text("No worker is running", exact=True)).to_be_visible()


def panel(page: Page, name: str) -> Locator:
    role = "region" if name == "Tokens" else "group"
    return page.get_by_role(role, name=name, exact=True).first


def test_every_panel_says_that_it_waits_for_a_worker(page: Page) -> None:
    wait_for_queue(page)
    for name in PANELS:
        expect(panel(page, name)).to_contain_text("Comes when a worker has taken the run.")
    seconds = page.get_by_text("This page has waited")
    before = seconds.inner_text()
    page.wait_for_function("before => !document.body.innerText.includes(before)", arg=before)


def test_picker_says_that_models_are_cold_and_nobody_works(page: Page) -> None:
    wait_for_queue(page)
    page.get_by_role("button", name="Model: Prose").click()
    prose = page.get_by_role("option", name="Prose", exact=False).first
    expect(prose).to_contain_text("cold: no worker is running")
    expect(prose).to_contain_text("4.3 M parameters, 17 MB")


def test_waiting_run_is_stopped_and_no_panel_waits_on(page: Page) -> None:
    wait_for_queue(page)
    page.get_by_label("Text", exact=True).fill("to be stopped")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/*")
    expect(page.get_by_text("No worker is running", exact=True)).to_be_visible()
    page.locator(".status").get_by_role("button", name="Stop").click()
    expect(page.get_by_text("The run was stopped", exact=True)).to_be_visible()
    for name in PANELS:
        expect(panel(page, name)).to_contain_text("The run was stopped before this came.")
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)


@pytest.mark.parametrize("context", [{"viewport": NARROW}], indirect=True)
def test_list_of_models_fits_a_narrow_page(page: Page) -> None:
    """It hung from the right end of its button, and its left half lay outside the window."""
    wait_for_queue(page)
    page.get_by_role("button", name="Model: Prose").click()
    box = page.get_by_role("listbox", name="Model").bounding_box()
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= NARROW["width"]


@pytest.mark.parametrize("context", [{"viewport": NARROW}], indirect=True)
def test_run_is_stopped_on_a_narrow_page_too(page: Page) -> None:
    """The status line, which holds the button, is not shown there."""
    wait_for_queue(page)
    page.get_by_label("Text", exact=True).fill("to be stopped")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/*")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("The run was stopped", exact=True)).to_be_visible()
