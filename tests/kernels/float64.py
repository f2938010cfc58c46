"""Attention row by row in float64, from the definitions alone: shares no code with the kernels."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kernels.spec import AttentionSpec

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width


class Truth(NamedTuple):
    out: Tensor
    lse: Tensor
    map: Tensor
    visible: Tensor


def attention(q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, spec: AttentionSpec) -> Truth:
    """Every row on its own, with a list of the keys it sees. Differentiable; slow."""
    q, k, v = q_BHQD.double(), k_BGKD.double(), v_BGKD.double()
    (batch, heads, queries, _), (_, groups, keys, _) = q.shape, k.shape
    rules = Rules(spec)
    out, lse, maps = [], [], []
    visible = torch.zeros(batch, heads, queries, keys, dtype=torch.bool)
    for b in range(batch):
        for h in range(heads):
            for i in range(queries):
                p = keys - queries + i
                biases = {j: _bias(rules, b, h, i, p, j) for j in range(keys) if _sees(rules, b, h, p, j)}
                seen = [j for j, bias in biases.items() if bias > -math.inf]
                visible[b, h, i, seen] = True
                group = h // (heads // groups)
                scores = _products(spec, h, p, seen, q[b, h, i], k[b, group, seen]) * spec.scale
                if spec.softcap is not None:
                    scores = spec.softcap * torch.tanh(scores / spec.softcap)
                scores = scores + torch.tensor([biases[j] for j in seen], dtype=q.dtype)
                if spec.t5_bias is not None:
                    scores = scores + spec.t5_bias[[t5_bucket(spec, p, j) for j in seen], h].double()
                if spec.sinks is not None and seen:
                    scores = torch.cat([scores, spec.sinks[h].double()[None]])
                weights = torch.softmax(scores, 0)[: len(seen)]
                weights = weights * torch.tensor([_factor(rules, b, h, i, j) for j in seen], dtype=q.dtype)
                gate = 1 if spec.head_gate is None else spec.head_gate[h].double()
                out.append(gate * (weights @ v[b, group, seen]))
                lse.append(torch.logsumexp(scores, 0) if seen else torch.tensor(-torch.inf, dtype=q.dtype))
                maps.append(torch.zeros(keys, dtype=q.dtype).index_put((torch.tensor(seen).long(),), weights))
    shape = (batch, heads, queries)
    return Truth(
        torch.stack(out).view(*shape, v.shape[-1]),
        torch.stack(lse).view(shape).detach(),
        torch.stack(maps).view(*shape, keys).detach(),
        visible,
    )


class Rules:
    """The spec in plain lists, which are quicker to ask for one number than tensors."""

    def __init__(self, spec: AttentionSpec) -> None:
        for field in fields(spec):
            rule = getattr(spec, field.name)
            setattr(self, field.name, rule.tolist() if isinstance(rule, Tensor) else rule)


def _products(spec: AttentionSpec, h: int, p: int, seen: list[int], q_D: Tensor, k_KD: Tensor) -> Tensor:
    if spec.additive is not None:
        return torch.tanh(q_D + k_KD) @ spec.additive[h].double()
    if spec.relative_keys is not None:
        table = (spec.relative_keys if spec.relative_keys.dim() == 2 else spec.relative_keys[h]).double()
        furthest = (len(table) - 1) // 2
        k_KD = k_KD + table[[furthest + max(-furthest, min(furthest, j - p)) for j in seen]]
    return k_KD @ q_D


def _sees(rules: Any, b: int, h: int, p: int, j: int) -> bool:
    start = rules.key_starts[b] if rules.key_starts else 0
    if j < start or (rules.key_lengths and j >= rules.key_lengths[b]):
        return False
    if rules.documents and rules.documents[b][p] != rules.documents[b][j]:
        return False
    if j < start + rules.prefix:
        return True
    return not (rules.causal and j > p) and _in_pattern(rules, b, h, p, j, start)


def _in_pattern(rules: Any, b: int, h: int, p: int, j: int, start: int) -> bool:
    held = []
    back = p // rules.block - j // rules.block
    if rules.window is not None:
        held.append(back < rules.window if rules.causal else -rules.window <= back <= rules.window)
    if rules.stride is not None:
        held.append(back % rules.stride == 0)
    if rules.global_tokens:
        tokens = rules.global_tokens
        if isinstance(tokens, int):
            tokens = range(start, start + tokens)
        elif isinstance(tokens[0], list):
            tokens = tokens[b]
        held.append(p in tokens or j in tokens)
    if rules.random_blocks:
        drawn = rules.random_blocks[h % len(rules.random_blocks)]
        held.append(p >= 0 and j // rules.block in drawn[p // rules.block])
    return any(held) or not held


def _bias(rules: Any, b: int, h: int, i: int, p: int, j: int) -> float:
    """All but T5's, which learns."""
    total = -rules.alibi_slopes[h] * abs(p - j) if rules.alibi_slopes else 0.0
    if rules.bias:
        of_sequence = rules.bias[b % len(rules.bias)]
        total += of_sequence[h % len(of_sequence)][i][j]
    if rules.edge_bias:
        total += sum(rules.edge_bias[s] for s in _sets(rules, b, h, i, j) if s < len(rules.edge_bias))
    return total


def _factor(rules: Any, b: int, h: int, i: int, j: int) -> float:
    if not rules.edge_scale:
        return 1.0
    return math.prod(rules.edge_scale[s] for s in _sets(rules, b, h, i, j) if s < len(rules.edge_scale))


def _sets(rules: Any, b: int, h: int, i: int, j: int) -> list[int]:
    ends = []
    for of_batch, at in ((rules.edge_queries, i), (rules.edge_keys, j)):
        of_sequence = of_batch[b % len(of_batch)]
        ends.append(of_sequence[h % len(of_sequence)][at])
    return [s for s in range(32) if ends[0] >> s & 1 and ends[1] >> s & 1]


def t5_bucket(spec: AttentionSpec, p: int, j: int) -> int:
    """Walks up the buckets. Seams are met with a hair of room, for where a float32 logarithm may fall."""
    assert spec.t5_bias is not None
    buckets = len(spec.t5_bias)
    first, back = 0, max(p - j, 0)
    if spec.t5_bidirectional:
        buckets //= 2
        first, back = (buckets if j > p else 0), abs(p - j)
    single = buckets // 2
    if back < single:
        return first + back
    wide = buckets - single
    growth = (spec.t5_max_distance / single) ** (1 / wide)
    return first + single + max(n for n in range(wide) if back >= single * growth**n * (1 - 1e-9))
