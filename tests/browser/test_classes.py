"""A teacher puts a link on the blackboard; a pupil makes an account by it, joins, and shares a view with her class."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import count

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import NARROW, WIDE
from tests.running import HOUSE, RunningSite

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]

numbers = count(1)
PASSWORD = "a lamp in the fog"


@pytest.fixture
def pupil(browser: Browser, site: RunningSite) -> Iterator[Page]:
    context = browser.new_context(base_url=f"http://127.0.0.1:{site.port}", viewport=NARROW, color_scheme="dark")
    yield context.new_page()
    context.close()


@pytest.fixture
def teacher(page: Page, site: RunningSite) -> Page:
    """Signed in, with the role that an admin gave her."""
    sign_up(page, "/accounts/signup/", f"tess{next(numbers)}@example.org")
    program = "from webapp.accounts.models import Person; Person.objects.update(role='teacher')"
    environment = {**os.environ, "HEADLIGHT_DATA": str(site.data)}
    subprocess.run([sys.executable, "manage.py", "shell", "-c", program], cwd=HOUSE, env=environment, check=True)
    return page


def sign_up(page: Page, path: str, email: str) -> None:
    page.goto(path)
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make an account").click()
    expect(page).not_to_have_url(re.compile("/accounts/signup/"))


def test_class_from_the_blackboard_to_its_end(teacher: Page, pupil: Page, site: RunningSite) -> None:
    teacher.goto("/")
    teacher.get_by_role("link", name="Classes").click()
    teacher.get_by_label("Name").fill("7b physics")
    teacher.get_by_role("button", name="Make a class").click()
    expect(teacher.get_by_text("Nobody has joined yet.")).to_be_visible()
    link = teacher.locator(".said code").inner_text()
    assert re.fullmatch(rf"http://127\.0\.0\.1:{site.port}/join/[a-z2-7]{{26}}", link)

    pupil.goto(link)
    expect(pupil.get_by_text("7b physics")).to_be_visible()
    path = pupil.get_by_role("link", name="Make an account").get_attribute("href")
    sign_up(pupil, str(path), "pip@example.org")
    expect(pupil.get_by_text("may stop your jobs")).to_be_visible()
    pupil.get_by_role("button", name="Join").click()
    expect(pupil.get_by_role("heading", name="7b physics")).to_be_visible()
    assert pupil.evaluate("document.documentElement.scrollWidth") <= 390

    pupil.set_viewport_size(WIDE)  # type: ignore[arg-type]
    pupil.goto("/")
    pupil.get_by_role("textbox").first.fill("So it goes.")
    pupil.get_by_role("button", name="Run", exact=True).click()
    pupil.wait_for_url(re.compile(r"/runs/"))  # The first page has a run already, which has finished too.
    expect(pupil.locator(".status")).to_contain_text("finished")
    pupil.get_by_role("button", name="Share", exact=True).click()
    pupil.get_by_label("Who may open it").select_option(label="My class 7b physics")
    pupil.get_by_role("button", name="Make a link").click()
    shared = pupil.get_by_label("Link", exact=True)
    expect(shared).to_have_value(re.compile(r"/s/"))
    expect(pupil.get_by_text("for 7b physics")).to_be_visible()
    teacher.goto(shared.input_value())
    expect(teacher.locator(".status")).to_contain_text("recorded")

    teacher.goto("/classes")
    teacher.get_by_role("link", name="7b physics").click()
    row = teacher.get_by_role("row").filter(has_text="pip@example.org")
    expect(row.get_by_role("cell").first).to_have_text("1")
    row.get_by_role("button", name="Remove").click()
    expect(teacher.get_by_text("Nobody has joined yet.")).to_be_visible()
    teacher.get_by_role("button", name="Renew the link").click()
    expect(teacher.locator(".said code")).not_to_have_text(link)
    pupil.goto(link)
    expect(pupil.get_by_role("heading", name="This link leads nowhere")).to_be_visible()
    pupil.goto("/")
    expect(pupil.get_by_role("link", name="Classes")).to_have_count(0)


def test_job_of_a_pupil_is_stopped_by_her_teacher(teacher: Page, pupil: Page, site: RunningSite) -> None:
    teacher.goto("/classes")
    teacher.get_by_label("Name").fill("8c")
    teacher.get_by_role("button", name="Make a class").click()
    link = teacher.locator(".said code").inner_text()
    sign_up(pupil, "/accounts/signup/", "quin@example.org")
    pupil.goto(link)
    pupil.get_by_role("button", name="Join").click()
    workers = site.children("celery")
    for worker in workers:
        worker.suspend()
    try:
        order = {"kind": "trace", "model": "prose", "text": "So it goes."}
        made = pupil.request.post("/api/v1/runs", data=order, headers={"Origin": f"http://127.0.0.1:{site.port}"})
        assert made.status == 201, made.text()
        teacher.reload()
        job = teacher.get_by_role("row").filter(has_text="waits")
        expect(job).to_contain_text("quin@example.org")
        job.get_by_role("button", name="Stop").click()
        expect(teacher.get_by_text("None runs, none waits.")).to_be_visible()
    finally:
        for worker in workers:
            worker.resume()
    told = pupil.request.get(f"/api/v1/runs/{made.json()['id']}").json()
    assert told["state"] == "cancelled"
