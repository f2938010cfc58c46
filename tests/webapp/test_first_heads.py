"""The page of a share brings all heads in little, coloured as the live ones will be."""

from __future__ import annotations

import base64
import html
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.test import Client

from tests.webapp.test_share_run import finished, shared
from tests.workers.golden_frames import GOLDEN
from webapp.runs.models import Run
from webapp.shares import first_heads
from webapp.shares.models import ShareLink
from workers.protocol import frame
from workers.protocol.archive import StoredFrame
from workers.protocol.events import Site, Tokens

__all__ = ["finished"]


def told(overview: np.ndarray[Any, Any], scale: list[float], special: list[bool], **changes: Any) -> list[StoredFrame]:
    """A run of one site."""
    tokens = next(event for event, _ in GOLDEN.values() if isinstance(event, Tokens))
    site = next(event for event, _ in GOLDEN.values() if isinstance(event, Site))
    heads, rows, cols = overview.shape
    sized = {
        "queries": rows * changes.get("cell", 1),
        "keys": cols * changes.get("cell", 1),
        "heads": heads,
        "labels": [],
    }
    site = replace(site, stack="decoder", kind="self", causal=True, **{**sized, **changes})
    tokens = replace(tokens, sequence="decoder", texts=["a"] * len(special), special=special)
    ids = np.zeros(len(special), np.int32)
    arrays = {"ids": ids, "offsets": np.zeros((len(special), 2), np.int32)}
    measures = np.zeros((len(site.measures), heads), np.float32)
    sure = {name: np.zeros(heads, np.float32) for name in ("margin", "confidence")}
    kept = {"overview": overview.astype(np.uint8), "scale": np.array(scale, np.float32), "measures": measures} | sure
    frames = [frame.encode(replace(tokens, seq=1), arrays), frame.encode(replace(site, seq=2), kept)]
    return [StoredFrame(seq, each) for seq, each in enumerate(frames, 1)]


def strengths(found: dict[str, Any]) -> np.ndarray[Any, Any]:
    site = found["sites"][0]
    values = np.frombuffer(base64.b64decode(found["strengths"]), np.uint8)
    return values.reshape(site["heads"], site["rows"], site["cols"])


def test_page_of_a_share_brings_its_heads(client: Client, finished: Run) -> None:
    slug = shared(client, finished)["slug"]
    page = client.get(f"/s/{slug}").content.decode()
    found = re.search(r'data-first-heads="([^"]*)"', page)
    assert found
    heads = json.loads(html.unescape(found[1]))
    folder = ShareLink.objects.get(slug=slug).folder
    assert heads == json.loads(first_heads.read(folder))
    assert [site["site"] for site in heads["sites"]] == ["decoder.self.0"]
    assert strengths(heads).any()


def test_share_made_before_there_were_first_heads_opens_without(client: Client, finished: Run) -> None:
    slug = shared(client, finished)["slug"]
    (Path(ShareLink.objects.get(slug=slug).folder) / first_heads.NAME).unlink()
    answer = client.get(f"/s/{slug}")
    assert answer.status_code == 200
    assert b'data-first-heads=""' in answer.content


def test_first_token_and_special_ones_do_not_count_for_the_colours() -> None:
    """Column 0 holds the most, column 2 is special: what is left, 50, takes the last colour."""
    overview = np.array([[[255, 0, 0, 0], [200, 50, 0, 0], [90, 25, 180, 10], [90, 25, 180, 50]]])
    found = strengths(first_heads.first_heads(told(overview, [0.5], [False, False, True, False])))
    assert found[0].tolist() == [[255, 0, 0, 0], [255, 255, 0, 0], [255, 128, 255, 51], [255, 128, 255, 255]]


def test_head_that_looks_at_its_first_token_alone_is_drawn_by_the_whole_scale() -> None:
    overview = np.array([[[255, 0], [255, 0]]])
    found = strengths(first_heads.first_heads(told(overview, [1.0], [False, False])))
    assert found[0].tolist() == [[255, 0], [255, 0]]


def test_of_many_heads_the_largest_of_each_few_cells_is_told() -> None:
    generator = np.random.default_rng(0)
    overview = generator.integers(0, 255, (100, 41, 41))
    found = first_heads.first_heads(told(overview, [1.0] * 100, [False] * 328, cell=8))
    (site,) = found["sites"]
    assert (site["rows"], site["cols"], site["cell"], site["reach"]) == (21, 21, 16, 0)
    pooled = strengths(found)
    assert pooled.size <= first_heads.MOST_BYTES
    counted = overview[7, :, 1:].max()
    assert pooled[7, 3, 4] == min(255, round(int(overview[7, 6:8, 8:10].max()) * 255 / counted))
    assert pooled[7, 20, 20] == min(255, round(int(overview[7, 40, 40]) * 255 / counted))


@pytest.mark.parametrize("frames", [[], told(np.zeros((1, 3, 3)), [0.0], [False] * 3)])
def test_run_that_told_no_weight_gives_none(frames: list[StoredFrame]) -> None:
    assert not base64.b64decode(first_heads.first_heads(frames)["strengths"]).strip(b"\0")
