"""What a model is stacked from, between its tokens or patches and its scores: formulas in float64."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from modelcore.config import HeadConfig, ImageConfig, ModelConfig, StackConfig
from modelcore.layers.activation import ACTIVATIONS
from modelcore.layers.context import Context
from modelcore.layers.norm import build_norm
from tests.modelcore import by_hand
from tests.modelcore.by_hand import assert_equal, build_drawn

CONFIG = ModelConfig(
    vocabulary=9,
    positions=8,
    width=12,
    encoder=StackConfig(layers=1, heads=3, feedforward_width=20),
    position_encoding="none",
    activation="relu",
)


def drawn(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


FORMULAS = {
    "gelu": lambda x: x * (1 + torch.special.erf(x / 2**0.5)) / 2,
    "gelu_tanh": lambda x: x / 2 * (1 + torch.tanh((2 / math.pi) ** 0.5 * (x + 0.044715 * x**3))),
    "quick_gelu": lambda x: x / (1 + torch.exp(-1.702 * x)),
    "relu": lambda x: (x + x.abs()) / 2,
    "silu": lambda x: x / (1 + torch.exp(-x)),
    "tanh": lambda x: (torch.exp(2 * x) - 1) / (torch.exp(2 * x) + 1),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("gated", [False, True])
def test_feed_forward_is_its_formula_with_every_activation_gated_or_not(name, gated):
    block = build_drawn(replace(CONFIG, activation=name, gated=gated)).encoder.blocks[0]
    x, layer = drawn(2, 5, 12), block.feedforward
    inner = by_hand.linear(layer.expand, x)
    inner = FORMULAS[name](by_hand.linear(layer.gate, x)) * inner if gated else FORMULAS[name](inner)
    assert_equal(layer(x), by_hand.linear(layer.contract, inner))


@pytest.mark.parametrize("kind", ["layer", "rms"])
@pytest.mark.parametrize("unit_offset", [False, True])
@pytest.mark.parametrize(("has_weight", "has_bias"), [(True, True), (True, False), (False, False)])
def test_normalisation_is_its_formula(kind, unit_offset, has_weight, has_bias):
    """LayerNorm did not know of `norm_unit_offset` and multiplied by the stored weight alone."""
    config = replace(CONFIG, norm=kind, norm_weight=has_weight, norm_bias=has_bias, norm_unit_offset=unit_offset)
    norm, x = build_norm(config).double(), 3 * drawn(4, 12) + 1
    assert [name for name, _ in norm.named_parameters()] == ["weight", "bias"][
        : has_weight + (has_bias and kind == "layer")
    ]
    centred = x - x.mean(-1, keepdim=True) if kind == "layer" else x
    normed = centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + 1e-5)
    assert_equal(norm(x), normed)
    with torch.no_grad():
        for seed, weight in enumerate(norm.parameters()):
            weight.copy_(drawn(12, seed=seed))
    if has_weight:
        normed = normed * (norm.weight + unit_offset)
    if has_bias and kind == "layer":
        normed = normed + norm.bias
    assert_equal(norm(x), normed)


def test_half_precision_is_normalised_in_single():
    """The squares of 300 leave float16's range."""
    norm = build_norm(replace(CONFIG, norm="rms")).half()
    assert torch.allclose(norm(torch.full((1, 12), 300.0, dtype=torch.float16)).float(), torch.ones(1, 12), atol=1e-3)


PLACEMENTS = {
    "pre": lambda x, sublayer, norm, _: x + sublayer(norm(x)),
    "post": lambda x, sublayer, norm, _: norm(x + sublayer(x)),
    "sandwich": lambda x, sublayer, norm, output_norm: x + output_norm(sublayer(norm(x))),
    "output": lambda x, sublayer, _, output_norm: x + output_norm(sublayer(x)),
}


def norm_of(layer):
    return lambda x: by_hand.layer_norm(x, layer.weight, layer.bias)


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_block_normalises_where_its_placement_says(placement):
    block, x = build_drawn(replace(CONFIG, norm_placement=placement)).encoder.blocks[0], drawn(2, 5, 12)
    expected = x
    for residual, sublayer in (
        (block.self_attention_residual, lambda x: by_hand.attend(block.self_attention, x)[0]),
        (block.feedforward_residual, lambda x: by_hand.feed_forward(block, x)),
    ):
        expected = PLACEMENTS[placement](expected, sublayer, norm_of(residual.norm), norm_of(residual.output_norm))
    assert_equal(block(x, Context()), expected)


