"""Outlines: how an adapter learns what transformers would do with stored tensors, without reading one."""

from __future__ import annotations

import torch
from torch import nn

from modelcore.adapters.loading import Outline, fill_at_random


def outline(*shape: int) -> Outline:
    return Outline(torch.empty(shape, device="meta"))


def test_what_is_made_of_outlines_is_an_outline_of_the_right_shape() -> None:
    """So are the experts of a mixture, which are stored apart and joined by transformers."""
    joined = torch.cat([torch.stack([outline(300_000, 200_000)] * 8), torch.zeros(8, 4, 200_000)], dim=1)
    assert isinstance(joined, Outline)
    assert joined.shape == (8, 300_004, 200_000)
    assert isinstance(joined.to(device="cpu", dtype=torch.bfloat16).transpose(1, 2)[..., 3], Outline)
    assert isinstance(nn.Parameter(joined), Outline)


def test_a_large_model_is_filled_with_few_numbers_and_ties_stay() -> None:
    model = nn.ModuleList([nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False), nn.LayerNorm(5)])
    model[0].weight = model[1].weight = nn.Parameter(outline(300_000, 200_000), requires_grad=False)
    fill_at_random(model)
    assert model[0].weight is model[1].weight
    assert model[0].weight.shape == (300_000, 200_000)
    assert model[0].weight.untyped_storage().nbytes() < 4_000_000
    assert model[0].weight[:5, :5].unique().numel() == 9
    assert torch.equal(model[2].weight, torch.ones(5))
