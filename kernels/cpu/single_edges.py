"""Single edges of the map: what AttentionSpec makes of one query and one key, for any list of them, in O(edges)."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from kernels.cpu.scores import CHUNK_SCORES, compute_dtype
from kernels.spec import AttentionSpec
from kernels.spec.distance_bias import bias_by_distance

# B batch, H query heads, G key/value heads, R query heads of each, Q queries, K keys, D head width, E edges


def map_edges(
    q_BHQD: Tensor, k_BGKD: Tensor, lse_BHQ: Tensor, spec: AttentionSpec, queries_E: Tensor, keys_E: Tensor
) -> Tensor:
    """The probability of each edge, float32 [B, H, E]; operands are gathered for some edges at a time."""
    batch, heads, _, width = q_BHQD.shape
    at_once = max(CHUNK_SCORES // (batch * heads * width), 1)
    parts = [
        _edges(q_BHQD, k_BGKD, lse_BHQ, spec, queries, keys)
        for queries, keys in zip(queries_E.split(at_once), keys_E.split(at_once), strict=True)
    ]
    return torch.cat(parts, -1).float() if parts else q_BHQD.new_empty(batch, heads, 0, dtype=torch.float32)


def _edges(q_BHQD: Tensor, k_BGKD: Tensor, lse_BHQ: Tensor, spec: AttentionSpec, i_E: Tensor, j_E: Tensor) -> Tensor:
    queries, keys = q_BHQD.shape[2], k_BGKD.shape[2]
    position_E = i_E + (keys - queries)
    scores = _products(q_BHQD, k_BGKD, spec, i_E, j_E, j_E - position_E) * spec.scale
    if spec.softcap is not None:
        scores = spec.softcap * torch.tanh(scores / spec.softcap)
    if spec.alibi_slopes is not None or spec.t5_bias is not None:
        scores = scores + bias_by_distance(spec, j_E - position_E).to(scores.dtype)
    if spec.bias is not None:
        scores = scores + spec.bias[:, :, i_E, j_E]
    sets = None
    if spec.edge_queries is not None and spec.edge_keys is not None:
        sets = spec.edge_queries[..., i_E] & spec.edge_keys[..., j_E]
        for s, bias in enumerate([] if spec.edge_bias is None else spec.edge_bias.tolist()):
            scores = torch.where((sets >> s & 1).bool(), scores + bias, scores)
    scores = scores.masked_fill(~_visible(spec, position_E, j_E), -math.inf)
    lse = lse_BHQ[..., i_E].to(scores.dtype)
    map_BHE = torch.exp(scores - lse.masked_fill(lse == -math.inf, math.inf))
    if sets is not None and spec.edge_scale is not None:
        for s, factor in enumerate(spec.edge_scale.tolist()):
            map_BHE = torch.where((sets >> s & 1).bool(), map_BHE * factor, map_BHE)
    return map_BHE


def _products(
    q_BHQD: Tensor, k_BGKD: Tensor, spec: AttentionSpec, i_E: Tensor, j_E: Tensor, distance_E: Tensor
) -> Tensor:
    dtype, key_heads = compute_dtype(q_BHQD.dtype), k_BGKD.shape[1]
    q_BHED = q_BHQD[:, :, i_E].to(dtype)
    k_BHED = k_BGKD[:, :, j_E].to(dtype).repeat_interleave(q_BHQD.shape[1] // key_heads, dim=1)
    if spec.additive is not None:
        return torch.einsum("bhed,hd->bhe", torch.tanh(q_BHED + k_BHED), spec.additive.to(dtype))
    if spec.relative_keys is not None:
        reach = spec.relative_keys.shape[-2] // 2
        k_BHED = k_BHED + spec.relative_keys.to(dtype)[..., distance_E.clamp(-reach, reach) + reach, :]
    return torch.linalg.vecdot(q_BHED, k_BHED)


def _visible(spec: AttentionSpec, position_E: Tensor, j_E: Tensor) -> Tensor:
    """bool [B or 1, H or 1, E]."""
    starts = j_E.new_zeros(1) if spec.key_starts is None else spec.key_starts
    starts_B11 = starts[:, None, None]
    seen = _pattern(spec, position_E, j_E, starts_B11)
    if spec.causal:
        seen = seen & (j_E <= position_E)
    if spec.prefix:
        seen = seen | (j_E < starts_B11 + spec.prefix)
    if spec.documents is not None:
        seen = seen & (spec.documents[:, None, position_E] == spec.documents[:, None, j_E])
    if spec.key_lengths is not None:
        seen = seen & (j_E < spec.key_lengths[:, None, None])
    return seen & (j_E >= starts_B11)


def _pattern(spec: AttentionSpec, position_E: Tensor, j_E: Tensor, starts_B11: Tensor) -> Tensor:
    own_E, unit_E = position_E // spec.block, j_E // spec.block
    rules = []
    if spec.window is not None:
        back = own_E - unit_E
        rules.append((back < spec.window if spec.causal else back.abs() <= spec.window)[None, None])
    if spec.stride is not None:
        rules.append(((own_E - unit_E) % spec.stride == 0)[None, None])
    if isinstance(spec.global_tokens, Tensor):
        tokens = spec.global_tokens.view(-1, 1, 1, spec.global_tokens.shape[-1])
        rules.append(((position_E[:, None] == tokens) | (j_E[:, None] == tokens)).any(-1))
    elif spec.global_tokens:
        stop = starts_B11 + spec.global_tokens
        ends = [(end >= starts_B11) & (end < stop) for end in (position_E, j_E)]
        rules.append(ends[0] | ends[1])
    if spec.random_blocks is not None:
        drawn_HEr = spec.random_blocks[:, own_E.clamp(min=0)]
        rules.append(((drawn_HEr == unit_E[:, None]).any(-1) & (position_E >= 0))[None])
    if not rules:
        return torch.ones(1, 1, len(j_E), dtype=torch.bool, device=j_E.device)
    return functools.reduce(torch.logical_or, rules)
