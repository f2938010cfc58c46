"""Our Transformer against the outside implementation, eager and in float32, on shrunk random models."""

from __future__ import annotations

import pytest
import torch

from modelcore.checkpoints.reader import open_checkpoint
from modelcore.layers.attention_map import AttentionMap
from modelcore.layers.positional import sinusoids
from tests.modelcore.shrunk import save_gpt2, save_marian

MAP_ERROR = 2e-5  # absolute, float32
LOGIT_ERROR = 1e-4  # of the largest logit, float32


@pytest.mark.parametrize("changes", [{}, {"n_head": 4, "n_inner": 50, "activation_function": "relu"}])
@pytest.mark.parametrize("tokens", [1, 31, 65])
def test_gpt2_has_the_same_maps_and_logits(tmp_path, changes, tokens):
    outside = save_gpt2(tmp_path, **changes)
    model = open_checkpoint(tmp_path).load()
    ids = torch.randint(0, 83, (1, tokens))
    maps: list[AttentionMap] = []
    with torch.inference_mode():
        expected = outside(ids, output_attentions=True)
        logits = model(ids, tap=maps.append)
    assert [str(map_.site) for map_ in maps] == [f"decoder.self.{layer}" for layer in range(3)]
    _assert_same_logits(logits, expected.logits)
    for map_, attention in zip(maps, expected.attentions, strict=True):
        _assert_same_map(map_, attention)


@pytest.mark.parametrize("changes", [{}, {"activation_function": "swish", "scale_embedding": False, "d_model": 30}])
@pytest.mark.parametrize(("source", "target"), [(1, 1), (17, 6), (5, 40)])
def test_marian_has_the_same_maps_and_logits(tmp_path, changes, source, target):
    outside = save_marian(tmp_path, **changes)
    model = open_checkpoint(tmp_path).load()
    source_ids, target_ids = torch.randint(0, 70, (1, source)), torch.randint(0, 70, (1, target))
    maps: list[AttentionMap] = []
    with torch.inference_mode():
        expected = outside(source_ids, decoder_input_ids=target_ids, output_attentions=True)
        logits = model(source_ids, target_ids, tap=maps.append)
    _assert_same_logits(logits, expected.logits)
    attentions = {"encoder.self": expected.encoder_attentions, "decoder.self": expected.decoder_attentions}
    attentions["decoder.cross"] = expected.cross_attentions
    assert [map_.site for map_ in maps] == model.config.sites()
    for map_ in maps:
        _assert_same_map(map_, attentions[f"{map_.site.stack}.{map_.site.kind}"][map_.site.layer])


def test_padded_sources_equal_single_ones(tmp_path):
    save_marian(tmp_path)
    model = open_checkpoint(tmp_path).load()
    long, short, target = torch.randint(0, 70, (1, 9)), torch.randint(0, 70, (1, 4)), torch.randint(0, 70, (1, 5))
    padded = torch.cat([short, torch.full((1, 5), 70)], dim=1)
    with torch.inference_mode():
        alone = [model(source, target) for source in (long, short)]
        together = model(torch.cat([long, padded]), target.expand(2, -1), source_lengths_B=torch.tensor([9, 4]))
    assert torch.allclose(together, torch.cat(alone), atol=LOGIT_ERROR * together.abs().max().item())


def test_nothing_is_captured_without_a_tap(tmp_path):
    save_gpt2(tmp_path)
    model = open_checkpoint(tmp_path).load()
    ids = torch.randint(0, 83, (1, 8))
    with torch.inference_mode():
        assert torch.equal(model(ids), model(ids, tap=lambda map_: None))


def test_sinusoids_have_the_papers_values():
    """Position 0 is all sine 0 and cosine 1; the slowest pair turns by 10000^-(1 - 2/width) a position."""
    table = sinusoids(50, 8)
    assert table[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    angles = torch.tensor([7 / 10000 ** (2 * i / 8) for i in range(4)], dtype=torch.float64)
    assert torch.allclose(table[7].double(), torch.cat([angles.sin(), angles.cos()]), atol=1e-6)


def _assert_same_logits(logits, expected):
    assert (logits - expected).abs().max() <= LOGIT_ERROR * expected.abs().max()


def _assert_same_map(map_, attention):
    tile = map_.tile()
    assert tile.shape == attention.shape
    assert (tile - attention).abs().max() <= MAP_ERROR
