"""The original Transformer, taken at its word: Vaswani et al. 2017, sections 3 and 5.3."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from modelcore.config import AttentionSite, ModelConfig, StackConfig
from modelcore.layers.positional import sinusoids
from modelcore.models.build import build
from modelcore.presets import preset
from modelcore.training.schedules import noam
from tests.modelcore import by_hand
from tests.modelcore.by_hand import assert_equal, build_drawn

STACK = StackConfig(layers=2, heads=3, feedforward_width=20)
SMALL = {"vocabulary": 11, "positions": 16, "width": 12, "dropout": 0.0}
PAPER = replace(preset("base"), **SMALL, encoder=STACK, decoder=STACK, embedding_scale=12**0.5)
DECODER = ModelConfig(**SMALL, decoder=STACK, position_encoding="sinusoidal")
ENCODER = replace(DECODER, decoder=None, encoder=STACK)
SOURCE, TARGET = torch.tensor([[1, 4, 2, 9, 5, 3, 8]]), torch.tensor([[0, 7, 7, 2]])


def test_whole_model_is_the_papers_formulas():
    """Post-norm, LayerNorm(x + Sublayer(x)), after each of two and three sublayers; one matrix in and out."""
    model = build_drawn(PAPER)

    def embed(ids):
        return model.tokens.weight[ids] * 12**0.5 + sinusoids(ids.shape[1], 12).double()

    def norm(residual, x):
        return by_hand.layer_norm(x, residual.norm.weight, residual.norm.bias)

    memory = embed(SOURCE)
    for block in model.encoder.blocks:
        memory = norm(block.self_attention_residual, memory + by_hand.attend(block.self_attention, memory)[0])
        memory = norm(block.feedforward_residual, memory + by_hand.feed_forward(block, memory))
    x = embed(TARGET)
    for block in model.decoder.blocks:
        attended, _ = by_hand.attend(block.self_attention, x, visible=by_hand.causal(4))
        x = norm(block.self_attention_residual, x + attended)
        x = norm(block.cross_attention_residual, x + by_hand.attend(block.cross_attention, x, memory)[0])
        x = norm(block.feedforward_residual, x + by_hand.feed_forward(block, x))
    assert_equal(model(SOURCE, TARGET), x @ model.tokens.weight.T)


def test_sinusoids_are_the_papers_but_for_the_order_of_columns():
    """PE(pos, 2i) = sin(pos / 10000^(2i/d)) and PE(pos, 2i + 1) = cos of the same."""
    width = 12
    paper = torch.zeros(40, width, dtype=torch.float64)
    for position in range(40):
        for i in range(width // 2):
            angle = torch.tensor(position / 10000 ** (2 * i / width), dtype=torch.float64)
            paper[position, 2 * i], paper[position, 2 * i + 1] = angle.sin(), angle.cos()
    ours = sinusoids(40, width).double()
    assert_equal(ours, torch.cat([paper[:, 0::2], paper[:, 1::2]], dim=1), 1e-6)


def test_sinusoids_of_a_distance_are_one_turn_wherever_they_stand():
    """PE(pos + k) is a linear function of PE(pos), section 3.5: the products depend on the distance alone."""
    table = sinusoids(40, 12).double()
    products = table @ table.T
    for distance in (1, 7, 20):
        assert products.diagonal(distance).std() < 1e-6


def test_learning_rate_is_equation_3():
    rate = noam(512)
    assert rate(4000) == pytest.approx(512**-0.5 * 4000**-0.5)
    assert rate(4000) == pytest.approx(6.9877e-4, rel=1e-4)
    assert rate(1) == pytest.approx(rate(4000) / 4000)
    assert rate(2000) == pytest.approx(rate(4000) / 2)
    assert rate(16_000) == pytest.approx(rate(4000) / 2)
    assert max(range(1, 20_000), key=rate) == 4000
    assert noam(512, warmup=100, factor=2.0)(100) == pytest.approx(2 * 512**-0.5 / 10)


def test_weights_start_as_xavier_has_them():
    """Uniform within √(6 / (inputs + outputs)): Glorot and Bengio 2010, equation 16."""
    block = build(replace(PAPER, width=60, encoder=StackConfig(1, 3, 80))).encoder.blocks[0]
    for layer in (block.self_attention.query, block.feedforward.expand, block.feedforward.contract):
        bound = (6 / sum(layer.weight.shape)) ** 0.5
        assert 0.95 * bound < layer.weight.abs().max() <= bound
        assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)


def test_token_vectors_enter_with_about_unit_size():
    model = build(replace(PAPER, vocabulary=400, width=60, embedding_scale=60**0.5))
    assert model.tokens(torch.arange(400)).std().item() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("encoding", ["none", "sinusoidal"])
def test_without_positions_an_encoder_sees_a_set(encoding):
    """Permuted tokens permute outputs and maps; with positions they do neither."""
    model = build_drawn(replace(ENCODER, position_encoding=encoding))
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    maps, permuted_maps = [], []
    logits = model(SOURCE, tap=maps.append)
    permuted = model(SOURCE[:, order], tap=permuted_maps.append)
    last, last_permuted = maps[-1].tile(), permuted_maps[-1].tile()
    same = (permuted - logits[:, order]).abs().max() <= by_hand.EXACT
    same_map = (last_permuted - last[:, :, order][..., order]).abs().max() <= 1e-6
    assert [bool(same), bool(same_map)] == [encoding == "none"] * 2


def test_order_of_the_source_is_nothing_to_a_decoder_without_positions():
    model = build_drawn(replace(PAPER, position_encoding="none"))
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    assert_equal(model(SOURCE[:, order], TARGET), model(SOURCE, TARGET))


@pytest.mark.parametrize(
    "config", [DECODER, replace(DECODER, norm_placement="post"), PAPER], ids=["pre", "post", "both"]
)
def test_later_token_changes_nothing_before_it(config):
    model = build_drawn(config)
    sources = [SOURCE] if config.encoder else []
    changed = TARGET.clone()
    changed[0, 2] = 5
    before, after = model(*sources, TARGET), model(*sources, changed)
    assert torch.equal(before[:, :2], after[:, :2])
    assert (before[:, 2:] - after[:, 2:]).abs().amax(-1).min() > 1e-3


def test_every_decoder_token_sees_the_whole_source():
    model = build_drawn(PAPER)
    changed = SOURCE.clone()
    changed[0, -1] = 1
    assert (model(SOURCE, TARGET) - model(changed, TARGET)).abs().amax(-1).min() > 1e-3


def test_maps_of_all_three_kinds_sum_to_one_and_hide_what_is_later():
    maps = []
    build_drawn(PAPER)(SOURCE, TARGET, tap=maps.append)
    by_site = {map_.site: map_.tile() for map_ in maps}
    assert list(by_site) == PAPER.sites()
    for site, map_BHQK in by_site.items():
        queries, keys = (
            (7 if site.stack == "encoder" else 4),
            (4 if site == AttentionSite("decoder", "self", site.layer) else 7),
        )
        assert map_BHQK.shape == (1, 3, queries, keys)
        assert torch.allclose(map_BHQK.sum(-1), torch.ones(1, 3, queries), atol=1e-6)
        assert (map_BHQK.triu(1).count_nonzero() == 0) == (site.stack == "decoder" and site.kind == "self")


def test_dropout_is_of_embeddings_and_sublayers_and_only_in_training():
    """5.4: at a rate near 1 a post-norm block in training leaves nothing but its normalisations."""
    config = replace(ENCODER, norm_placement="post", final_norm=False)
    model = build_drawn(replace(config, dropout=1 - 1e-12))
    assert torch.equal(model(SOURCE), build_drawn(config)(SOURCE))
    model.train()
    x = torch.zeros(1, 7, 12, dtype=torch.float64)
    for block in model.encoder.blocks:
        for norm in (block.self_attention_residual.norm, block.feedforward_residual.norm):
            x = by_hand.layer_norm(x, norm.weight, norm.bias)
    assert_equal(model(SOURCE), x @ model.tokens.weight.T)
