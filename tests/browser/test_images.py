"""A person gives a picture to a vision model, points at its patches, and sees where they look."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from transformers import ViTForImageClassification
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from tests.browser.conftest import NARROW
from tests.browser.test_explore import drawn, open_first_page
from tests.running import HOUSE, RunningSite

pytestmark = pytest.mark.browser

DIGITS = HOUSE / "modelcore" / "zoo" / "digits"
SEVEN = DIGITS / "seven.png"
LAYER, HEAD, GRID = 1, 2, 8
FINISHED = re.compile("finished")


def eager(picture: Path) -> np.ndarray:
    """One head's map by transformers, from the file to the weights."""
    model = ViTForImageClassification.from_pretrained(DIGITS, attn_implementation="eager").eval()
    with Image.open(picture) as opened, torch.no_grad():
        pixels = ViTImageProcessorPil.from_pretrained(DIGITS)(opened, return_tensors="pt")["pixel_values"]
        return model(pixels, output_attentions=True).attentions[LAYER][0, HEAD].numpy()


def choose_digits(page: Page) -> None:
    page.get_by_role("button", name="Model").click()
    page.locator("[data-value=digits]").click()


def drop(page: Page, content: bytes, name: str = "drawn.png") -> None:
    """As a hand does it, anywhere on the page."""
    page.evaluate(
        """([content, name]) => {
             const bytes = Uint8Array.from(atob(content), character => character.charCodeAt(0));
             const files = new DataTransfer();
             files.items.add(new File([bytes], name));
             for (const type of ['dragover', 'drop'])
               document.querySelector('.map-body').dispatchEvent(
                 new DragEvent(type, {dataTransfer: files, bubbles: true, cancelable: true}));
           }""",
        [base64.b64encode(content).decode(), name],
    )


def answered(page: Page) -> None:
    expect(page.get_by_text("what the picture shows")).to_be_visible()
    expect(page.locator(".status")).to_have_text(FINISHED)


def plot(page: Page) -> Locator:
    return page.get_by_role("application", name=re.compile("^Picture"))


def centre(page: Page, row: int, col: int) -> tuple[float, float]:
    """Where a patch lies in the window: the picture is square, in the middle of its place."""
    box = plot(page).bounding_box()
    assert box is not None
    side = min(box["width"], box["height"]) - 24
    left, top = box["x"] + (box["width"] - side) / 2, box["y"] + (box["height"] - side) / 2
    return left + (col + 0.5) * side / GRID, top + (row + 0.5) * side / GRID


def noise(kind: str, width: int = 40, height: int = 30, **options: object) -> bytes:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, kind, **options)
    return buffer.getvalue()


def test_dropped_digit_is_read_and_a_patch_shows_where_it_looks(page: Page) -> None:
    open_first_page(page)
    choose_digits(page)
    drop(page, SEVEN.read_bytes(), "seven.png")
    answered(page)
    classes = page.get_by_role("list", name="Most likely classes").get_by_role("listitem")
    expect(classes.first).to_contain_text("7")
    assert drawn(page, ".picture-plot") > 8
    page.goto(f"{page.url.split('?')[0]}?site=encoder.self.{LAYER}&head={HEAD}")
    answered(page)
    words = page.locator(".picture-words")
    expect(words).to_contain_text("class token looks at")

    expected = eager(SEVEN)
    asked, looked_at = (3, 5), (5, 2)
    row, col = (1 + GRID * down + across for down, across in (asked, looked_at))
    page.mouse.click(*centre(page, *asked))
    expect(words).to_contain_text("patch 4, 6 looks at")
    assert f"token=encoder.{row}" in page.url
    page.mouse.move(*centre(page, *looked_at))
    tip = page.locator(".tooltip")
    expect(tip).to_contain_text("patch 4, 6 → patch 6, 3")
    shown = page.locator(".tooltip-first").inner_text()
    expect(page.locator(".tooltip-first")).not_to_contain_text("about")
    shown = page.locator(".tooltip-first").inner_text()
    assert float(shown.replace("−", "-")) == pytest.approx(float(expected[row, col]), abs=6e-5)
    strongest = int(expected[row, 1:].argmax())
    expect(words).to_contain_text(f"patch {strongest // GRID + 1}, {strongest % GRID + 1} most")
    page.keyboard.press("Escape")
    page.mouse.move(5, 5)
    expect(words).to_contain_text("class token looks at")


