"""In the list of runs each has a small picture, by which it is known again."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from tests.workers.golden_frames import FOLDER, GOLDEN
from webapp.runs.thumbnail import thumbnail
from workers.protocol import frame
from workers.protocol.archive import StoredFrame
from workers.protocol.events import Site

REST = [[255, 0, 0], [250, 5, 0], [250, 0, 5]]
LOOK_BACK = [[255, 0, 0], [200, 40, 0], [4, 102, 0]]
LOOK_BACK_IN_SCALE = [[255, 0, 0], [255, 100, 0], [10, 255, 0]]


def told(*heads: list[list[int]], **changes: Any) -> StoredFrame:
    """A site whose measures are told by name, and are 0 where they are not."""
    site = next(event for event, _ in GOLDEN.values() if isinstance(event, Site))
    measured = {name: changes.pop(name, [0.0] * len(heads)) for name in ("induction", "previous_token", "entropy")}
    changes = {"kind": "self", "causal": True, "labels": [""] * len(heads), "measures": list(measured)} | changes
    site = replace(site, heads=len(heads), queries=3, keys=3, cell=1, seq=1, **changes)
    sure = {name: np.ones(len(heads), np.float32) for name in ("margin", "confidence")}
    arrays = {
        "overview": np.array(heads, np.uint8),
        "scale": np.ones(len(heads), np.float32),
        "measures": np.array(list(measured.values()), np.float32),
    }
    return StoredFrame(1, frame.encode(site, arrays | sure))


def picture(*frames: StoredFrame) -> list[list[int]]:
    """One pixel of each square that a cell is drawn as."""
    pixels = np.asarray(Image.open(io.BytesIO(thumbnail(frames))).convert("RGBA"))[..., 3]
    strengths: list[list[int]] = pixels[::16, ::16].tolist()
    return strengths


def test_it_shows_the_head_that_the_page_opens_with() -> None:
    """It was the surest head, which in most texts rests on the first token: all pictures were one line at the left."""
    assert picture(told(REST, LOOK_BACK, induction=[0.1, 0.7])) == LOOK_BACK_IN_SCALE
    assert picture(told(REST, induction=[0.1]), told(LOOK_BACK, induction=[0.7])) == LOOK_BACK_IN_SCALE
    assert picture(told(LOOK_BACK, REST, previous_token=[0.7, 0.1], causal=False)) == LOOK_BACK_IN_SCALE


def test_of_two_texts_it_shows_where_one_looks_at_the_other_and_the_first_token_counts() -> None:
    within = told(REST, induction=[0.9])
    between = told(REST, LOOK_BACK, kind="cross", causal=False, entropy=[2.0, 0.5])
    assert picture(within, between) == LOOK_BACK


def test_head_that_could_not_be_measured_is_not_the_most_telling() -> None:
    assert picture(told(REST, LOOK_BACK, induction=[float("nan"), 0.0])) == LOOK_BACK_IN_SCALE


def test_run_of_before_heads_were_labelled_has_a_picture_too() -> None:
    stored = (FOLDER / "site_unlabelled.frame").read_bytes()
    assert len(picture(StoredFrame(1, stored))) == 3
