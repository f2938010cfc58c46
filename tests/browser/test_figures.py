"""A person saves a panel as a figure, opens it, and runs the script that came with it."""

from __future__ import annotations

import csv
import io
import os
import re
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import NARROW
from tests.browser.test_images import SEVEN
from tests.running import HOUSE, RunningSite

pytestmark = pytest.mark.browser

TEXT = "And Zubu said unto Kelar, and Zubu said unto"
PLACES = {
    "map": ".map-head",
    "next": ".panel-next",
    "measures": ".panel-measures",
    "lens": ".panel-lens",
    "picture": ".picture-tools",
    "tokens": ".tokens-tools",
    "heads": ".panel-heads",
    "chart": ".panel-chart",
    "inside": ".panel-inside",
    "comparison": ".compare-tools",
}


def save(page: Page, place: str, kind: str, folder: Path) -> Path:
    menu = page.locator(f"{PLACES[place]} .menu-figure")
    menu.get_by_role("button", name="Save figure").click()
    with page.expect_download() as download:
        menu.locator(f"[data-value={kind}]").click()
    file = folder / download.value.suggested_filename
    download.value.save_as(file)
    return file


def open_run(page: Page, run: str, view: str = "") -> None:
    page.goto(f"/runs/{run}{view}")
    expect(page.locator(".status")).to_have_text(re.compile("finished"))
    expect(page.get_by_text("exact", exact=True)).to_be_visible()


