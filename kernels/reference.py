"""Attention and its map in plain torch, the whole map at once: the truth the other paths are tested against.

Materialises Q x K for each head. Computes in float64 for float64 operands; otherwise the scores are made
in the operands' dtype and the softmax in float32, as eager models do.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from kernels.spec import Attended, AttentionSpec, Pooled, TopKeys
from kernels.spec.distance_bias import t5_bucket

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width


def attention(q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, spec: AttentionSpec) -> Attended:
    """softmax(scores) v, differentiable by autograd. A row that sees no key gives 0 and lse -inf.

    With the entropy and the largest probability of each row.
    """
    scores = _scores(q_BHQD, k_BGKD, spec)
    no_key = (scores == -math.inf).all(-1, keepdim=True)
    if spec.sinks is not None:
        sinks = spec.sinks.to(scores.dtype)[:, None, None].expand(*scores.shape[:-1], 1)
        scores = torch.cat([scores, sinks], -1)
    lse = scores.detach().logsumexp(-1).masked_fill(no_key[..., 0], -math.inf)
    weights = scores.masked_fill(no_key, 0).softmax(-1).masked_fill(no_key, 0)[..., : k_BGKD.shape[2]]
    weights = weights * _edge_factors(q_BHQD, k_BGKD, spec)
    v_BHKD = v_BGKD.repeat_interleave(q_BHQD.shape[1] // v_BGKD.shape[1], dim=1)
    map_BHQK = weights.detach()
    entropy, maximum = -torch.xlogy(map_BHQK, map_BHQK).sum(-1), map_BHQK.amax(-1)
    return Attended(weights.to(v_BHKD.dtype) @ v_BHKD, lse, "reference", entropy, maximum)


def map_tile(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    lse_BHQ: Tensor,
    spec: AttentionSpec,
    rows: range,
    cols: range,
    heads: Sequence[int] | None = None,
) -> Tensor:
    """Attention probabilities of one rectangle."""
    map_BHQK = _map(q_BHQD, k_BGKD, lse_BHQ, spec)
    if heads is not None:
        map_BHQK = map_BHQK[:, list(heads)]
    return map_BHQK[:, :, rows.start : rows.stop, cols.start : cols.stop]


def map_pool(
    q_BHQD: Tensor, k_BGKD: Tensor, lse_BHQ: Tensor, spec: AttentionSpec, cell: int, rows: range, cols: range
) -> Pooled:
    """Maximum, and mean over visible pairs, of every cell x cell block of a region."""
    map_BHQK = map_tile(q_BHQD, k_BGKD, lse_BHQ, spec, rows, cols)
    seen = (_scores(q_BHQD, k_BGKD, spec) > -math.inf)[..., rows.start : rows.stop, cols.start : cols.stop]
    short = (0, -len(cols) % cell, 0, -len(rows) % cell)
    cells = torch.nn.functional.pad(map_BHQK, short).unflatten(-1, (-1, cell)).unflatten(-3, (-1, cell))
    pairs = torch.nn.functional.pad(seen, short).unflatten(-1, (-1, cell)).unflatten(-3, (-1, cell))
    mean = cells.sum((-3, -1)) / pairs.sum((-3, -1)).clamp(min=1)
    return Pooled(cells.amax((-3, -1)), mean)


def visible_pairs(q_BHQD: Tensor, k_BGKD: Tensor, spec: AttentionSpec, cell: int) -> Tensor:
    """How many pairs of each cell are seen, [B, H, R, C]."""
    seen = _scores(q_BHQD, k_BGKD, spec) > -math.inf
    short = (0, -seen.shape[-1] % cell, 0, -seen.shape[-2] % cell)
    return torch.nn.functional.pad(seen, short).unflatten(-1, (-1, cell)).unflatten(-3, (-1, cell)).sum((-3, -1))


def pool_down(pooled: Pooled, pairs_BHRC: Tensor) -> tuple[Pooled, Tensor]:
    """Cells twice as wide: the larger maximum, all pairs, and the mean of the means, each weighing as its pairs."""

    def quads(x_BHRC: Tensor) -> Tensor:
        odd = (0, x_BHRC.shape[-1] % 2, 0, x_BHRC.shape[-2] % 2)
        return torch.nn.functional.pad(x_BHRC, odd).unflatten(-1, (-1, 2)).unflatten(-3, (-1, 2))

    pairs = quads(pairs_BHRC).sum((-3, -1))
    mean = None
    if pooled.mean is not None:
        mass = quads(pooled.mean.double() * pairs_BHRC).sum((-3, -1))
        mean = (mass / pairs.clamp(min=1)).to(pooled.mean.dtype)
    return Pooled(quads(pooled.maximum).amax((-3, -1)), mean), pairs


def map_received(q_BHQD: Tensor, k_BGKD: Tensor, lse_BHQ: Tensor, spec: AttentionSpec) -> Tensor:
    """Column sums of the map, [B, H, K]."""
    return _map(q_BHQD, k_BGKD, lse_BHQ, spec).sum(-2)


def map_edges(
    q_BHQD: Tensor, k_BGKD: Tensor, lse_BHQ: Tensor, spec: AttentionSpec, queries_E: Tensor, keys_E: Tensor
) -> Tensor:
    """Probabilities of single edges, [B, H, E]."""
    return _map(q_BHQD, k_BGKD, lse_BHQ, spec)[..., queries_E, keys_E]


def map_top_keys(
    q_BHQD: Tensor, k_BGKD: Tensor, lse_BHQ: Tensor, spec: AttentionSpec, count: int, rows: range
) -> TopKeys:
    """The strongest keys of each row, -1 where there are no more."""
    map_BHQK = _map(q_BHQD, k_BGKD, lse_BHQ, spec)[..., rows.start : rows.stop, :]
    missing = max(count - map_BHQK.shape[-1], 0)
    probabilities, keys = torch.nn.functional.pad(map_BHQK, (0, missing)).topk(count)
    return TopKeys(keys.masked_fill(probabilities == 0, -1), probabilities)


def map_stats(
    q_BHQD: Tensor, k_BGKD: Tensor, lse_BHQ: Tensor, spec: AttentionSpec, token_ids_BK: Tensor | None
) -> dict[str, Tensor]:
    """Measures of each head, [B, H]; `dispatch.map_stats` defines them."""
    queries, keys = q_BHQD.shape[2], k_BGKD.shape[2]
    map_BHQK = _map(q_BHQD, k_BGKD, lse_BHQ, spec)
    position = torch.arange(queries, device=q_BHQD.device)[:, None] + (keys - queries if spec.positional else 0)
    j = torch.arange(keys, device=q_BHQD.device)
    first = 0 if spec.key_starts is None else spec.key_starts[:, None, None, None]
    seeing_BHQ = lse_BHQ > -math.inf

    def mean_over_rows(weighted_BHQK: Tensor, rows_BHQ: Tensor = seeing_BHQ) -> Tensor:
        return weighted_BHQK.sum((-2, -1)) / rows_BHQ.sum(-1).clamp(min=1)

    stats = {
        "entropy": mean_over_rows(-torch.xlogy(map_BHQK, map_BHQK)),
        "distance": mean_over_rows(map_BHQK * (position - j).abs()),
        "diagonal": mean_over_rows(map_BHQK * (j == position)),
        "previous_token": mean_over_rows(map_BHQK * (j == position - 1)),
        "next_token": mean_over_rows(map_BHQK * (j == position + 1)),
        "first_token": mean_over_rows(map_BHQK * (j == first)),
    }
    if token_ids_BK is not None and queries == keys:
        same = token_ids_BK[:, :, None] == token_ids_BK[:, None, :]
        after_same = torch.nn.functional.pad(same, (1, 0))[..., :-1]
        came_before_BQ = (same & (j < position)).any(-1)
        rows_BHQ = seeing_BHQ & came_before_BQ[:, None]
        stats["duplicate_token"] = mean_over_rows(map_BHQK * (same & (j < position))[:, None], rows_BHQ)
        stats["induction"] = mean_over_rows(map_BHQK * (after_same & (j <= position))[:, None], rows_BHQ)
    return stats


def _scores(q_BHQD: Tensor, k_BGKD: Tensor, spec: AttentionSpec) -> Tensor:
    """Masked scores [B, H, Q, K], float32 or float64; -inf where a pair is not seen."""
    scores = _products(q_BHQD, k_BGKD, spec) * spec.scale
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    if spec.softcap is not None:
        scores = spec.softcap * torch.tanh(scores / spec.softcap)
    distance = _distances(q_BHQD, k_BGKD)
    if spec.alibi_slopes is not None:
        scores = scores - spec.alibi_slopes[:, None, None] * distance.abs()
    if spec.t5_bias is not None:
        scores = scores + spec.t5_bias[t5_bucket(spec, distance)].movedim(-1, 0)
    if spec.bias is not None:
        scores = scores + spec.bias
    for s, edges in _edges(spec):
        if spec.edge_bias is not None and s < len(spec.edge_bias):
            scores = torch.where(edges, scores + spec.edge_bias[s], scores)
    return scores.masked_fill(~_visible(q_BHQD, k_BGKD, spec), -math.inf)


def _products(q_BHQD: Tensor, k_BGKD: Tensor, spec: AttentionSpec) -> Tensor:
    """What a query and a key make of each other, [B, H, Q, K]. Materialises Q x K x D where it is no dot product."""
    k_BHKD = k_BGKD.repeat_interleave(q_BHQD.shape[1] // k_BGKD.shape[1], dim=1)
    if spec.additive is not None:
        sums_BHQKD = q_BHQD[:, :, :, None] + k_BHKD[:, :, None]
        return torch.einsum("bhqkd,hd->bhqk", torch.tanh(sums_BHQKD), spec.additive.to(q_BHQD.dtype))
    products = q_BHQD @ k_BHKD.transpose(-1, -2)
    if spec.relative_keys is not None:
        reach = spec.relative_keys.shape[-2] // 2
        row = _distances(q_BHQD, k_BGKD).clamp(-reach, reach) + reach
        relative_HQKD = spec.relative_keys.to(q_BHQD.dtype)[..., row, :].expand(q_BHQD.shape[1], -1, -1, -1)
        products = products + torch.einsum("bhqd,hqkd->bhqk", q_BHQD, relative_HQKD)
    return products


def _map(q_BHQD: Tensor, k_BGKD: Tensor, lse_BHQ: Tensor, spec: AttentionSpec) -> Tensor:
    """exp(scores - lse), edited. A row that sees no key is subtracted from +inf, or -inf + inf would be NaN."""
    normaliser = lse_BHQ.masked_fill(lse_BHQ == -math.inf, math.inf)[..., None]
    return torch.exp(_scores(q_BHQD, k_BGKD, spec) - normaliser) * _edge_factors(q_BHQD, k_BGKD, spec)


def _edge_factors(q_BHQD: Tensor, k_BGKD: Tensor, spec: AttentionSpec) -> Tensor:
    factors = torch.ones(1, 1, q_BHQD.shape[2], k_BGKD.shape[2], device=q_BHQD.device)
    for s, edges in _edges(spec):
        if spec.edge_scale is not None and s < len(spec.edge_scale):
            factors = torch.where(edges, factors * spec.edge_scale[s], factors)
    return factors


def _edges(spec: AttentionSpec) -> Iterator[tuple[int, Tensor]]:
    """Each set of edges as a mask, bool [B or 1, H or 1, Q, K]."""
    if spec.edge_queries is None or spec.edge_keys is None:
        return
    for s in range(32):
        queries, keys = ((ends >> s & 1).bool() for ends in (spec.edge_queries, spec.edge_keys))
        yield s, queries[..., :, None] & keys[..., None, :]


def _distances(q_BHQD: Tensor, k_BGKD: Tensor) -> Tensor:
    """j - p, [Q, K]."""
    queries, keys = q_BHQD.shape[2], k_BGKD.shape[2]
    position = torch.arange(queries, device=q_BHQD.device) + (keys - queries)
    return torch.arange(keys, device=q_BHQD.device) - position[:, None]


def _visible(q_BHQD: Tensor, k_BGKD: Tensor, spec: AttentionSpec) -> Tensor:
    """bool [B or 1, H or 1, Q, K], each rule written as its definition."""
    queries, keys = q_BHQD.shape[2], k_BGKD.shape[2]
    i = torch.arange(queries, device=q_BHQD.device)[:, None] + (keys - queries)
    j = torch.arange(keys, device=q_BHQD.device)[None, :]
    starts = torch.zeros(1, device=j.device) if spec.key_starts is None else spec.key_starts
    starts = starts[:, None, None, None]
    seen = _pattern(spec, i, j, starts)
    if spec.causal:
        seen = seen & (j <= i)
    seen = seen | (j < starts + spec.prefix) if spec.prefix else seen
    if spec.documents is not None:
        seen = seen & (spec.documents[:, None, i, None] == spec.documents[:, None, None, None, :])[..., 0, :]
    if spec.key_lengths is not None:
        seen = seen & (j < spec.key_lengths[:, None, None, None])
    return seen & (j >= starts)


def _pattern(spec: AttentionSpec, i_Q1: Tensor, j_1K: Tensor, starts_B111: Tensor) -> Tensor:
    rules = []
    distance = i_Q1 // spec.block - j_1K // spec.block
    if spec.window is not None:
        rules.append((distance < spec.window) if spec.causal else (distance.abs() <= spec.window))
    if spec.stride is not None:
        rules.append(distance % spec.stride == 0)
    if isinstance(spec.global_tokens, Tensor):
        tokens = spec.global_tokens.view(-1, 1, 1, 1, spec.global_tokens.shape[-1])
        rules.append(((i_Q1[..., None] == tokens) | (j_1K[..., None] == tokens)).any(-1))
    elif spec.global_tokens:
        stop = starts_B111 + spec.global_tokens
        rules.append(((j_1K < stop) & (j_1K >= starts_B111)) | ((i_Q1 < stop) & (i_Q1 >= starts_B111)))
    if spec.random_blocks is not None:
        drawn = spec.random_blocks[:, (i_Q1[:, 0] // spec.block).clamp(min=0), None]
        rules.append(((j_1K // spec.block)[..., None] == drawn).any(-1)[None] & (i_Q1 >= 0))
    seen = torch.ones(1, 1, len(i_Q1), j_1K.shape[1], dtype=torch.bool, device=i_Q1.device)
    if rules:
        seen = seen & functools.reduce(torch.logical_or, rules)
    return seen
