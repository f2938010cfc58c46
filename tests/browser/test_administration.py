"""Somebody of the staff steers real processes from the fleet's page, and it tells the truth after a restart too."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.running import HOUSE, RunningSite
from tests.waiting import until

EMAIL, PASSWORD = "ada@example.org", "a lamp in the fog"
PLAN = {
    **{"assignment": "reverse", "layers": 1, "heads": 2, "width": 32, "batch": 16, "length": 16, "warmup": 10},
    **{"evaluate_every": 1000, "snapshot_every": 1000, "checkpoint_every": 50},
}
LONG = 1_000_000
WITHIN_S = 2.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    running = RunningSite(tmp_path_factory.mktemp("administration") / "data", workers=1, trainers=1)
    made = {"DJANGO_SUPERUSER_EMAIL": EMAIL, "DJANGO_SUPERUSER_USERNAME": "ada", "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    command = [sys.executable, "manage.py", "createsuperuser", "--noinput"]
    subprocess.run(command, cwd=HOUSE, env=running._environment | made, check=True, capture_output=True)
    yield running
    running.stop()


@pytest.fixture
def fleet(page: Page) -> Page:
    page.goto("/admin/fleet")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.locator("main form button").first.click()
    expect(page.get_by_role("heading", name="Fleet")).to_be_visible()
    expect(worker(page, "interactive1")).to_contain_text("idle")
    expect(worker(page, "train1")).to_contain_text("idle")
    return page


def worker(page: Page, name: str) -> Locator:
    return page.locator(f'tr[data-worker^="{name}@"]')


def job(page: Page, run: str) -> Locator:
    return page.locator(f'tr[data-run="{run}"]')


def press(row: Locator, name: str) -> None:
    row.get_by_role("button", name=name, exact=True).first.click()


def train(site: RunningSite, steps: int) -> str:
    answer = site.http.post("/api/v1/trainings", json={**PLAN, "steps": steps})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def state_of(site: RunningSite, run: str) -> str:
    return str(site.read(run)["state"])


def pids(site: RunningSite) -> set[int]:
    try:
        return {child.pid for child in site.children("interactive1@")}
    except psutil.Error:  # One ended while it was looked at.
        return set()


def test_worker_that_is_drained_in_a_run_ends_it_and_takes_nothing_until_it_may(site: RunningSite, fleet: Page) -> None:
    run = train(site, steps=3000)
    expect(job(fleet, run)).to_contain_text("running on")
    press(worker(fleet, "train1"), "Drain")
    expect(worker(fleet, "train1")).to_contain_text("draining")
    later = train(site, steps=1)
    until(lambda: state_of(site, run) == "finished", 200)
    expect(worker(fleet, "train1")).to_contain_text("drained: it takes nothing")
    assert state_of(site, later) == "queued"
    press(worker(fleet, "train1"), "Let it work")
    expect(worker(fleet, "train1")).not_to_contain_text("drained")
    until(lambda: state_of(site, later) == "finished", 120)


def test_stopped_workers_training_is_put_back_and_goes_on_when_it_may(site: RunningSite, fleet: Page) -> None:
    run = train(site, LONG)
    until(lambda: (site.data / "trainings" / run / "last.pt").exists(), 60)
    press(worker(fleet, "train1"), "Stop")
    expect(worker(fleet, "train1")).to_contain_text("stopped: it holds no model")
    assert state_of(site, run) == "queued"
    press(worker(fleet, "train1"), "Let it work")
    until(lambda: state_of(site, run) == "running")
    assert site.read(run)["attempt"] == 2
    site.http.post(f"/api/v1/runs/{run}/cancel").raise_for_status()
    expect(worker(fleet, "train1")).to_contain_text("idle")


def test_model_is_evicted_and_loaded_by_hand(site: RunningSite, fleet: Page) -> None:
    site.traced("prose", "In the beginning")
    held = worker(fleet, "interactive1").locator('li[data-model="prose"]')
    expect(held).to_be_visible()
    press(held, "Evict")
    expect(held).to_have_count(0)
    form = worker(fleet, "interactive1").locator(".fleet-load")
    form.locator("select").select_option("prose")
    form.get_by_role("button", name="Load").click()
    expect(held).to_be_visible()
    press(held, "Pin")
    expect(held).to_contain_text("pinned")
    press(held, "Unpin")
    expect(held).not_to_contain_text("pinned")


def test_queued_and_running_job_are_cancelled_and_seen_so_within_two_seconds(site: RunningSite, fleet: Page) -> None:
    running, queued = train(site, LONG), train(site, LONG)
    expect(job(fleet, running)).to_contain_text("running on")
    expect(job(fleet, queued)).to_contain_text("waiting, before it: 0")
    for run in (queued, running):
        began = time.monotonic()
        press(job(fleet, run), "Cancel")
        until(lambda run=run: state_of(site, run) == "cancelled")
        expect(job(fleet, run)).to_have_count(0)
        assert time.monotonic() - began < WITHIN_S
    after = train(site, steps=1)
    assert site.wait(after, 120)["state"] == "finished", "the trainer is free"


def test_paused_queue_keeps_a_run_waiting_and_the_page_warns(site: RunningSite, fleet: Page) -> None:
    queue = fleet.locator('tr[data-queue="interactive"]')
    press(queue, "Pause the queue")
    expect(queue).to_contain_text("paused")
    expect(fleet.locator(".fleet-troubles")).to_contain_text("This queue is paused: interactive")
    run = site.submit("prose", "In the beginning")
    time.sleep(3)
    assert state_of(site, run) == "queued"
    press(queue, "Resume")
    assert site.wait(run)["state"] == "finished"


def test_worker_starts_afresh_on_order(site: RunningSite, fleet: Page) -> None:
    before = pids(site)
    press(worker(fleet, "interactive1"), "Restart")
    until(lambda: pids(site) not in (before, set()))
    expect(worker(fleet, "interactive1")).to_contain_text("idle", timeout=60_000)
    expect(fleet.locator("section", has=fleet.get_by_role("heading", name="Log"))).to_contain_text("restart")
    site.wait_until_ready()


def test_same_history_is_there_after_everything_was_restarted(
    site: RunningSite, fleet: Page, context: BrowserContext
) -> None:
    press(worker(fleet, "train1"), "Drain")
    expect(worker(fleet, "train1")).to_contain_text("drained: it takes nothing")
    log = fleet.locator("section", has=fleet.get_by_role("heading", name="Log")).locator("tbody tr")
    before = log.all_inner_texts()
    assert len(before) > 1
    fleet.close()
    site.restart()
    page = context.new_page()
    page.goto("/admin/fleet")
    expect(worker(page, "train1")).to_contain_text("drained: it takes nothing", timeout=60_000)
    again = page.locator("section", has=page.get_by_role("heading", name="Log")).locator("tbody tr").all_inner_texts()
    assert again == before
    press(worker(page, "train1"), "Let it work")
    expect(worker(page, "train1")).to_contain_text("idle")
