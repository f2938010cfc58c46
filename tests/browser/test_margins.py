"""A person reads what lies along the map, and hears the kept row as a table; the numbers are the model's."""

from __future__ import annotations

import re

import pytest
import torch
from playwright.sync_api import Page, expect
from transformers import GPT2LMHeadModel

from tests.running import HOUSE, RunningSite

pytestmark = pytest.mark.browser

TEXT = "And Zubu said unto Kelar, and Zubu said unto Kelar, Arise, and let us go down."
ROW, LAYER, HEAD = 20, 1, 0


def eager(ids: list[int]) -> torch.Tensor:
    model = GPT2LMHeadModel.from_pretrained(HOUSE / "modelcore" / "zoo" / "prose", attn_implementation="eager").eval()
    with torch.no_grad():
        return model(torch.tensor([ids]), output_attentions=True).attentions[LAYER][0, HEAD].double()


def swept(page: Page, start: tuple[float, float], step: tuple[float, float], words: str) -> list[str]:
    """The lines of the tooltip at the first point from `start` on that says these words."""
    x, y = start
    for _ in range(400):
        x, y = x + step[0], y + step[1]
        page.mouse.move(x, y)
        lines = page.locator(".tooltip:not([hidden]) > div").all_inner_texts()
        if words in " ".join(lines):
            return lines
    raise AssertionError(f"nothing along the map says {words!r}")


def test_bars_along_the_map_tell_its_sums_and_entropies(page: Page, site: RunningSite) -> None:
    told = site.traced("prose", TEXT)
    map_QK = eager([token["id"] for token in told["tokens"]])
    page.goto(f"/runs/{told['id']}?site=decoder.self.{LAYER}&head={HEAD}")
    expect(page.get_by_text("exact", exact=True)).to_be_visible()
    box = page.locator(".map-body").bounding_box()
    assert box is not None
    centre_x, centre_y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    number, _, column = swept(page, (centre_x, centre_y), (0, -3), "receives")
    col = int(column.removeprefix("column "))
    assert float(number) == pytest.approx(float(map_QK[:, col].sum()), abs=6e-3)

    words, _, row_words = swept(page, (centre_x, centre_y), (3, 0), "entropy")
    entropy = -torch.xlogy(map_QK, map_QK).sum(-1)[int(row_words.removeprefix("row "))]
    shown = re.search(r"entropy ([\d.]+) nats", words)
    assert shown and float(shown[1]) == pytest.approx(float(entropy), abs=6e-3)


def test_kept_row_stands_in_a_table_for_those_who_hear_it(page: Page, site: RunningSite) -> None:
    told = site.traced("prose", TEXT)
    truth = eager([token["id"] for token in told["tokens"]])[ROW].topk(10)
    page.goto(f"/runs/{told['id']}?site=decoder.self.{LAYER}&head={HEAD}&token=decoder.{ROW}")
    table = page.get_by_role("table", name=re.compile(f"Row {ROW}, .* looks at"))
    expect(table.get_by_role("row")).to_have_count(11)
    positions = table.locator("tbody td:nth-child(2)").all_inner_texts()
    assert [int(position) for position in positions] == truth.indices.tolist()
    assert table.locator("xpath=..").get_attribute("aria-live") == "polite"
