"""What a viewer sees while a model writes is what transformers, eager, gives for the finished text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.road.test_maps_are_true import AGREE, ZOO, decoder_maps, ids
from tests.running import RunningSite
from workers.protocol.events import PromptRows, Step

PROMPT = "In the beginning God created the heaven and the earth. And"


def rows(event: Step, arrays: dict[str, Any]) -> dict[str, np.ndarray]:
    """Of each site, (heads, keys)."""
    values, found, start = np.asarray(arrays["rows"]) / 65_535, {}, 0
    for site, heads, keys in zip(event.sites, event.heads, event.keys, strict=True):
        found[site] = values[start : start + heads * keys].reshape(heads, keys)
        start += heads * keys
    return found


def watched(site: RunningSite, **asked: Any) -> tuple[list[tuple[Step, dict[str, np.ndarray]]], dict[str, Any]]:
    """The steps with their rows as they came over the socket, and the finished run as the API tells it."""
    run = site.submit("prose", kind="generate", **asked)
    steps = [(event, rows(event, arrays)) for event, arrays in site.frames(run) if isinstance(event, Step)]
    return steps, site.wait(run)


def test_rows_that_came_with_the_tokens_are_those_of_the_finished_text(site: RunningSite) -> None:
    steps, told = watched(site, text=PROMPT, generate={"max_tokens": 20})
    expected, logits = decoder_maps(ZOO / "prose", told)
    assert len(steps) == 20
    for event, found in steps:
        assert found.keys() == expected.keys()
        for place, row in found.items():
            np.testing.assert_allclose(row, expected[place][:, event.place - 1, : event.place], atol=AGREE)
        assert event.id == int(logits[event.place - 1].argmax())


def test_prompt_rows_are_true_and_come_after_the_first_token(site: RunningSite) -> None:
    run = site.submit("prose", PROMPT, kind="generate", generate={"max_tokens": 2})
    frames = list(site.frames(run))
    kinds = [event.type for event, _ in frames]
    assert kinds.index("step") < kinds.index("prompt_rows")
    expected, _ = decoder_maps(ZOO / "prose", site.wait(run))
    for event, arrays in frames:
        if isinstance(event, PromptRows):
            given = np.asarray(arrays["rows"]) / 65_535
            np.testing.assert_allclose(given, expected[event.site][:, : event.queries, : event.keys], atol=AGREE)


@pytest.mark.parametrize("asked", [{}, {"temperature": 1.0, "top_p": 0.95, "seed": 3}], ids=["greedy", "drawn"])
def test_branch_is_a_fresh_run_of_its_text(site: RunningSite, asked: dict[str, Any]) -> None:
    """Gone back to a token with another in its place: the same tokens and rows as when that text is given as it is."""
    steps, told = watched(site, text=PROMPT, generate={"max_tokens": 8, **asked})
    place = steps[4][0].place
    text = [*ids(told, "decoder")[0, :place].tolist(), 300]
    wanted = {"ids": text, "generate": {"max_tokens": 6, **asked}}
    branch, _ = watched(site, **wanted, parent=told["id"], branched_at=place)
    fresh, _ = watched(site, **wanted)
    assert [event.id for event, _ in branch] == [event.id for event, _ in fresh]
    for (_, one), (_, other) in zip(branch, fresh, strict=True):
        for name, row in one.items():
            np.testing.assert_allclose(row, other[name], atol=AGREE)


def test_run_stopped_while_it_writes_ends_for_its_viewer_at_once(site: RunningSite) -> None:
    run = site.submit("prose", "And God said", kind="generate", generate={"max_tokens": 2000})
    kinds = []
    for event, _ in site.frames(run):
        kinds.append(event.type)
        if kinds.count("step") == 3 and kinds[-1] == "step":
            assert site.http.post(f"/api/v1/runs/{run}/cancel").status_code == 200
    assert kinds[-1] == "cancelled" and kinds.count("step") < 2000
    # The worker is free again.
    assert site.traced("prose", "a")["state"] == "finished"


def test_text_that_reaches_the_last_position_ends_there_and_says_so(site: RunningSite) -> None:
    positions = next(m for m in site.http.get("/api/v1/models").json()["models"] if m["id"] == "prose")["positions"]
    steps, told = watched(site, ids=[5] * (positions - 2), generate={"max_tokens": 50, "stop_strings": ["xyzzy"]})
    assert [event.finished for event, _ in steps][-1] == "positions"
    assert len(told["tokens"]) == positions
