"""Somebody brings a model of their own: drags its folder in, sees it become ready, and reads a sentence with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import NARROW
from tests.library.bad_archives import zipped
from tests.library.bad_files import config
from tests.library.models import TEXT, Files, good
from tests.running import RunningSite

pytestmark = pytest.mark.browser


def folder_of(parent: Path, name: str, files: Files) -> Path:
    folder = parent / name
    folder.mkdir()
    for file, content in files.items():
        (folder / file).write_bytes(content)
    return folder


def drop(page: Page, *paths: Path) -> None:
    """As the system's file manager does it; a script of the page cannot make up a folder."""
    box = page.locator(".library-drop").bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    dragged = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    where = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2, "data": dragged}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, **where})


def card(page: Page, name: str) -> Locator:
    return page.locator(".model-card", has=page.get_by_role("heading", name=name, exact=True))


def test_dragged_folder_becomes_a_model_that_reads_a_sentence(page: Page, tmp_path: Path) -> None:
    files = {**good(), "LICENSE": b"Do as you like.", "train.py": b"import os", "optimizer.pt": bytes(9)}
    folder = folder_of(tmp_path, "dragged-lamp", files)
    page.goto("/library")
    expect(page.locator(".model-card").first).to_be_visible()
    drop(page, folder)
    expect(page.get_by_text("2 files are no part of the model and stay with you.")).to_be_visible()
    mine = card(page, "dragged-lamp")
    expect(mine).to_be_visible(timeout=60_000)
    expect(mine).to_contain_text("2 layers × 2 heads")
    mine.get_by_placeholder("A text for it to read").fill(TEXT)
    mine.get_by_role("button", name="Read it").click()
    expect(page).to_have_url(re.compile(r"/runs/\w+"))
    expect(page.locator(".top")).to_contain_text("dragged-lamp")
    expect(page.locator("[data-state='finished'], .status")).not_to_contain_text("failed", timeout=30_000)


def test_bad_model_is_refused_in_words_and_can_be_dismissed(page: Page, tmp_path: Path) -> None:
    page.goto("/library")
    drop(page, folder_of(tmp_path, "too-deep", config(n_layer=10**9)(good())))
    arrival = page.locator(".arrival", has_text="too-deep")
    expect(arrival).to_contain_text("Refused", timeout=60_000)
    expect(arrival).to_contain_text("n_layer is 1,000,000,000; at most 4,096 is read.")
    arrival.get_by_role("button", name="Dismiss").click()
    expect(arrival).to_have_count(0)


@pytest.mark.parametrize("context", [{"viewport": NARROW}], indirect=True)
def test_model_is_renamed_and_deleted_on_a_telephone(page: Page, tmp_path: Path) -> None:
    page.goto("/library")
    archive = tmp_path / "packed.zip"
    archive.write_bytes(zipped(good()))
    page.locator("input[type=file][multiple]").set_input_files(archive)
    mine = card(page, "packed")
    expect(mine).to_be_visible(timeout=60_000)
    mine.get_by_role("button", name="Edit: packed").click()
    page.get_by_label("Name", exact=True).fill("<b>Lamp</b>")
    page.get_by_label("In one sentence").fill("It glows.")
    page.get_by_role("button", name="Save").click()
    renamed = card(page, "<b>Lamp</b>")
    expect(renamed).to_contain_text("It glows.")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_label("Find a model").fill("nothing of the sort")
    expect(page.locator(".model-card")).to_have_count(0)
    page.get_by_label("Find a model").fill("lamp")
    renamed.get_by_role("button", name="Delete: <b>Lamp</b>").click()
    page.get_by_role("button", name="Delete it").click()
    expect(renamed).to_have_count(0)


def test_weights_alone_ask_what_they_are_built_like(page: Page, tmp_path: Path) -> None:
    page.goto("/library")
    drop(page, folder_of(tmp_path, "whole-lamp", good()))
    expect(card(page, "whole-lamp")).to_be_visible(timeout=60_000)
    alone = tmp_path / "lamp-again.safetensors"
    alone.write_bytes(good()["model.safetensors"])
    drop(page, alone)
    expect(page.get_by_text("lamp-again comes without a config.json")).to_be_visible()
    page.get_by_label("Built like").select_option("whole-lamp")
    page.get_by_role("button", name="Bring it").click()
    mine = card(page, "lamp-again")
    expect(mine).to_be_visible(timeout=60_000)
    expect(mine).to_contain_text("2 layers × 2 heads")
    expect(page.locator(".arrival", has_text="lamp-again")).to_contain_text("Built like whole-lamp")


def test_upload_is_paused_and_goes_on(page: Page, tmp_path: Path) -> None:
    """The first answer of the server is held back, as a slow line would, so that there is time to press."""
    held: list[Route] = []
    page.route(re.compile(r"/api/v1/uploads/"), lambda route: held.append(route) if not held else route.continue_())
    page.goto("/library")
    drop(page, folder_of(tmp_path, "slow-lamp", good()))
    arrival = page.locator(".arrival", has_text="slow-lamp")
    arrival.get_by_role("button", name="Pause").click()
    expect(arrival).to_contain_text("Paused")
    page.unroute(re.compile(r"/api/v1/uploads/"))
    arrival.get_by_role("button", name="Go on").click()
    expect(card(page, "slow-lamp")).to_be_visible(timeout=60_000)


def test_part_that_was_being_hashed_when_its_upload_was_paused_is_not_sent(page: Page, tmp_path: Path) -> None:
    """A browser takes its headers away then, and would send the part without them."""
    page.add_init_script(
        """const digest = crypto.subtle.digest.bind(crypto.subtle);
        const held = new Promise((resolve) => { window.release = resolve; });
        crypto.subtle.digest = async (...part) => { window.isHashing = true; await held; return digest(...part); };"""
    )
    parts: list[str | None] = []
    page.on(
        "request",
        lambda request: parts.append(request.headers.get("tus-resumable")) if request.method == "PATCH" else None,
    )
    page.goto("/library")
    drop(page, folder_of(tmp_path, "hashed-lamp", good()))
    page.wait_for_function("() => window.isHashing")
    arrival = page.locator(".arrival", has_text="hashed-lamp")
    arrival.get_by_role("button", name="Pause").click()
    expect(arrival).to_contain_text("Paused")
    page.evaluate("() => window.release()")
    arrival.get_by_role("button", name="Go on").click()
    expect(card(page, "hashed-lamp")).to_be_visible(timeout=60_000)
    assert set(parts) == {"1.0.0"}


def test_upload_goes_on_after_a_reload(page: Page, site: RunningSite, tmp_path: Path) -> None:
    """The first part is there already, as it is after a tab was closed in the middle."""
    files = good()
    folder = folder_of(tmp_path, "half-way", files)
    told = [{"name": f"half-way/{name}", "size_bytes": len(content)} for name, content in files.items()]
    begun = site.http.post("/api/v1/arrivals", json={"name": "half-way", "files": told}).json()
    weights = next(file for file in begun["files"] if file["name"].endswith("safetensors"))
    head = {"tus-resumable": "1.0.0", "upload-offset": "0", "content-type": "application/offset+octet-stream"}
    site.http.patch(weights["address"], headers=head, content=files["model.safetensors"][:5000])
    page.goto("/library")
    expect(page.locator(".arrival", has_text="half-way")).to_contain_text("Drop the same files again to go on.")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.headers.get("upload-offset", "")))
    drop(page, folder)
    expect(card(page, "half-way")).to_be_visible(timeout=60_000)
    assert "5000" in sent
    assert site.http.get(f"/api/v1/arrivals/{begun['id']}").json()["state"] == "ready"
