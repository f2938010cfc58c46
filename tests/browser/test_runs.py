"""A person keeps order among her runs; after every process was ended and begun again they are as she left them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import NARROW
from tests.running import RunningSite

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]

BOOK, SHIP, BRIDGE = "Mary gave the book to John.", "The ship sailed at night.", "A bridge of old stone."


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    """One of its own, whose list of runs is short, and which may be ended."""
    running = RunningSite(tmp_path_factory.mktemp("runs") / "data")
    yield running
    running.stop()


@pytest.fixture
def runs(page: Page, site: RunningSite) -> Page:
    """The page with three runs on it, and no others: not those of the test before, nor the one a new site shows."""
    for run in site.http.get("/api/v1/runs").raise_for_status().json()["runs"]:
        site.http.delete(f"/api/v1/runs/{run['id']}").raise_for_status()
    for text in (BOOK, SHIP, BRIDGE):
        site.traced("prose", text)
    page.goto("/runs")
    expect(page.locator(".run")).to_have_count(3)
    return page


def row(page: Page, words: str) -> Locator:
    return page.locator(".run").filter(has_text=words)


def press(page: Page, words: str, name: str) -> None:
    row(page, words).get_by_role("button", name=name).click()


def names(page: Page) -> list[str]:
    return page.locator(".run-words > a").all_inner_texts()


def name_it(page: Page, words: str, title: str, tags: str) -> None:
    press(page, words, "Name")
    form = page.locator(".run-form")
    form.get_by_label("Name").fill(title)
    form.get_by_label("Tags").fill(tags)
    form.get_by_role("button", name="Keep").click()
    expect(row(page, title)).to_be_visible()


def test_runs_are_found_by_their_words_their_name_and_their_tags(runs: Page) -> None:
    assert names(runs) == [BRIDGE, SHIP, BOOK]
    pictures = runs.locator(".run img")
    expect(pictures).to_have_count(3)
    runs.wait_for_function("() => [...document.querySelectorAll('.run img')].every((img) => img.naturalWidth > 0)")
    name_it(runs, SHIP, "Seafaring", "sea, night")
    search = runs.get_by_role("searchbox", name="Search")
    for words, found in (("book", BOOK), ("seafar", "Seafaring"), ("sailed", "Seafaring"), ("night", "Seafaring")):
        search.fill(words)
        expect(runs.locator(".run-words > a")).to_have_text([found])
    search.fill("nowhere")
    expect(runs.get_by_text("No run fits.")).to_be_visible()
    search.fill("")
    expect(runs.locator(".run")).to_have_count(3)
    runs.get_by_role("button", name="sea", exact=True).click()
    expect(runs.locator(".run")).to_have_count(1)
    runs.get_by_role("button", name="sea ✕").click()
    expect(runs.locator(".run")).to_have_count(3)


def test_pinned_run_comes_first_and_stays_so_after_all_processes_were_begun_again(
    runs: Page, site: RunningSite
) -> None:
    name_it(runs, BOOK, "The gift", "books")
    press(runs, "The gift", "Pin")
    expect(runs.locator(".run").first).to_contain_text("The gift")
    assert names(runs) == ["The gift", BRIDGE, SHIP]
    before = runs.locator(".run").all_inner_texts()
    site.restart()
    runs.reload()
    expect(row(runs, SHIP)).to_be_visible()
    # A site that begins shows a run of its own.
    assert [told for told in runs.locator(".run").all_inner_texts() if told in before] == before
    row(runs, "The gift").get_by_role("link").click()
    expect(runs.locator(".status")).to_contain_text("finished")
    expect(runs.locator(".map-head, .map-foot").filter(has_text="exact").first).to_be_visible()


def test_two_runs_are_compared(runs: Page) -> None:
    row(runs, SHIP).get_by_role("checkbox").check()
    compare = runs.get_by_role("link", name="Compare the two")
    expect(compare).to_be_hidden()
    row(runs, BRIDGE).get_by_role("checkbox").check()
    compare.click()
    runs.wait_for_url(re.compile(r"/runs/[a-z0-9]{26}\?with=[a-z0-9]{26}"))
    expect(runs.locator(".compare-distance")).to_contain_text("changed by")
    expect(runs.locator(".compare-texts")).to_contain_text("bridge")


def test_run_is_deleted_after_a_second_word(runs: Page, site: RunningSite) -> None:
    address = row(runs, SHIP).get_by_role("link").get_attribute("href") or ""
    press(runs, SHIP, "Delete")
    runs.get_by_role("searchbox", name="Search").focus()
    expect(row(runs, SHIP).get_by_role("button", name="Really delete")).to_have_count(0)
    press(runs, SHIP, "Delete")
    press(runs, SHIP, "Really delete")
    expect(runs.locator(".run")).to_have_count(2)
    runs.reload()
    expect(runs.locator(".run")).to_have_count(2)
    assert site.http.get(f"/api/v1{address}").status_code == 404


def test_list_fits_a_telephone(runs: Page) -> None:
    runs.set_viewport_size(NARROW)  # type: ignore[arg-type]
    press(runs, BOOK, "Name")
    expect(runs.locator(".run-form")).to_be_visible()
    assert runs.evaluate("document.documentElement.scrollWidth") <= 390
