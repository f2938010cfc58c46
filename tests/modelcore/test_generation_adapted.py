"""Adapted models have no cache of ours: they read the whole text for each token, and write the outside's tokens."""

from __future__ import annotations

import pytest
import torch

from modelcore.generation.beams import BeamSearch, LengthPenalty, beam_search
from modelcore.generation.sampling import Sampling
from modelcore.generation.steps import generate
from modelcore.layers.edits import Edit
from tests.modelcore.shrunk_adapted import TEXT, open_saved, save

WRITTEN = 12


@pytest.mark.parametrize("name", ["Starcoder2", "GptOss", "Pegasus"])
def test_adapted_model_writes_the_outside_tokens(tmp_path, name):
    outside, model = save(name, tmp_path), open_saved(tmp_path).load()
    prompt, source = ([], TEXT[0].tolist()) if name == "Pegasus" else (TEXT[0].tolist(), None)
    choices: dict = {
        "do_sample": False,
        "max_new_tokens": WRITTEN,
        "eos_token_id": model.config.end_token,
        "forced_eos_token_id": None,
    }
    expected = outside.generate(TEXT, **choices)[0, -WRITTEN:].tolist()
    steps = list(generate(model, prompt, Sampling(max_tokens=WRITTEN), source=source, rows=True))
    assert [step.id for step in steps] == expected[: len(steps)]
    assert list(steps[0].rows) == [site for site in model.config.sites() if site.stack == "decoder"]
    for site, row in steps[-1].rows.items():
        keys = TEXT.shape[1] if site.kind == "cross" else steps[-1].place
        assert (row.first_key, row.probabilities_HK.shape[1]) == (0, keys)
    expected = outside.generate(TEXT, **choices, num_beams=3, length_penalty=1.0)[0].tolist()
    search = BeamSearch(3, LengthPenalty("power", 1.0), max_tokens=WRITTEN)
    best = beam_search(model, prompt, search, source=source).hypotheses[0]
    start = len(prompt) or 1
    assert list(best.ids) == expected[start : start + len(best.ids)]


def test_edits_reach_every_step(tmp_path):
    save("Starcoder2", tmp_path)
    model = open_saved(tmp_path).load()
    edits = {model.config.sites()[0]: Edit(torch.zeros(6))}
    written = [step.id for step in generate(model, TEXT[0].tolist(), Sampling(max_tokens=6), edits=edits)]
    text = TEXT
    for id_ in written:
        assert model(text, edits=edits)[0, -1].argmax() == id_
        text = torch.cat([text, torch.tensor([[id_]])], dim=1)
    assert written != [step.id for step in generate(model, TEXT[0].tolist(), Sampling(max_tokens=6))]