def test_keys_walk_over_the_patches_and_keep_one(page: Page) -> None:
    open_first_page(page)
    choose_digits(page)
    page.locator("#prompt-picture").set_input_files(SEVEN)
    answered(page)
    plot(page).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    expect(page.locator(".picture-words")).to_contain_text("patch 4, 5 looks at")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"token=encoder\.29"))
    page.get_by_role("button", name="class", exact=True).click()
    expect(page.locator(".picture-words")).to_contain_text("class token looks at")


def test_class_token_is_seen_in_every_head_and_a_press_chooses_one(page: Page) -> None:
    open_first_page(page)
    choose_digits(page)
    page.locator("#prompt-picture").set_input_files(SEVEN)
    answered(page)
    page.get_by_role("radio", name="Every head").click()
    expect(page.locator(".picture-words")).to_contain_text("where class token looks in every head")
    assert drawn(page, ".picture-plot") > 30
    plot(page).focus()
    title = page.locator(".panel-map h2")
    expect(title).to_have_text("L0 · H3")
    page.keyboard.press("ArrowDown")
    expect(title).to_have_text("L1 · H3")
    page.keyboard.press("ArrowLeft")
    expect(title).to_have_text("L1 · H2")
    box = plot(page).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    expect(page.locator(".tooltip")).to_contain_text("L0 · H0")
    page.mouse.click(box["x"] + 60, box["y"] + 60)
    expect(title).to_have_text("L0 · H0")


def test_example_of_the_card_opens_with_its_finding(page: Page) -> None:
    open_first_page(page)
    choose_digits(page)
    page.get_by_role("button", name="Examples").click()
    page.get_by_role("option", name="What is not written").click()
    answered(page)
    expect(page.locator(".map-line")).to_contain_text("looks at the paper")
    page.reload()
    answered(page)
    expect(page.locator(".map-line")).to_contain_text("looks at the paper")
    expect(page.get_by_role("button", name="Choose a picture")).to_be_visible()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (SEVEN.read_bytes()[:120], "no picture that can be read"),
        (noise("GIF", save_all=True, append_images=[Image.new("RGB", (40, 30))]), "Save one frame"),
        (b"%PDF-1.7 and so on", "no PNG, JPEG, WebP, GIF or BMP"),
        (noise("BMP", 4000, 1500), "Pictures may have"),
    ],
    ids=["corrupt", "animated", "wrong type", "too long"],
)
@pytest.mark.parametrize("context", [{}], indirect=True)
def test_picture_that_cannot_be_read_is_answered_in_words(page: Page, content: bytes, says: str) -> None:
    open_first_page(page)
    choose_digits(page)
    drop(page, content)
    expect(page.get_by_text(re.compile(says)).first).to_be_visible()
    # Nothing hangs: the next picture is read.
    drop(page, SEVEN.read_bytes())
    answered(page)


def test_picture_of_50_megapixels_is_refused_and_one_of_one_pixel_is_read(page: Page) -> None:
    open_first_page(page)
    choose_digits(page)
    buffer = io.BytesIO()
    Image.new("1", (10_000, 5_000)).save(buffer, "PNG")
    drop(page, buffer.getvalue())
    expect(page.get_by_text(re.compile("10,000 × 5,000 pixels")).first).to_be_visible()
    drop(page, noise("PNG", 1, 1))
    answered(page)


@pytest.mark.parametrize("context", [{"viewport": NARROW, "color_scheme": "dark"}], indirect=True)
def test_picture_stands_above_its_map_on_a_telephone(page: Page, site: RunningSite) -> None:
    page.goto("/")
    choose_digits(page)
    page.locator("#prompt-picture").set_input_files(SEVEN)
    expect(page.locator(".status")).to_have_text(FINISHED)
    expect(page.locator(".picture-words")).to_contain_text("class token looks at")
    picture, map_ = plot(page).bounding_box(), page.locator(".map-body").bounding_box()
    assert picture and map_ and picture["y"] + picture["height"] <= map_["y"] + 40
    assert picture["width"] <= 390 and page.evaluate("document.documentElement.scrollWidth") <= 390
    page.mouse.click(*centre(page, 3, 3))
    expect(page.locator(".picture-words")).to_contain_text("patch 4, 4 looks at")
