"""What can be told of the attention map in numbers: of each head, of each key, of single edges, of each row."""

from __future__ import annotations

from collections.abc import Collection
from types import ModuleType

import torch
from torch import Tensor

from kernels import cpu, reference
from kernels.dispatch.choice import Implementation, implementation_of
from kernels.dispatch.maps import map_pool
from kernels.spec import NEAR, AttentionSpec, Summary, TopKeys
from kernels.spec.checks import (
    check_cell,
    check_edges,
    check_lse,
    check_queries_and_keys,
    check_span,
    check_token_ids,
)

# B batch, H query heads, G key/value heads (H a multiple of G), Q queries, K keys, D head width

# What map_stats tells unless it is asked for some of them by name.
MEASURES = (
    "entropy",
    "distance",
    "diagonal",
    "previous_token",
    "next_token",
    "first_token",
    "duplicate_token",
    "induction",
)


def map_stats(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    lse_BHQ: Tensor,
    spec: AttentionSpec,
    token_ids_BK: Tensor | None,
    measures: Collection[str] | None = None,
    *,
    implementation: Implementation | None = None,
) -> dict[str, Tensor]:
    """Measures of each head: means over the query rows that see at least one key (0 if there is none).

    Query i stands at key s = i + (K - Q) where the spec speaks of positions (`AttentionSpec.positional`), else
    at s = i. For p, a row of the map, which sinks and edge_scale leave short of 1:

        entropy          -sum p_j ln p_j, in nats                    Clark et al. 2019 (1906.04341), 3.3
        distance         sum p_j |s - j|, in tokens                  Vig & Belinkov 2019 (1906.04284)
        diagonal         p_s, attention to itself                    Clark et al. 2019, 3.1
        previous_token   p_(s-1)                                     Clark et al. 2019, 3.1
        next_token       p_(s+1)                                     Clark et al. 2019, 3.1
        first_token      p_0 (of key_starts), the usual sink         Xiao et al. 2023 (2309.17453), 3.1
        duplicate_token  mass on earlier copies of the own token:    Wang et al. 2022 (2211.00593), 3
                         j < i with ids[j] == ids[i]
        induction        mass on what followed earlier copies:       Olsson et al. 2022 (2209.11895)
                         0 < j <= i with ids[j - 1] == ids[i]

        sink             mass that the spec's learned sinks take,     gpt-oss (2508.10925), 2
                         0 without them; only if named in `measures`

    `measures` names some of them, in any order; None is all but sink.
    duplicate_token and induction only when token_ids are given and Q == K, and over those rows alone whose token has
    stood in the sequence before: no other row has anything to look back at.

    Shapes: (B, H) each, float32; "reference" keeps float64.
    Raises: ValueError if token_ids are not [B, K], or a name is none of these.
    """
    check_queries_and_keys(q_BHQD, k_BGKD, spec)
    check_lse(q_BHQD, lse_BHQ)
    unknown = set(measures or ()) - {*MEASURES, "sink"}
    if unknown:
        raise ValueError(f"measures must be some of {', '.join(MEASURES)} and sink, got {', '.join(sorted(unknown))}")
    check_token_ids(k_BGKD, token_ids_BK)
    name = implementation_of(implementation, "map_stats", q_BHQD.device, spec, q_BHQD.shape[3])
    with torch.no_grad(), torch.cuda.device_of(q_BHQD):
        stats = _twin(name).map_stats(q_BHQD, k_BGKD, lse_BHQ, spec, token_ids_BK)
    if measures is None:
        return stats
    if "sink" in measures:
        stats["sink"] = _mass_of_sinks(lse_BHQ, spec).to(stats["entropy"].dtype)
    return {name: means_BH for name, means_BH in stats.items() if name in measures}


def map_received(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    lse_BHQ: Tensor,
    spec: AttentionSpec,
    *,
    implementation: Implementation | None = None,
) -> Tensor:
    """The attention that each key receives: the column sums of the map, which add up to the mass of its rows.

    Shapes: (B, H, K), float32; "reference" keeps float64.
    Source: H2O (arXiv 2306.14048), section 4, where they are accumulated scores.
    """
    check_queries_and_keys(q_BHQD, k_BGKD, spec)
    check_lse(q_BHQD, lse_BHQ)
    name = implementation_of(implementation, "map_received", q_BHQD.device, spec, q_BHQD.shape[3])
    with torch.no_grad(), torch.cuda.device_of(q_BHQD):
        return _twin(name).map_received(q_BHQD, k_BGKD, lse_BHQ, spec)


