"""Biases that depend on head and distance alone, ALiBi and T5's: one number for each distance, not each pair."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kernels.spec.attention import AttentionSpec

# H query heads, K keys, X distances j - p


def bias_by_distance(spec: AttentionSpec, distances_X: Tensor) -> Tensor:
    """What is added to the scores of each head at each distance j - p, in nats, [H, X].

    Source: ALiBi (arXiv 2108.12409), section 3, where it is -slope * (p - j) for the past; the absolute value
        carries it to both sides.
    """
    total = torch.zeros((), device=distances_X.device)
    if spec.alibi_slopes is not None:
        total = -spec.alibi_slopes.detach()[:, None] * distances_X.abs()
    if spec.t5_bias is not None:
        total = total + spec.t5_bias.detach()[t5_bucket(spec, distances_X)].T
    return total


def t5_bucket(spec: AttentionSpec, distances_X: Tensor) -> Tensor:
    """The row of t5_bias for each distance j - p.

    Half the buckets are for single distances; the rest widen logarithmically up to t5_max_distance and the
    last holds all beyond. When bidirectional, the upper half of the table is for keys after the query.

    Source: T5 (arXiv 1910.10683), section 2.1; `_relative_position_bucket` of Mesh TensorFlow's
        transformer_layers.py, whose float32 logarithm decides at the seams, as here.
    """
    assert spec.t5_bias is not None
    buckets = spec.t5_bias.shape[0]
    first = torch.zeros_like(distances_X)
    if spec.t5_bidirectional:
        buckets //= 2
        first = (distances_X > 0) * buckets
        back = distances_X.abs()
    else:
        back = (-distances_X).clamp(min=0)
    single = buckets // 2
    ratio = math.log(spec.t5_max_distance / single)
    steps = torch.log(back.clamp(min=1).float() / single) / ratio * (buckets - single)
    widening = (single + steps.clamp(min=0).long()).clamp(max=buckets - 1)
    return first + torch.where(back < single, back, widening)
