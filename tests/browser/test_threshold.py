"""A person leaves out what is weak in a text too long for whole rows, and what stays is what holds the share."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Page, Route, expect
from transformers import GPT2LMHeadModel

from tests.browser.conftest import NARROW
from tests.browser.test_explore import answered, drawn
from tests.browser.test_figures import save
from tests.browser.test_links import NO_WEBGL
from tests.running import HOUSE, RunningSite

pytestmark = pytest.mark.browser

PROSE = HOUSE / "modelcore" / "zoo" / "prose"
POSITIONS = 1024
TEXT = " ".join(
    f"And {one} said unto {other}, Arise, and let us go down to the sea."
    for one, other in [("Zubu", "Kelar"), ("Mary", "John"), ("Kelar", "Zubu")] * 10
)
LAYER, HEAD, MASS = 1, 0, 0.5
# As in the view's address: the map's first row and column in sight, and pixels a weight.
WEIGHT_PX = 12
CLOSE = f"at=400_100_{WEIGHT_PX}"
COUNT_UPLOADS = """
  window.uploads = {tiles: 0, floors: 0};
  const {texImage3D, texImage2D} = WebGL2RenderingContext.prototype;
  WebGL2RenderingContext.prototype.texImage3D = function (...given) {
    uploads.tiles++;
    return texImage3D.apply(this, given);
  };
  WebGL2RenderingContext.prototype.texImage2D = function (...given) {
    if (given[2] === this.R32F) uploads.floors += given[3];
    return texImage2D.apply(this, given);
  };
"""


@pytest.fixture(scope="module")
def long_prose(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zoo's prose for longer texts: its positions begin again after each 256."""
    model = GPT2LMHeadModel.from_pretrained(PROSE)
    table = model.transformer.wpe
    times = POSITIONS // table.num_embeddings
    model.transformer.wpe = torch.nn.Embedding.from_pretrained(table.weight.detach().repeat(times, 1))
    model.config.n_positions = POSITIONS
    folder = tmp_path_factory.mktemp("models") / "long-prose"
    model.save_pretrained(folder)
    shutil.copy(PROSE / "tokenizer.json", folder)
    return folder


@pytest.fixture(scope="module")
def told(site: RunningSite, long_prose: Path) -> dict:
    site.add_model(long_prose)
    found = site.traced("long-prose", TEXT)
    assert 560 < len(found["tokens"]) < 700
    return found


@pytest.fixture(scope="module")
def map_QK(told: dict, long_prose: Path) -> torch.Tensor:
    model = GPT2LMHeadModel.from_pretrained(long_prose, attn_implementation="eager").eval()
    with torch.no_grad():
        read = model(torch.tensor([[token["id"] for token in told["tokens"]]]), output_attentions=True)
    return read.attentions[LAYER][0, HEAD].double()


def open_map(page: Page, told: dict, query: str = "") -> None:
    page.goto(f"/runs/{told['id']}?site=decoder.self.{LAYER}&head={HEAD}&{query}")
    answered(page)


def choose(page: Page, share: str) -> None:
    page.get_by_role("button", name="Threshold").click()
    page.get_by_role("option", name=share).click()
    page.mouse.move(2, 2)


def floors_of(map_QK: torch.Tensor) -> torch.Tensor:
    """The weakest of the fewest weights of each row that hold the share, in float64."""
    falling_QK = map_QK.sort(-1, descending=True).values
    needed_Q = (falling_QK.cumsum(-1) < MASS * map_QK.sum(-1, keepdim=True)).sum(-1)
    return falling_QK.gather(-1, needed_Q[:, None])[:, 0]


def test_hover_says_of_each_weight_whether_it_is_among_the_strongest_of_its_row(
    page: Page, told: dict, map_QK: torch.Tensor
) -> None:
    floors_Q = floors_of(map_QK)
    open_map(page, told, f"mass={MASS}&{CLOSE}")
    expect(page.get_by_text("exact", exact=True)).to_be_visible()
    expect(page.locator(".map-note")).to_be_empty()
    box = page.locator(".map-body").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    row, col, _ = pointed(page, x, y)
    near = [(r, c) for r in range(row - 8, row + 9) for c in range(col - 12, col + 13)]
    kept = [(r, c) for r, c in near if map_QK[r, c] > 1.01 * floors_Q[r]]
    left_out = [(r, c) for r, c in near if map_QK[r, c] < 0.99 * floors_Q[r]]
    assert len(kept) > 5
    for r, c in [*kept[::4], *left_out[::40]]:
        found = pointed(page, x + (c - col) * WEIGHT_PX, y + (r - row) * WEIGHT_PX)
        word = "kept by" if (r, c) in kept else "below"
        assert found[:2] == (r, c) and found[2].endswith(f", {word} the threshold"), found


def steady(page: Page) -> int:
    """How many colours the map has once all that belongs to it has come, its totals too."""
    before, now = -1, drawn(page, ".map-body")
    while now != before:
        page.wait_for_timeout(500)
        before, now = now, drawn(page, ".map-body")
    return now


