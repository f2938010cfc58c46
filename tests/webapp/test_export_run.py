"""Somebody saves a run as a page that works offline, or as a notebook that makes it again."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Any

import nbformat
import numpy as np
import pytest
from django.test import Client

from tests.webapp.conftest import store
from tests.workers.golden_frames import GOLDEN
from webapp.exports.page import page
from webapp.runs.models import Run
from workers.protocol import frame
from workers.protocol.archive import StoredFrame
from workers.protocol.events import Site, Tokens

pytestmark = pytest.mark.django_db


@pytest.fixture
def ended(run: Run) -> Run:
    store(run, "started", "tokens", "site", "probabilities", "finished")
    return run


def read(run: Run, kind: str, **query: Any) -> Any:
    return Client().get(f"/api/v1/runs/{run.id}/{kind}", query)


@pytest.mark.parametrize("kind", ["page", "notebook"])
def test_file_is_handed_over_and_runs_nothing_here(ended: Run, kind: str) -> None:
    answer = read(ended, kind)
    assert answer["Content-Disposition"].startswith("attachment; filename=")
    assert (answer["Content-Security-Policy"], answer["X-Content-Type-Options"]) == ("sandbox", "nosniff")


@pytest.mark.parametrize("kind", ["page", "notebook"])
def test_run_under_way_cannot_be_saved_yet(run: Run, kind: str) -> None:
    store(run, "started", "tokens")
    answer = read(run, kind)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_finished")


def test_page_asks_nobody_for_anything(ended: Run) -> None:
    text = read(ended, "page").content.decode()
    assert "default-src 'none'" in text
    assert "src=" not in text.replace("-src", "") and "@import" not in text and "fetch(" not in text


def test_text_ends_no_script_of_the_page() -> None:
    event, arrays = GOLDEN["tokens"]
    assert isinstance(event, Tokens)
    hostile = "</script><script>alert(1)</script><!--"
    frames = [frame.encode(replace(event, texts=[hostile] * 3), arrays), frame.encode(*GOLDEN["site"])]
    text = page(hostile, [StoredFrame(1, each) for each in frames], "/")
    assert "<script>alert" not in text and text.count("</script>") == 2


def test_144_heads_of_64_tokens_take_less_than_two_megabytes() -> None:
    event, _ = GOLDEN["site"]
    assert isinstance(event, Site)
    noise = np.random.default_rng(0)
    frames = []
    for layer in range(12):
        site = replace(event, site=f"decoder.self.{layer}", layer=layer, heads=12, queries=64, keys=64, labels=[])
        arrays = {
            "overview": noise.integers(0, 256, (12, 64, 64), dtype=np.uint8),
            "scale": np.ones(12, np.float32),
            "measures": np.ones((3, 12), np.float32),
            "margin": np.ones(12, np.float32),
            "confidence": np.ones(12, np.float32),
        }
        frames.append(StoredFrame(layer + 1, frame.encode(site, arrays)))
    assert len(page("Run", frames, "/").encode()) < 2_000_000


@pytest.mark.parametrize("text", ["So it goes.", "'''\n\"\"\"; import os  # <b>"])
def test_notebook_is_valid_and_takes_the_text_as_it_is(ended: Run, text: str) -> None:
    Run.objects.filter(pk=ended.pk).update(text=text)
    made = nbformat.reads(read(ended, "notebook", site="decoder.self.0", head=1).content.decode(), as_version=4)
    nbformat.validate(made)
    code = [cell.source for cell in made.cells if cell.cell_type == "code"]
    calls = [node for each in code for node in ast.walk(ast.parse(each.rstrip(";"))) if isinstance(node, ast.Call)]
    (trace,) = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "trace"]
    assert {word.arg: ast.literal_eval(word.value) for word in trace.keywords} == {"text": text}
    assert "layer, head = 'decoder.self.0', 1" in code[2]


def test_notebook_of_an_unknown_head_is_refused(ended: Run) -> None:
    assert read(ended, "notebook", head=2).json()["error"]["code"] == "unknown_head"
