"""A person has the map show what its weights move, do for an output, and come to through the layers."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Page, expect
from transformers import GPT2LMHeadModel, ViTForImageClassification
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from tests.browser.conftest import NARROW
from tests.browser.test_figures import numbers, open_run, run_as_it_is, save
from tests.browser.test_images import DIGITS, SEVEN
from tests.running import HOUSE, RunningSite

pytestmark = pytest.mark.browser

PROSE = HOUSE / "modelcore" / "zoo" / "prose"
TEXT = "And Zubu said unto Kelar, and Zubu said unto"
LAYER, HEAD, ROW = 1, 0, 5
VIEW = f"?site=decoder.self.{LAYER}&head={HEAD}"


@pytest.fixture(scope="module")
def told(site: RunningSite) -> dict:
    return site.traced("prose", TEXT)


class Outside:
    """The same text read by transformers with eager attention."""

    def __init__(self, told: dict) -> None:
        self.model = GPT2LMHeadModel.from_pretrained(PROSE, attn_implementation="eager").eval()
        heads, width = self.model.config.n_head, self.model.config.n_embd
        self.size = width // heads
        attention = self.model.transformer.h[LAYER].attn
        seen: list[torch.Tensor] = []
        attention.c_attn.register_forward_hook(lambda _, __, out: seen.append(out[0, :, 2 * width :].detach()))
        self.output = self.model(torch.tensor([[token["id"] for token in told["tokens"]]]), output_attentions=True)
        self.own = slice(HEAD * self.size, (HEAD + 1) * self.size)
        self.norms = (seen[0][:, self.own] @ attention.c_proj.weight.detach()[self.own]).norm(dim=-1)
        self.maps = self.output.attentions

    def moved(self) -> torch.Tensor:
        return self.maps[LAYER][0, HEAD].detach() * self.norms

    def speaking(self, position: int, token: int) -> torch.Tensor:
        map_ = self.maps[LAYER]
        (gradient,) = torch.autograd.grad(self.output.logits[0, position, token], map_, retain_graph=True)
        return (map_ * gradient)[0, HEAD].detach()

    def rolled_out(self) -> torch.Tensor:
        result = torch.eye(self.maps[0].shape[-1])
        for map_ in self.maps[: LAYER + 1]:
            result = (map_[0].mean(0).detach() + torch.eye(len(result))) / 2 @ result
        return result


@pytest.fixture(scope="module")
def outside(told: dict) -> Outside:
    return Outside(told)


def choose(page: Page, reading: str) -> None:
    page.get_by_role("button", name="Shows").click()
    page.get_by_role("option", name=reading).click()
    page.mouse.move(2, 2)
    expect(page.locator(".badge")).to_have_text("exact")


def number_at(page: Page, col: int) -> tuple[float, str]:
    """What the map says at the kept row, walked to with the keys: the number, and what it is called."""
    page.locator(".map-body").focus()
    for _ in range(col):
        page.keyboard.press("ArrowRight")
    spoken = page.locator("body > [aria-live=polite]").inner_text()
    page.locator(".map-body").blur()
    number, _, name = spoken.split(": ")[-1].partition(" ")
    return float(number.replace("−", "-")), name


def test_map_says_what_each_weight_moves(page: Page, told: dict, outside: Outside) -> None:
    open_run(page, told["id"], f"{VIEW}&token=decoder.{ROW}")
    choose(page, "value-weighted")
    line = page.locator(".reading-line")
    expect(line).to_contain_text("‖A_ij v_j W_O‖ = A_ij ‖v_j W_O‖")
    expect(line).to_contain_text("Kobayashi et al. 2020")
    moved = outside.moved()[ROW]
    for col in (1, 3):
        number, name = number_at(page, col)
        assert name == "norm of what is moved" and number == pytest.approx(float(moved[col]), abs=6e-4)
    expect(page.locator(".tokens-caption")).to_contain_text("value-weighted")
    expect(page).to_have_url(re.compile("reading=value"))
    page.go_back()
    expect(line).to_be_hidden()


def test_gradient_is_for_the_likeliest_token_after_the_kept_one_or_for_a_chosen_one(
    page: Page, told: dict, outside: Outside
) -> None:
    open_run(page, told["id"], f"{VIEW}&reading=gradient&token=decoder.{ROW}")
    expect(page.locator(".badge")).to_have_text("exact")
    first, second = outside.output.logits[0, ROW].topk(2).indices.tolist()
    expect(page.locator(".reading-line")).to_contain_text(f"position {ROW}")
    largest = int(outside.speaking(ROW, first)[ROW, 1:].abs().argmax()) + 1
    for token in (first, second):
        if token == second:
            page.get_by_role("button", name="Output").click()
            with page.expect_response(re.compile(f"token={second}&|token={second}$")):
                page.locator(".reading-line [role=option]").nth(1).click()
            expect(page).to_have_url(re.compile(f"reading=gradient.{second}"))
            expect(page.locator(".badge")).to_have_text("exact")
        number, name = number_at(page, largest)
        assert name == "gradient × attention"
        assert number == pytest.approx(float(outside.speaking(ROW, token)[ROW, largest]), rel=0.01, abs=6e-4)
    expect(page.locator(".legend-ticks")).to_contain_text("−")


def test_rollout_is_of_the_layer_and_read_in_strip_and_table(page: Page, told: dict, outside: Outside) -> None:
    open_run(page, told["id"], f"{VIEW}&reading=rollout&token=decoder.{ROW}")
    expect(page.locator(".map-name")).to_have_text(f"L{LAYER}")
    expect(page.locator(".map-label")).to_have_text("all its heads together")
    row = outside.rolled_out()[ROW]
    most = int(row.argmax())
    expect(page.locator(".tokens-caption .links").first).to_contain_text(f"{row[most]:.2f}".lstrip("0"))
    expect(page.locator(".map-place table")).to_contain_text("share of the mixture")
    number, name = number_at(page, 2)
    assert name == "share of the mixture" and number == pytest.approx(float(row[2]), abs=1e-4)


def test_flow_is_shown_from_the_kept_token(page: Page, told: dict) -> None:
    open_run(page, told["id"], f"{VIEW}&reading=flow&token=decoder.{ROW}")
    expect(page.locator(".reading-line")).to_contain_text(f"position {ROW}; keep another token")
    number, name = number_at(page, 2)
    assert name == "largest flow" and 0 < number <= 1
    # The token's own residual stream carries half of it through each layer at the least.
    assert number_at(page, ROW)[0] >= 0.5 ** (LAYER + 1)


def test_class_token_is_rolled_out_over_the_picture(page: Page, site: RunningSite) -> None:
    picture = site.http.post("/api/v1/pictures", content=SEVEN.read_bytes()).json()["id"]
    told = site.traced("digits", picture=picture)
    open_run(page, told["id"], "?site=encoder.self.3&reading=rollout")
    expect(page.locator(".picture-words")).to_contain_text("class token: most from patch")
    found = re.search(
        r"patch (\d), (\d), (\.\d+); from all patches (\.\d+)", page.locator(".picture-words").inner_text()
    )
    assert found
    weights = site.http.get(f"/api/v1/runs/{told['id']}/maps/encoder.self.3/0?reading=rollout&rows=0:1").json()[
        "weights"
    ]
    row = rolled_out_seven()
    np.testing.assert_allclose(weights[0], row, atol=1e-4)
    patch = int(row[1:].argmax())
    assert (int(found[1]), int(found[2])) == (patch // 8 + 1, patch % 8 + 1)
    assert float(found[4]) == pytest.approx(row[1:].sum(), abs=0.006)


def rolled_out_seven() -> np.ndarray:
    """The class token's row by transformers, from the file to the last layer."""
    model = ViTForImageClassification.from_pretrained(DIGITS, attn_implementation="eager").eval()
    with Image.open(SEVEN) as opened, torch.no_grad():
        pixels = ViTImageProcessorPil.from_pretrained(DIGITS)(opened, return_tensors="pt")["pixel_values"]
        maps = model(pixels, output_attentions=True).attentions
    result = torch.eye(65)
    for map_ in maps:
        result = (map_[0].mean(0) + torch.eye(65)) / 2 @ result
    return result[0].numpy()


