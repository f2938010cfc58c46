"""The parts of a Transformer from their formulas in the papers, for tests to compare the layers with.

Weights are read from the layers and nothing else. Everything is meant for float64.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from modelcore.config import ModelConfig
from modelcore.layers.attention import Attention
from modelcore.models.build import Transformer, build

# B batch, N tokens, Q queries, K keys, W model width, D head width

# The largest difference that rounding in float64 leaves after a few layers.
EXACT = 1e-9


def build_drawn(config: ModelConfig, seed: int = 0) -> Transformer:
    """A float64 model with all parameters drawn large: maps are peaked, and an error in any of them shows."""
    model = build(config).double().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator, dtype=torch.float64) * 0.5)
    return model


def linear(layer: nn.Linear, x: Tensor) -> Tensor:
    y = x @ layer.weight.T
    return y if layer.bias is None else y + layer.bias


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
    mean = x.mean(-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(-1, keepdim=True)
    return (x - mean) / torch.sqrt(variance + epsilon) * weight + bias


def feed_forward(block: nn.Module, x: Tensor) -> Tensor:
    """max(0, x W₁ + b₁) W₂ + b₂"""
    return linear(block.feedforward.contract, linear(block.feedforward.expand, x).clamp(min=0))


def project(layer: Attention, x_BQW: Tensor, memory_BKW: Tensor | None = None) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Each head's q [B, Q, D], k and v [B, K, D]."""
    memory_BKW = x_BQW if memory_BKW is None else memory_BKW
    shared, width = layer.heads // layer.key_heads, layer.head_width
    q, k, v = linear(layer.query, x_BQW), linear(layer.key, memory_BKW), linear(layer.value, memory_BKW)
    found = []
    for head in range(layer.heads):
        of_query = slice(head * width, (head + 1) * width)
        of_key = slice(head // shared * width, (head // shared + 1) * width)
        found.append((q[..., of_query], k[..., of_key], v[..., of_key]))
    return found


def dot(q: Tensor, k: Tensor) -> Tensor:
    return q @ k.transpose(-1, -2)


def attend(
    layer: Attention,
    x_BQW: Tensor,
    memory_BKW: Tensor | None = None,
    *,
    visible: Tensor | None = None,
    scores: list[Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """The layer's output [B, Q, W], and its map [B, heads, Q, K]; by default scores are q·k / √D."""
    heads = project(layer, x_BQW, memory_BKW)
    scores = scores or [dot(q, k) / layer.head_width**0.5 for q, k, _ in heads]
    if visible is not None:
        scores = [score.masked_fill(~visible, -torch.inf) for score in scores]
    maps = [score.exp() / score.exp().sum(-1, keepdim=True) for score in scores]
    attended = torch.cat([map_ @ v for map_, (_, _, v) in zip(maps, heads, strict=True)], dim=-1)
    return linear(layer.output, attended), torch.stack(maps, dim=1)


def causal(tokens: int) -> Tensor:
    return torch.ones(tokens, tokens, dtype=torch.bool).tril()


def assert_equal(found: Tensor, expected: Tensor, bound: float = EXACT) -> None:
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= bound
