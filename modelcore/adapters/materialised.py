"""Maps that a model hands out whole, as AttentionMaps: every reading and every capture takes them as the others."""

# B batch, H heads, Q queries, K keys

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kernels.spec import AttentionSpec
from modelcore.adapters.mask import require_room
from modelcore.config import AttentionSite, SiteKind, StackName
from modelcore.layers.attention_map import MATERIALISED, AttentionMap

# How far above 1 the sum of a row of float32 (or of a narrower dtype) may come out.
SUM_TOLERANCE = {torch.float64: 1e-4, torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}


def materialised_map(site: AttentionSite, map_BHQK: Tensor) -> AttentionMap:
    """The map kept as scores log p that are normalised already: queries and keys are 0, and so is log-sum-exp.

    As large as the map itself; exp(log p) gives p back to the last places of float32.
    Raises: ValueError if the rows are no probabilities (less than 1 in sum they may be), or there is no room.
    """
    batch, heads, queries, keys = map_BHQK.shape
    require_room(heads, queries, keys)
    sums_BHQ = map_BHQK.float().sum(-1)
    if not (map_BHQK >= 0).all() or not (sums_BHQ <= 1 + SUM_TOLERANCE[map_BHQK.dtype]).all():
        raise ValueError("what this model hands out as attention is not a map of probabilities")
    causal = queries == keys and queries > 1 and not map_BHQK.triu(1).any()
    # A head may give less than everything to the keys; with sinks, here empty ones, no reading scales its rows to 1.
    short = not (sums_BHQ >= 1 - SUM_TOLERANCE[map_BHQK.dtype]).all()
    sinks_H = sums_BHQ.new_full((heads,), -torch.inf) if short else None
    return AttentionMap(
        site,
        map_BHQK.new_zeros((batch, heads, queries, 1), dtype=torch.float32),
        map_BHQK.new_zeros((batch, 1, keys, 1), dtype=torch.float32),
        torch.zeros_like(sums_BHQ),
        AttentionSpec(scale=1.0, causal=causal, bias=map_BHQK.detach().float().log(), sinks=sinks_H),
        MATERIALISED,
    )


def handed_out(output: Any, stack: StackName) -> list[tuple[AttentionSite, Tensor]]:
    """The attention that a model of transformers returned, site by site in the order of the forward pass.

    A layer's number is its place in the model's own list. `stack`: what a model of one stack is.
    """
    alone = _layers(output, "attentions", stack, "self")
    if alone:
        return alone
    encoder = _layers(output, "encoder_attentions", "encoder", "self")
    decoder = _layers(output, "decoder_attentions", "decoder", "self")
    decoder += _layers(output, "cross_attentions", "decoder", "cross")
    # A layer of the decoder attends to itself first: sites sort by kind otherwise.
    decoder.sort(key=lambda layer: (layer[0].layer, layer[0].kind == "cross"))
    return encoder + decoder


def _layers(output: Any, name: str, stack: StackName, kind: SiteKind) -> list[tuple[AttentionSite, Tensor]]:
    maps = getattr(output, name, None) or ()
    return [
        (AttentionSite(stack, kind, layer), map_)
        for layer, map_ in enumerate(maps)
        if isinstance(map_, Tensor) and map_.dim() == 4
    ]