@pytest.mark.parametrize("shared", [False, True])
def test_parallel_block_adds_both_sublayers_to_one_x(shared):
    model = build_drawn(replace(CONFIG, parallel=True, shared_norm=shared))
    block, x = model.encoder.blocks[0], drawn(2, 5, 12)
    first = norm_of(block.self_attention_residual.norm)
    second = first if shared else norm_of(block.feedforward_residual.norm)
    attended, _ = by_hand.attend(block.self_attention, first(x))
    assert_equal(block(x, Context()), x + attended + by_hand.feed_forward(block, second(x)))
    norms = [name for name, _ in model.encoder.named_parameters() if "norm.weight" in name]
    assert len(norms) == (2 if shared else 3)


@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_key_heads_are_shared_by_neighbouring_heads(key_heads):
    stack = StackConfig(layers=1, heads=4, feedforward_width=20, key_heads=key_heads, head_width=5)
    layer, x = build_drawn(replace(CONFIG, encoder=stack)).encoder.blocks[0].self_attention, drawn(2, 5, 12)
    assert layer.key.weight.shape == (key_heads * 5, 12)
    assert_equal(layer(x, Context()), by_hand.attend(layer, x)[0])


def test_queries_and_keys_are_cut_and_normalised_before_they_meet():
    config = replace(CONFIG, qk_norm="head", clip_qkv=0.7)
    layer, x = build_drawn(config).encoder.blocks[0].self_attention, drawn(1, 5, 12)
    cut = [[part.clamp(-0.7, 0.7) for part in head] for head in by_hand.project(layer, x)]
    query_norm, key_norm = norm_of(layer.query_norm), norm_of(layer.key_norm)
    outputs = []
    for q, k, v in cut:
        weights = (by_hand.dot(query_norm(q), key_norm(k)) / 2).softmax(-1)
        outputs.append(weights @ v)
    assert_equal(layer(x, Context()), by_hand.linear(layer.output, torch.cat(outputs, -1)))


def test_picture_enters_patch_by_patch_after_its_first_tokens():
    """Row by row, each patch flattened and multiplied with one matrix: Dosovitskiy et al. 2020, equation 1."""
    image = ImageConfig(7, 8, 3, 2, channels=2, extra_tokens=2)
    model = build_drawn(replace(CONFIG, image=image, head=HeadConfig("hidden"), position_encoding="learned"))
    embedding, pixels = model.encoder_embedding, drawn(1, 2, 7, 8)
    tokens = [*embedding.first_tokens]
    for y in (0, 3):
        for x in (0, 2, 4, 6):
            patch = pixels[0, :, y : y + 3, x : x + 2].flatten()
            tokens.append(embedding.patches.weight.flatten(1) @ patch + embedding.patches.bias)
    assert_equal(embedding(pixels), (torch.stack(tokens) + embedding.positions.weight)[None])
    with pytest.raises(ValueError, match=r"pixels must be \[batch, 2, 7, 8\], got \[1, 2, 8, 7\]"):
        model(drawn(1, 2, 8, 7))


def test_head_transforms_normalises_scales_and_caps():
    head = HeadConfig(
        bias=True, transform=True, transform_activation="tanh", transform_norm=True, scale=0.5, softcap=2.0
    )
    model, x = build_drawn(replace(CONFIG, head=head)), drawn(2, 5, 12)
    inner = norm_of(model.head.norm)(FORMULAS["tanh"](by_hand.linear(model.head.transform, x)))
    scores = 0.5 * inner @ model.tokens.weight.T + model.head.bias
    assert_equal(model.head(x, model.tokens), 2 * torch.tanh(scores / 2))


def test_distilled_head_averages_its_two_classifiers():
    head = HeadConfig("classes", 4, tied=False, bias=True, distilled=True)
    model, x = build_drawn(replace(CONFIG, head=head)), drawn(2, 5, 12)
    first = by_hand.linear(model.head.output, x[:, 0]) + model.head.bias
    assert_equal(model.head(x), (first + by_hand.linear(model.head.distilled, x[:, 1])) / 2)
