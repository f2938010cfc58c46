"""How far a model of ours may stray from the outside implementation, and the comparison itself."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from modelcore.layers.attention_map import AttentionMap

MAP_ERROR = 2e-5  # absolute, float32
LOGIT_ERROR = 1e-4  # of the largest logit, float32


def assert_same_logits(logits: Tensor, expected: Tensor) -> None:
    assert logits.shape == expected.shape
    assert (logits - expected).abs().max() <= LOGIT_ERROR * expected.abs().max()


def assert_same_maps(maps: list[AttentionMap], expected: Sequence[Tensor]) -> None:
    """Every site's whole map, in the order of the forward pass."""
    assert len(maps) == len(expected)
    for map_, attention in zip(maps, expected, strict=True):
        tile = map_.tile()
        assert tile.shape == attention.shape, map_.site
        assert (tile - attention).abs().max() <= MAP_ERROR, map_.site


def assert_close(one: Tensor, other: Tensor) -> None:
    assert torch.allclose(one, other, atol=LOGIT_ERROR * other.abs().max().item(), rtol=0)