def run_as_it_is(script: Path, *arguments: str) -> dict[str, np.ndarray]:
    """In a folder where the project lies, with nothing of this process but its Python; gives what it wrote."""
    for part in ("modelcore", "kernels"):
        if not (script.parent / part).exists():
            (script.parent / part).symlink_to(HOUSE / part)
    written = script.with_suffix(".npz")
    saved = written.rename(written.with_suffix(".saved")) if written.exists() else None
    clean = {"PATH": os.environ["PATH"], "HOME": str(script.parent), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, script.name, *arguments]
    done = subprocess.run(command, cwd=script.parent, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with np.load(written) as arrays:
        made = dict(arrays)
    if saved:
        saved.rename(written)
    return made


def numbers(file: Path) -> dict[str, np.ndarray]:
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def streams(pdf: bytes) -> list[bytes]:
    """What a PDF's compressed streams hold."""
    found = []
    for match in re.finditer(rb"/Length (\d+) /Filter /FlateDecode >>\nstream\n", pdf):
        found.append(zlib.decompress(pdf[match.end() : match.end() + int(match[1])]))
    return found


@pytest.mark.parametrize("context", [{"color_scheme": "dark"}], indirect=True)
def test_map_is_saved_as_files_that_open_light_in_a_dark_page_too(
    page: Page, site: RunningSite, tmp_path: Path
) -> None:
    told = site.traced("prose", TEXT)
    open_run(page, told["id"], "?site=decoder.self.1&head=0")
    svg = save(page, "map", "svg", tmp_path).read_text()
    opened = page.context.new_page()
    opened.set_content(svg)
    expect(opened.locator("text").first).to_have_text("Prose, decoder self-attention, layer 1, head 0")
    expect(opened.locator("text", has_text="·Z").first).to_be_visible()
    with Image.open(io.BytesIO(opened.locator("svg").screenshot())) as shown:
        colours = shown.convert("RGB").getcolors(1 << 20)
    assert colours is not None and len(colours) > 30
    opened.close()

    with Image.open(save(page, "map", "png", tmp_path)) as picture:
        assert picture.width == round(250 / 72 * 300)
        assert picture.convert("RGB").getpixel((2, 2)) == (255, 255, 255)

    pdf = save(page, "map", "pdf", tmp_path).read_bytes()
    assert pdf.startswith(b"%PDF-1.7") and pdf.endswith(b"%%EOF\n")
    held = streams(pdf)
    assert any(b"Tj ET" in stream for stream in held), "no text that can be searched"
    assert sum(stream.startswith(b"\0\1\0\0") for stream in held) == 2, "the page's two fonts travel with it"


def test_script_of_a_map_writes_the_numbers_that_were_saved(page: Page, site: RunningSite, tmp_path: Path) -> None:
    told = site.traced("prose", TEXT)
    open_run(page, told["id"], "?site=decoder.self.1&head=0")
    arrays = numbers(save(page, "map", "npz", tmp_path))
    shown = site.http.get(f"/api/v1/runs/{told['id']}/maps/decoder.self.1/0").json()["weights"]
    assert arrays["weights"].dtype == np.float32
    assert np.array_equal(arrays["weights"], np.array(shown, np.float32))
    assert len(arrays["row_tokens"]) == len(told["tokens"])

    with open(save(page, "map", "csv", tmp_path), newline="") as file:
        table = list(csv.reader(file))
    assert table[0][1:] == list(arrays["col_tokens"])
    assert np.array_equal(np.array([row[1:] for row in table[1:]], np.float32), arrays["weights"])

    made = run_as_it_is(save(page, "map", "py", tmp_path))
    assert made["weights"].shape == arrays["weights"].shape
    assert np.abs(made["weights"] - arrays["weights"]).max() < 2e-6


def test_part_of_a_map_that_was_zoomed_into_is_what_is_saved(page: Page, site: RunningSite, tmp_path: Path) -> None:
    told = site.traced("numbers", "the fourteenth of july seventeen eighty-nine", target="1789-07-14")
    open_run(page, told["id"], "?site=decoder.cross.0&head=1&at=2_3_90")
    expect(page.get_by_role("button", name="Fit")).to_be_enabled()
    weights = numbers(save(page, "map", "npz", tmp_path))["weights"]
    script = save(page, "map", "py", tmp_path)
    rows, cols = ((int(a), int(b)) for a, b in re.findall(r"slice\((\d+), (\d+)\)", script.read_text()))
    site_of_map = next(known for known in told["sites"] if known["site"] == "decoder.cross.0")
    assert weights.shape == (rows[1] - rows[0], cols[1] - cols[0]) != (site_of_map["queries"], site_of_map["keys"])
    assert np.abs(run_as_it_is(script)["weights"] - weights).max() < 2e-6


def test_picked_heads_are_saved_together_as_links(page: Page, site: RunningSite, tmp_path: Path) -> None:
    told = site.traced("prose", TEXT)
    open_run(page, told["id"], "?site=decoder.self.1&head=0&as=links&picked=decoder.self.1.0_decoder.self.2.3")
    arrays = numbers(save(page, "map", "npz", tmp_path))
    tokens = len(told["tokens"])
    assert arrays["weights"].shape == (2, tokens, tokens)
    made = run_as_it_is(save(page, "map", "py", tmp_path))
    assert np.abs(made["weights"] - arrays["weights"]).max() < 2e-6
    assert "stroke-opacity" in save(page, "map", "svg", tmp_path).read_text()


@pytest.mark.parametrize("place", ["next", "measures", "tokens", "heads", "chart", "inside"])
def test_panels_are_saved_with_their_script(page: Page, site: RunningSite, tmp_path: Path, place: str) -> None:
    told = site.traced("prose", TEXT)
    open_run(page, told["id"], "?site=decoder.self.1&head=0&token=decoder.5&key=0")
    page.locator(".panel-chart summary").click()
    expect(page.locator(".inside-weight")).to_have_text(re.compile(r"\d"))
    arrays = numbers(save(page, place, "npz", tmp_path))
    made = run_as_it_is(save(page, place, "py", tmp_path))
    assert made
    for name, values in made.items():
        assert np.allclose(values, arrays[name], atol=2e-6), name
    assert save(page, place, "pdf", tmp_path).read_bytes().startswith(b"%PDF")
    assert save(page, place, "svg", tmp_path).read_text().startswith("<?xml")


def test_strip_without_a_kept_token_says_what_to_do(page: Page, site: RunningSite) -> None:
    told = site.traced("prose", TEXT)
    open_run(page, told["id"])
    menu = page.locator(f"{PLACES['tokens']} .menu-figure")
    menu.get_by_role("button", name="Save figure").click()
    menu.locator("[data-value=svg]").click()
    expect(menu).to_contain_text("Keep a token first")


def test_picture_is_saved_with_where_a_patch_looks(page: Page, site: RunningSite, tmp_path: Path) -> None:
    picture = site.http.post("/api/v1/pictures", content=SEVEN.read_bytes()).json()["id"]
    told = site.traced("digits", picture=picture)
    open_run(page, told["id"], "?site=encoder.self.1&head=2&token=encoder.29")
    expect(page.locator(".picture-words")).to_contain_text("patch 4, 5 looks at")
    arrays = numbers(save(page, "picture", "npz", tmp_path))
    assert arrays["weights"].shape == (1, 65)
    made = run_as_it_is(save(page, "picture", "py", tmp_path))
    assert np.abs(made["weights"] - arrays["weights"]).max() < 2e-6
    assert save(page, "picture", "svg", tmp_path).read_text().count("<image") == 3
    page.get_by_role("radio", name="Every head").click()
    every = numbers(save(page, "picture", "npz", tmp_path))
    assert every["weights"].shape == (16, 1, 65)
    made = run_as_it_is(save(page, "picture", "py", tmp_path))
    assert np.abs(made["weights"] - every["weights"]).max() < 2e-6


@pytest.mark.parametrize("context", [{"viewport": NARROW}], indirect=True)
def test_figure_is_saved_on_a_telephone_by_keys_alone(page: Page, site: RunningSite, tmp_path: Path) -> None:
    told = site.traced("prose", TEXT)
    open_run(page, told["id"])
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    page.locator(f"{PLACES['map']} .menu-figure .menu-trigger").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename.endswith(".pdf")


def test_difference_of_two_runs_is_saved_with_a_script_that_makes_it(
    page: Page, site: RunningSite, tmp_path: Path
) -> None:
    first, second = site.traced("prose", TEXT.replace("Kelar", "Kelar also")), site.traced("prose", TEXT)
    page.goto(f"/runs/{first['id']}?with={second['id']}&site=decoder.self.1&head=2")
    expect(page.locator(".compare-item").first).to_be_visible()
    kept = numbers(save(page, "comparison", "npz", tmp_path))
    assert kept["row_tokens"].tolist() == kept["col_tokens"].tolist()
    made = run_as_it_is(save(page, "comparison", "py", tmp_path))
    np.testing.assert_allclose(made["difference"], kept["difference"], atol=1e-5)
    assert np.nanmax(np.abs(kept["difference"])) > 0.01 and np.isnan(kept["difference"]).any()
    svg = save(page, "comparison", "svg", tmp_path).read_text()
    assert "B − A" in svg and "difference of weights" in svg