def map_edges(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    lse_BHQ: Tensor,
    spec: AttentionSpec,
    queries_E: Tensor,
    keys_E: Tensor,
    *,
    implementation: Implementation | None = None,
) -> Tensor:
    """Probabilities of single edges, from query queries[e] to key keys[e], in O(edges x width).

    Shapes: (B, H, E), float32; "reference" keeps float64.
    Raises: ValueError unless both are integers [E] within the map.
    """
    check_queries_and_keys(q_BHQD, k_BGKD, spec)
    check_lse(q_BHQD, lse_BHQ)
    check_edges(q_BHQD, k_BGKD, queries_E, keys_E)
    name = implementation_of(implementation, "map_edges", q_BHQD.device, spec, q_BHQD.shape[3])
    with torch.no_grad(), torch.cuda.device_of(q_BHQD):
        return _twin(name).map_edges(q_BHQD, k_BGKD, lse_BHQ, spec, queries_E, keys_E)


def map_top_keys(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    lse_BHQ: Tensor,
    spec: AttentionSpec,
    count: int,
    rows: range | None = None,
    *,
    implementation: Implementation | None = None,
) -> TopKeys:
    """The `count` strongest keys of each row, exactly, strongest first; of equals, any.

    Shapes: keys and probabilities (B, H, len(rows), count); "reference" keeps float64.
    Raises: ValueError if count is less than 1 or rows leave the map.
    """
    check_queries_and_keys(q_BHQD, k_BGKD, spec)
    check_lse(q_BHQD, lse_BHQ)
    rows = range(q_BHQD.shape[2]) if rows is None else rows
    check_span("rows", rows, q_BHQD.shape[2])
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    name = implementation_of(implementation, "map_top_keys", q_BHQD.device, spec, q_BHQD.shape[3])
    with torch.no_grad(), torch.cuda.device_of(q_BHQD):
        return _twin(name).map_top_keys(q_BHQD, k_BGKD, lse_BHQ, spec, count, rows)


def map_summary(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    lse_BHQ: Tensor,
    spec: AttentionSpec,
    cell: int,
    token_ids_BK: Tensor | None,
    *,
    implementation: Implementation | None = None,
) -> Summary:
    """The maximum of `map_pool` over the whole map, `map_stats`, `map_received`, and the keys near each position.

    "cpu" and "torch" take all of it from the same scores, for little more than map_stats alone. Where the
    operations run under different implementations, each makes its own.

    Shapes: maximum (B, H, ceil(Q / cell), ceil(K / cell)), measures (B, H) each, received (B, H, K),
        near (B, H, Q, 2 NEAR + 1), float32; "reference" keeps float64.
    Raises: ValueError if cell is no power of two, or token_ids are not [B, K].
    """
    operands = (q_BHQD, k_BGKD, lse_BHQ, spec)
    pools = implementation_of(implementation, "map_pool", q_BHQD.device, spec, q_BHQD.shape[3])
    measures = implementation_of(implementation, "map_stats", q_BHQD.device, spec, q_BHQD.shape[3])
    if pools != measures or pools in ("reference", "triton"):
        pooled = map_pool(*operands, cell, mean=False, implementation=pools)
        stats = map_stats(*operands, token_ids_BK, implementation=measures)
        received = map_received(*operands, implementation=implementation)
        return Summary(pooled.maximum, stats, received, _near(*operands, implementation))
    check_queries_and_keys(q_BHQD, k_BGKD, spec)
    check_lse(q_BHQD, lse_BHQ)
    check_cell(cell)
    check_token_ids(k_BGKD, token_ids_BK)
    with torch.no_grad():
        return cpu.map_summary(*operands, cell, token_ids_BK)


def _near(
    q_BHQD: Tensor, k_BGKD: Tensor, lse_BHQ: Tensor, spec: AttentionSpec, implementation: Implementation | None
) -> Tensor:
    """The band of the map around each query's own position, entry by entry."""
    queries, keys = q_BHQD.shape[2], k_BGKD.shape[2]
    i = torch.arange(queries, device=q_BHQD.device)[:, None]
    offsets = torch.arange(-NEAR, NEAR + 1, device=q_BHQD.device)
    j = i + (keys - queries if spec.positional else 0) + offsets
    inside = (j >= 0) & (j < keys)
    edges = i.expand_as(j)[inside], j[inside]
    weights = map_edges(q_BHQD, k_BGKD, lse_BHQ, spec, *edges, implementation=implementation)
    near = weights.new_zeros(*q_BHQD.shape[:2], *j.shape)
    near[..., inside] = weights
    return near


def _twin(name: Implementation) -> ModuleType:
    """The code that runs an operation, which goes by one name in all of them."""
    if name == "triton":
        from kernels import gpu  # imports Triton, which only CUDA machines need

        return gpu
    return reference if name == "reference" else cpu


def _mass_of_sinks(lse_BHQ: Tensor, spec: AttentionSpec) -> Tensor:
    """Known from the normaliser alone: the sink's probability is exp(sink - lse)."""
    if spec.sinks is None:
        return lse_BHQ.new_zeros(lse_BHQ.shape[:2])
    seeing_BHQ = lse_BHQ > -torch.inf
    mass_BHQ = (spec.sinks.to(lse_BHQ.dtype)[:, None] - lse_BHQ).exp().masked_fill(~seeing_BHQ, 0)
    return mass_BHQ.sum(-1) / seeing_BHQ.sum(-1).clamp(min=1)
