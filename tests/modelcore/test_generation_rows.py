"""What each head looked at while a token was written: rows of the map that the finished text has."""

from __future__ import annotations

from dataclasses import replace

import torch

from modelcore.config import AttentionSite
from modelcore.generation.reader import CachedReader
from modelcore.generation.sampling import Sampling
from modelcore.generation.steps import generate
from modelcore.layers.attention_map import AttentionMap
from modelcore.layers.edits import EdgeSet, Edit
from tests.modelcore.small_decoders import DECODERS, PLAIN, ROTARY, STACK, build_peaked, draw_ids, windowed

MAP_ERROR = 2e-5  # absolute, float32
LOGIT_ERROR = 1e-4  # of the largest logit, float32


def test_rows_of_a_window_begin_where_it_does():
    model = build_peaked(DECODERS["windows"])
    steps = list(generate(model, draw_ids(9)[0].tolist(), Sampling(max_tokens=3), rows=True))
    sites = model.config.sites()
    for step, read in zip(steps, (9, 10, 11), strict=True):
        assert step.place == read
        for site in sites:
            row = step.rows[site]
            assert row.first_key + row.probabilities_HK.shape[1] == read
            assert torch.allclose(row.probabilities_HK.sum(-1), torch.ones(4), atol=1e-5)
    assert [steps[-1].rows[site].first_key for site in sites] == [11 - 5, 0, 11 - 1]


def test_cross_attention_reads_the_memory_once():
    config = replace(PLAIN, position_encoding="t5", encoder=replace(STACK, layers=2, heads=2), start_token=3)
    model, source = build_peaked(config), draw_ids(9)
    encoded = []
    hook = model.encoder.norm.register_forward_hook(lambda *_: encoded.append(1))
    steps = list(generate(model, [], Sampling(max_tokens=12), source=source[0].tolist(), rows=True))
    hook.remove()
    assert len(encoded) == 1
    target = torch.tensor([[3] + [step.id for step in steps]])
    whole: list[AttentionMap] = []
    with torch.inference_mode():
        logits = model(source, target[:, :-1], tap=whole.append)
    assert logits[0].argmax(-1).tolist() == target[0, 1:].tolist()
    for map_ in whole:
        if map_.site.stack == "decoder":
            for place, step in enumerate(steps):
                row = step.rows[map_.site].probabilities_HK
                expected = map_.tile(range(place, place + 1))[0, :, 0]
                assert (row - expected[:, : row.shape[1]]).abs().max() <= MAP_ERROR


def test_edits_act_in_every_step():
    model, ids = build_peaked(replace(ROTARY, decoder=windowed(5, None, 7))), draw_ids(14)
    gate, edges = torch.tensor([1.0, 0.0, 0.5, 1.0]), EdgeSet([9, 12, 13], [4, 8, 12], [0, 2], bias=-torch.inf)
    edits = {
        AttentionSite("decoder", "self", 0): Edit(gate),
        AttentionSite("decoder", "self", 1): Edit(gate, (edges, EdgeSet(keys=[2], scale=0.5))),
        AttentionSite("decoder", "self", 2): Edit(edges=(edges,)),
    }
    reader = CachedReader(model, edits=edits)
    with torch.inference_mode():
        for length in range(1, 15):
            logits, expected = reader.read(ids[:, length - 1 : length]), model(ids[:, :length], edits=edits)[:, -1]
            assert (logits - expected).abs().max() <= LOGIT_ERROR * expected.abs().max()
        assert (logits - model(ids)[:, -1]).abs().max() > 100 * LOGIT_ERROR * expected.abs().max()
