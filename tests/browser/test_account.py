"""A person makes an account, gives a script a key, sees what she may use, takes her data along, and leaves."""

from __future__ import annotations

import json
import zipfile
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NARROW
from tests.running import HOUSE, RunningSite

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]

PASSWORD = "a lamp in the fog"
TEXT = "A lamp stood in the fog, and nobody lit it."
numbers = count(1)


@pytest.fixture
def ada(page: Page) -> str:
    """Has made an account and is on its page; gives her address."""
    email = f"ada{next(numbers)}@example.org"
    page.goto("/")
    page.get_by_role("link", name="Sign in").click()
    page.get_by_role("link", name="Make an account").click()
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make an account").click()
    page.goto("/account")
    expect(page.get_by_text(email)).to_be_visible()
    return email


@pytest.fixture
def headlight(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(HOUSE / "webapp" / "client"))
    import headlight

    return headlight


def make_key(page: Page, name: str) -> str:
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Make a key").click()
    key = page.locator("p[role=status] code")
    expect(key).to_be_visible()
    return key.inner_text()


def used(page: Page, what: str) -> str:
    return page.get_by_role("row").filter(has_text=what).locator("td").first.inner_text()


def sign_in(page: Page, email: str, password: str) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.locator("main form button").first.click()


def test_person_signs_out_and_in_again(page: Page, ada: str) -> None:
    page.get_by_role("link", name="Sign out").click()
    page.locator("main form button").first.click()
    page.goto("/account")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in(page, ada, "a lamp in the mist")
    expect(page.locator(".errorlist")).to_be_visible()
    sign_in(page, ada, PASSWORD)
    page.goto("/account")
    expect(page.get_by_text(ada)).to_be_visible()


def test_script_does_with_a_key_what_its_person_may(page: Page, ada: str, site: RunningSite, headlight: Any) -> None:
    assert used(page, "runs a minute") == "0"
    client = headlight.Client(f"http://127.0.0.1:{site.port}", make_key(page, "notebook"))
    run = client.trace("prose", TEXT)
    assert run.map(layer=2, head=1).sum(axis=1) == pytest.approx(1, abs=1e-4)
    page.goto("/account")
    assert used(page, "runs a minute") == "1"
    key = page.get_by_role("row").filter(has_text="notebook")
    expect(key.locator("time")).to_be_visible()  # When it was last used.
    expect(page.locator("p[role=status] code")).to_have_count(0)
    page.goto("/runs")
    expect(page.locator(".run").filter(has_text=TEXT)).to_have_count(1)
    assert site.http.get(f"/api/v1/runs/{run.id}").status_code == 404  # Nobody else's.
    page.goto("/account")
    key.get_by_role("button", name="Delete").click()
    expect(key).to_have_count(0)
    with pytest.raises(headlight.HeadlightError):
        client.trace("prose", TEXT)


def test_key_without_a_purpose_is_not_made(page: Page, ada: str) -> None:
    for box in page.get_by_role("checkbox").all():
        box.uncheck()
    page.get_by_label("Name", exact=True).fill("idle")
    page.get_by_role("button", name="Make a key").click()
    expect(page.get_by_role("alert")).to_contain_text("at least one thing")


def test_data_is_taken_along_and_all_of_it_goes_with_the_account(
    page: Page, ada: str, site: RunningSite, headlight: Any, tmp_path: Path
) -> None:
    client = headlight.Client(f"http://127.0.0.1:{site.port}", make_key(page, "notebook"))
    run = client.trace("prose", TEXT)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Take it along as a zip").click()
    saved.value.save_as(tmp_path / "headlight.zip")
    with zipfile.ZipFile(tmp_path / "headlight.zip") as file:
        assert [told["text"] for told in json.loads(file.read("runs.json"))] == [TEXT]
        assert f"runs/{run.id}/1.frames" in file.namelist()
        assert PASSWORD.encode() not in file.read("person.json")

    # In a page that may be refused something.
    other = page.context.new_page()
    other.goto("/account/delete")
    other.get_by_label("Password").fill("a lamp in the mist")
    other.get_by_role("button", name="Delete everything").click()
    expect(other.get_by_role("alert")).to_contain_text("not the password")
    other.close()
    page.get_by_role("link", name="Delete the account").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Delete everything").click()
    expect(page.get_by_role("heading", name="Your account is deleted")).to_be_visible()
    with pytest.raises(headlight.HeadlightError):
        client.trace("prose", TEXT)
    assert not (site.data / "runs" / run.id).exists()
    sign_in(page, ada, PASSWORD)
    expect(page.locator(".errorlist")).to_be_visible()


def test_account_fits_a_telephone(page: Page, ada: str) -> None:
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
