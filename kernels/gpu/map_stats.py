"""Measures of each head on CUDA, as `dispatch.map_stats` defines them, from rows and single entries of the map.

Its twin for every other device is kernels/cpu/stats.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from kernels.gpu.configurations import Configuration
from kernels.gpu.map_pairs import map_pairs
from kernels.gpu.map_rows import entropy_and_distance
from kernels.spec import AttentionSpec

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width, E edges

EDGES = 1 << 20  # made at once; a text that repeats one token has Q^2 / 2


def map_stats(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    lse_BHQ: Tensor,
    spec: AttentionSpec,
    token_ids_BK: Tensor | None,
    *,
    config: Configuration | None = None,
) -> dict[str, Tensor]:
    """float32 [B, H] each. Cost: one pass over the map for entropy and distance; the others take O(D) a pair."""
    queries, keys = q_BHQD.shape[2], k_BGKD.shape[2]
    operands = (q_BHQD, k_BGKD, lse_BHQ, spec)
    seeing_BHQ = lse_BHQ > -torch.inf
    rows_BH = seeing_BHQ.sum(-1)
    entropy, distance = entropy_and_distance(*operands, config=config)
    i = torch.arange(queries, device=q_BHQD.device)
    position = i + (keys - queries if spec.positional else 0)
    first = torch.zeros_like(i[:1]) if spec.key_starts is None else spec.key_starts[:, None]
    i = i[None, None]

    def mass(keys: Tensor) -> Tensor:
        return map_pairs(*operands, i, keys).sum(-1)

    sums = {
        "entropy": entropy.sum(-1),
        "distance": distance.sum(-1),
        "diagonal": mass(position[None, None]),
        "previous_token": mass(position[None, None] - 1),
        "next_token": mass(position[None, None] + 1),
        "first_token": mass(first.view(-1, 1, 1).expand(-1, 1, queries)),
    }
    stats = {name: total / rows_BH.clamp(min=1) for name, total in sums.items()}
    if token_ids_BK is not None and queries == keys:
        parts = [_after_copies(*_sequence(operands, b), token_ids_BK[b]) for b in range(len(q_BHQD))]
        stats["duplicate_token"], stats["induction"] = (torch.cat(part) for part in zip(*parts, strict=True))
    return stats


def _sequence(
    operands: tuple[Tensor, Tensor, Tensor, AttentionSpec], b: int
) -> tuple[Tensor, Tensor, Tensor, AttentionSpec]:
    q, k, lse, spec = operands
    return q[b : b + 1], k[b : b + 1], lse[b : b + 1], spec.for_sequence(b)


def _after_copies(
    q_1HQD: Tensor, k_1GKD: Tensor, lse_1HQ: Tensor, spec: AttentionSpec, token_ids_K: Tensor
) -> tuple[Tensor, Tensor]:
    """duplicate_token and induction of one sequence, [1, H] each."""
    operands = (q_1HQD, k_1GKD, lse_1HQ, spec)
    duplicate, induction = (lse_1HQ.new_zeros(lse_1HQ.shape[:2], dtype=torch.float32) for _ in range(2))
    order, copies = _copies_before(token_ids_K)
    for queries, keys in _edges_to_copies(order, copies):
        duplicate += map_pairs(*operands, queries[None, None], keys[None, None]).sum(-1)
        induction += map_pairs(*operands, queries[None, None], keys[None, None] + 1).sum(-1)
    rows = ((lse_1HQ > -torch.inf) & (copies[order.argsort()] > 0)).sum(-1).clamp(min=1)
    return duplicate / rows, induction / rows


def _copies_before(token_ids_K: Tensor) -> tuple[Tensor, Tensor]:
    """Positions sorted by token, equal ones in order; and for each, how many of its token come before it there."""
    ids, order = token_ids_K.sort(stable=True)
    at = torch.arange(len(ids), device=ids.device)
    begins = torch.where(at > 0, ids != ids.roll(1), True)
    return order, at - torch.where(begins, at, 0).cummax(0).values


def _edges_to_copies(order_K: Tensor, copies_K: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Edges from every token to its earlier copies, queries and keys [E], at most about EDGES at a time.

    Cost: synchronises the GPU once, to learn how many there are.
    """
    ends = copies_K.cumsum(0)
    total = int(ends[-1])
    for start in range(0, total, EDGES):
        edge = torch.arange(start, min(start + EDGES, total), device=order_K.device)
        of = torch.searchsorted(ends, edge, right=True)
        back = ends[of] - edge  # 1 for the nearest copy
        yield order_K[of], order_K[of - back]