def test_cross_attention_says_that_it_has_no_rollout(page: Page, site: RunningSite) -> None:
    told = site.traced("numbers", "the fourteenth of july seventeen eighty-nine")
    page.goto(f"/runs/{told['id']}?site=decoder.cross.1&head=2&reading=rollout")
    expect(page.locator(".map-note")).to_contain_text("decoder.cross.1 is cross-attention. Choose another head.")


@pytest.mark.parametrize("drawing", ["map", "links"])
@pytest.mark.parametrize("reading", ["value", "gradient", "rollout", "flow"])
def test_figure_names_the_reading_and_its_script_makes_it_again(
    page: Page, told: dict, outside: Outside, tmp_path: Path, reading: str, drawing: str
) -> None:
    open_run(page, told["id"], f"{VIEW}&reading={reading}&as={drawing}&token=decoder.{ROW}")
    saved = save(page, "map", "npz", tmp_path)
    assert reading in saved.name
    weights = numbers(saved)["weights"]
    made = run_as_it_is(save(page, "map", "py", tmp_path))["weights"]
    np.testing.assert_allclose(made, weights, atol=2e-5)
    if reading == "value":
        np.testing.assert_allclose(weights, outside.moved(), atol=1e-4)
    title = {"value": "value-weighted", "gradient": "gradient × attention"}.get(reading, reading)
    assert title in save(page, "map", "svg", tmp_path).read_text()


@pytest.mark.parametrize("context", [{"viewport": NARROW}], indirect=True)
def test_reading_is_chosen_on_a_telephone_by_keys_alone(page: Page, told: dict) -> None:
    open_run(page, told["id"], VIEW)
    page.get_by_role("button", name="Shows").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".reading-line")).to_contain_text("A_ij · ∂logit/∂A_ij")
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    for part in (".reading-menu", ".reading-line .menu"):
        box = page.locator(part).bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= NARROW["width"]
