"""Attention row by row in float64, from the definitions alone: shares no code with the kernels."""

from __future__ import annotations

from typing import NamedTuple

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
    out, lse, maps = [], [], []
    visible = torch.zeros(batch, heads, queries, keys, dtype=torch.bool)
    for b in range(batch):
        for h in range(heads):
            for i in range(queries):
                seen = [j for j in range(keys) if _sees(spec, b, i, j, queries, keys)]
                visible[b, h, i, seen] = True
                group = h // (heads // groups)
                scores = k[b, group, seen] @ q[b, h, i] * spec.scale
                if spec.softcap is not None:
                    scores = spec.softcap * torch.tanh(scores / spec.softcap)
                weights = torch.softmax(scores, 0)
                out.append(weights @ v[b, group, seen])
                lse.append(torch.logsumexp(scores, 0) if seen else torch.tensor(-torch.inf, dtype=q.dtype))
                maps.append(torch.zeros(keys, dtype=q.dtype).index_put((torch.tensor(seen).long(),), weights))
    shape = (batch, heads, queries)
    return Truth(
        torch.stack(out).view(q.shape),
        torch.stack(lse).view(shape).detach(),
        torch.stack(maps).view(*shape, keys).detach(),
        visible,
    )


def _sees(spec: AttentionSpec, b: int, i: int, j: int, queries: int, keys: int) -> bool:
    position = keys - queries + i
    if spec.causal and j > position:
        return False
    if spec.window is not None and position - j >= spec.window:
        return False
    return spec.key_lengths is None or j < int(spec.key_lengths[b])
