"""The four score functions of the paper's comparison: formulas, gradients, and that each of them learns."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from modelcore.config import AttentionSite, ModelConfig, StackConfig
from modelcore.layers.context import Context
from modelcore.models.build import build
from modelcore.presets import preset
from modelcore.training.loop import train
from modelcore.training.objectives import target_given_source
from modelcore.training.pairs import PairBatch
from modelcore.training.schedules import warmup_cosine
from tests.modelcore import by_hand
from tests.modelcore.by_hand import assert_equal, build_drawn

STACK = StackConfig(layers=1, heads=3, feedforward_width=20, head_width=5)
MODEL = ModelConfig(
    vocabulary=9,
    positions=32,
    width=12,
    encoder=STACK,
    decoder=STACK,
    position_encoding="none",
    start_token=0,
)


def additive(layer, head, q, k):
    """v · tanh(q_i + k_j), pair by pair: q and k are W₁ q and W₂ k. Bahdanau et al. 2014, A.1.2."""
    rows = []
    for i in range(q.shape[1]):
        pairs = [(torch.tanh(q[:, i] + k[:, j]) * layer.score_vector[head]).sum(-1) for j in range(k.shape[1])]
        rows.append(torch.stack(pairs, -1))
    return torch.stack(rows, 1)


SCORES = {
    "scaled_dot": lambda layer, head, q, k: (q[:, :, None] * k[:, None]).sum(-1) / layer.head_width**0.5,
    "dot": lambda layer, head, q, k: (q[:, :, None] * k[:, None]).sum(-1),
    "multiplicative": lambda layer, head, q, k: torch.einsum("bid,de,bje->bij", q, layer.score_matrix[head], k),
    "additive": additive,
}


@pytest.mark.parametrize("key_heads", [3, 1])
@pytest.mark.parametrize("site", MODEL.sites(), ids=str)
@pytest.mark.parametrize("name", SCORES)
def test_maps_outputs_and_gradients_are_the_formulas(name, site, key_heads):
    stack = replace(STACK, key_heads=key_heads)
    model = build_drawn(replace(MODEL, score=name, encoder=stack, decoder=stack))
    block = (model.encoder if site.stack == "encoder" else model.decoder).blocks[0]
    layer = block.cross_attention if site.kind == "cross" else block.self_attention
    generator = torch.Generator().manual_seed(1)
    x, memory, weight = (torch.randn(2, n, 12, generator=generator, dtype=torch.float64) for n in (6, 4, 6))
    x.requires_grad_()
    visible = by_hand.causal(6) if site == AttentionSite("decoder", "self", 0) else None
    maps = []
    ours = layer(x, Context(memory_BKW=memory, tap=maps.append))
    heads = by_hand.project(layer, x, memory if site.kind == "cross" else None)
    scores = [SCORES[name](layer, head, q, k) for head, (q, k, _) in enumerate(heads)]
    expected, expected_map = by_hand.attend(
        layer, x, memory if site.kind == "cross" else None, visible=visible, scores=scores
    )
    assert_equal(ours, expected)
    assert_equal(maps[0].tile().double(), expected_map, 1e-6)
    learned = [x, *layer.parameters()]
    found = torch.autograd.grad((ours * weight).sum(), learned)
    for gradient, truth in zip(found, torch.autograd.grad((expected * weight).sum(), learned), strict=True):
        assert_equal(gradient, truth, 1e-8)


@pytest.mark.parametrize("name", SCORES)
def test_scores_start_with_about_unit_size_whatever_the_width(name):
    """All but the plain dot product, whose variance grows with the width: Vaswani et al. 2017, footnote 4."""
    spread = {}
    for width in (16, 256):
        torch.manual_seed(0)
        config = replace(MODEL, score=name, encoder=StackConfig(1, 1, feedforward_width=8, head_width=width))
        layer = build(config).encoder.blocks[0].self_attention
        spread[width] = SCORES[name](layer, 0, *torch.randn(2, 1, 40, width)).std().item()
    if name == "dot":
        assert spread[256] == pytest.approx(4 * spread[16], rel=0.2)
    else:
        assert all(0.3 < value < 1.5 for value in spread.values())


def reversals(generator):
    """Endless batches of 5 symbols, each to be written backwards; 0 starts and 1 ends."""
    while True:
        source = torch.randint(2, 9, (32, 5), generator=generator)
        labels = torch.cat([source.flip(1), torch.ones(32, 1, dtype=torch.long)], dim=1)
        target = torch.cat([torch.zeros(32, 1, dtype=torch.long), labels[:, :-1]], dim=1)
        yield PairBatch(source, torch.full((32,), 5), target, labels)


@pytest.mark.parametrize("name", SCORES)
def test_every_score_function_learns_to_write_backwards(name):
    """By chance the loss is 1.62 nats: five of six tokens are one of seven symbols. The plain dot is the slowest."""
    torch.manual_seed(0)
    stack = StackConfig(layers=1, heads=2, feedforward_width=64)
    config = replace(preset("base"), vocabulary=9, positions=8, width=32, encoder=stack, decoder=stack, score=name)
    model = build(replace(config, dropout=0.0, embedding_scale=32**0.5))
    batches = reversals(torch.Generator().manual_seed(0))
    losses = [done.loss for done in train(model, batches, target_given_source, warmup_cosine(1e-2, 10, 160), 160)]
    assert losses[-1] < 0.5
    pairs, maps = next(batches), []
    model(pairs.source_BK, pairs.target_BQ, tap=maps.append)
    looked_at = maps[-1].tile().mean((0, 1))[:5].argmax(-1)
    assert looked_at.tolist() == [4, 3, 2, 1, 0]