def pointed(page: Page, x: float, y: float) -> tuple[int, int, str]:
    """Row and column under the pointer, and what is said of the weight."""
    page.mouse.move(x, y)
    lines = page.locator(".tooltip:not([hidden]) > div").all_inner_texts()
    place = re.fullmatch(r"row (\d+), column (\d+)", lines[-1])
    assert place, lines
    return int(place[1]), int(place[2]), lines[0]


def test_threshold_changes_the_picture_and_sends_no_tile_to_the_graphics_card_again(page: Page, told: dict) -> None:
    page.add_init_script(COUNT_UPLOADS)
    open_map(page, told, CLOSE)
    expect(page.get_by_text("exact", exact=True)).to_be_visible()
    page.mouse.move(2, 2)
    colours, tiles = steady(page), page.evaluate("uploads.tiles")
    choose(page, "strongest 50 %")
    expect(page.locator(".map-note")).to_be_empty()
    page.wait_for_function("() => uploads.floors > 0")
    assert drawn(page, ".map-body") < colours
    assert page.evaluate("uploads") == {"tiles": tiles, "floors": page.evaluate("uploads.floors")}
    assert page.evaluate("uploads.floors") <= 2 * len(told["tokens"])
    choose(page, "every weight")
    assert drawn(page, ".map-body") == colours
    assert page.evaluate("uploads.tiles") == tiles


def test_threshold_acts_without_webgl_too(page: Page, told: dict) -> None:
    page.add_init_script(NO_WEBGL)
    open_map(page, told, CLOSE)
    expect(page.get_by_text("exact", exact=True)).to_be_visible()
    page.mouse.move(2, 2)
    colours = steady(page)
    choose(page, "strongest 50 %")
    expect(page.locator(".map-note")).to_be_empty()
    assert drawn(page, ".map-body") < colours


def test_map_stays_while_its_threshold_is_on_its_way_and_says_so(page: Page, told: dict) -> None:
    held: list[Route] = []
    page.route("**/floors*", lambda route: held.append(route))
    open_map(page, told, CLOSE)
    expect(page.get_by_text("exact", exact=True)).to_be_visible()
    page.mouse.move(2, 2)
    colours = steady(page)
    choose(page, "strongest 80 %")
    expect(page.locator(".map-note")).to_have_text(re.compile("is being worked out"))
    assert drawn(page, ".map-body") == colours
    # It lets go of what it holds.
    page.unroute("**/floors*")
    expect(page.locator(".map-note")).to_be_empty()


@pytest.mark.parametrize("context", [{"viewport": NARROW}], indirect=True)
def test_pooled_map_says_what_a_cell_that_stays_means(page: Page, told: dict) -> None:
    open_map(page, told)
    expect(page.locator(".badge")).to_have_text("max of 2 × 2")
    before = drawn(page, ".map-body")
    choose(page, "strongest 50 %")
    expect(page.locator(".map-note")).to_have_text("Pooled: a cell stays where one of its weights may be kept.")
    assert drawn(page, ".map-body") != before


def test_figure_of_a_part_of_long_rows_leaves_out_what_the_page_does(page: Page, told: dict, tmp_path: Path) -> None:
    images = []
    for query in (CLOSE, f"{CLOSE}&mass={MASS}"):
        open_map(page, told, query)
        expect(page.get_by_text("exact", exact=True)).to_be_visible()
        figure = save(page, "map", "svg", tmp_path).read_text()
        images.append(re.findall(r"<image[^>]*>", figure))
    assert images[0] and images[0] != images[1]
    assert "of each row the strongest weights that hold .50" in figure


def test_lines_to_a_kept_token_obey_the_threshold_of_their_rows(page: Page, told: dict, map_QK: torch.Tensor) -> None:
    """A column is cut out of rows that are not here: their floors come from the worker."""
    kept_QK = map_QK.where(map_QK >= floors_of(map_QK)[:, None] * (1 - 1e-3), 0)
    in_sight = range(1, 20)
    col = max(
        in_sight, key=lambda at: sorted(named(map_QK, at)) != sorted(named(kept_QK, at)) and len(named(kept_QK, at))
    )
    assert named(map_QK, col) != named(kept_QK, col)
    open_map(page, told, f"as=links&mass={MASS}")
    expect(page.get_by_text("exact", exact=True)).to_be_visible()
    box = page.locator(".links-stage").bounding_box()
    assert box is not None
    heading, links = page.locator(".links-words p").first, page.locator(".links-words p").nth(1)
    for y in range(0, int(box["height"]), 5):
        page.mouse.move(box["x"] + box["width"] * 0.88, box["y"] + y)
        if page.locator(".links-words p", has_text=f"position {col}, is looked at by").count():
            break
    page.mouse.down()
    page.mouse.up()
    expect(heading).to_contain_text(f"position {col}, is looked at by")
    expect(links).not_to_contain_text("on its way")
    expect(page.locator(".map-note")).to_be_empty()
    assert [int(row) for row in re.findall(r" (\d+) (?:\.\d+|1\.00)", links.inner_text())] == named(kept_QK, col)


def named(map_QK: torch.Tensor, col: int) -> list[int]:
    """The rows whose links to this key the page names: the strongest five that are worth it."""
    weights, rows = map_QK[:, col].topk(5)
    return [int(row) for weight, row in zip(weights, rows, strict=True) if weight >= 0.01]
