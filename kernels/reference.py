"""Attention and its map in plain torch, the whole map at once: the truth the other paths are tested against.

Materialises Q x K for each head. Computes in float64 for float64 operands; otherwise the scores are made
in the operands' dtype and the softmax in float32, as eager models do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from kernels.spec import Attended, AttentionSpec, Pooled

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width


def attention(q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, spec: AttentionSpec) -> Attended:
    """softmax(scores) v, differentiable by autograd. A row that sees no key gives 0 and lse -inf."""
    scores = _scores(q_BHQD, k_BGKD, spec)
    lse = scores.detach().logsumexp(-1)
    no_key = (lse == -math.inf)[..., None]
    weights = scores.masked_fill(no_key, 0).softmax(-1).masked_fill(no_key, 0)
    v_BHKD = v_BGKD.repeat_interleave(q_BHQD.shape[1] // v_BGKD.shape[1], dim=1)
    return Attended(weights.to(v_BHKD.dtype) @ v_BHKD, lse, "reference")


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
    map_BHQK = _probabilities(_scores(q_BHQD, k_BGKD, spec), lse_BHQ)
    if heads is not None:
        map_BHQK = map_BHQK[:, list(heads)]
    return map_BHQK[:, :, rows.start : rows.stop, cols.start : cols.stop]


def map_pool(
    q_BHQD: Tensor, k_BGKD: Tensor, lse_BHQ: Tensor, spec: AttentionSpec, cell: int, rows: range, cols: range
) -> Pooled:
    """Maximum, and mean over visible pairs, of every cell x cell block of a region."""
    map_BHQK = map_tile(q_BHQD, k_BGKD, lse_BHQ, spec, rows, cols)
    seen = _visible(q_BHQD, k_BGKD, spec)[..., rows.start : rows.stop, cols.start : cols.stop]
    short = (0, -len(cols) % cell, 0, -len(rows) % cell)
    cells = torch.nn.functional.pad(map_BHQK, short).unflatten(-1, (-1, cell)).unflatten(-3, (-1, cell))
    pairs = torch.nn.functional.pad(seen, short).unflatten(-1, (-1, cell)).unflatten(-3, (-1, cell))
    mean = cells.sum((-3, -1)) / pairs.sum((-3, -1)).clamp(min=1)
    return Pooled(cells.amax((-3, -1)), mean)


def map_stats(
    q_BHQD: Tensor, k_BGKD: Tensor, lse_BHQ: Tensor, spec: AttentionSpec, token_ids_BK: Tensor | None
) -> dict[str, Tensor]:
    """Measures of each head, [B, H]; `dispatch.map_stats` defines them."""
    queries, keys = q_BHQD.shape[2], k_BGKD.shape[2]
    map_BHQK = _probabilities(_scores(q_BHQD, k_BGKD, spec), lse_BHQ)
    position = torch.arange(queries, device=q_BHQD.device)[:, None] + (keys - queries if spec.causal else 0)
    j = torch.arange(keys, device=q_BHQD.device)
    row_count = (lse_BHQ > -math.inf).sum(-1).clamp(min=1)

    def mean_over_rows(weighted_BHQK: Tensor) -> Tensor:
        return weighted_BHQK.sum((-2, -1)) / row_count

    stats = {
        "entropy": mean_over_rows(-torch.xlogy(map_BHQK, map_BHQK)),
        "distance": mean_over_rows(map_BHQK * (position - j).abs()),
        "diagonal": mean_over_rows(map_BHQK * (j == position)),
        "previous_token": mean_over_rows(map_BHQK * (j == position - 1)),
        "first_token": mean_over_rows(map_BHQK * (j == 0)),
    }
    if token_ids_BK is not None and queries == keys:
        same = token_ids_BK[:, :, None] == token_ids_BK[:, None, :]
        after_same = torch.nn.functional.pad(same, (1, 0))[..., :-1]
        stats["duplicate_token"] = mean_over_rows(map_BHQK * (same & (j < position))[:, None])
        stats["induction"] = mean_over_rows(map_BHQK * (after_same & (j <= position))[:, None])
    return stats


def _scores(q_BHQD: Tensor, k_BGKD: Tensor, spec: AttentionSpec) -> Tensor:
    """Masked scores [B, H, Q, K], float32 or float64."""
    k_BHKD = k_BGKD.repeat_interleave(q_BHQD.shape[1] // k_BGKD.shape[1], dim=1)
    scores = q_BHQD @ k_BHKD.transpose(-1, -2) * spec.scale
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    if spec.softcap is not None:
        scores = spec.softcap * torch.tanh(scores / spec.softcap)
    return scores.masked_fill(~_visible(q_BHQD, k_BGKD, spec), -math.inf)


def _probabilities(scores_BHQK: Tensor, lse_BHQ: Tensor) -> Tensor:
    """exp(scores - lse). A row that sees no key is subtracted from +inf, or -inf + inf would be NaN."""
    return torch.exp(scores_BHQK - lse_BHQ.masked_fill(lse_BHQ == -math.inf, math.inf)[..., None])


def _visible(q_BHQD: Tensor, k_BGKD: Tensor, spec: AttentionSpec) -> Tensor:
    """bool [B or 1, 1, Q, K], each rule written as its definition."""
    queries, keys = q_BHQD.shape[2], k_BGKD.shape[2]
    i = torch.arange(queries, device=q_BHQD.device)[:, None] + (keys - queries)
    j = torch.arange(keys, device=q_BHQD.device)[None, :]
    seen = torch.ones(1, 1, queries, keys, dtype=torch.bool, device=q_BHQD.device)
    if spec.causal:
        seen = seen & (j <= i)
    if spec.window is not None:
        seen = seen & (i - j < spec.window)
    if spec.key_lengths is not None:
        seen = seen & (j < spec.key_lengths[:, None, None, None])
    return seen
