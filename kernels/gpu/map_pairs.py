"""Single entries of the attention map in Triton, from a list of edges: O(D) each, however large the map.

The strongest keys of a row are found in two steps: the maximum of each block of keys leaves a few blocks, among
which they must be, and the entries of those are compared one by one.
"""

# mypy: disable-error-code="no-untyped-def"
# Device functions take Triton's own values, which have no Python types.
from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.gpu.configurations import Configuration, configuration
from kernels.gpu.operands import (
    block_width,
    check_operands,
    gather_rows,
    head_at,
    heads_of,
    load_tile,
    normaliser,
)
from kernels.gpu.scores import capped, edited, keys_to, products, scores, scoring, unit
from kernels.spec import AttentionSpec, TopKeys

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width, E edges, R rows, T top keys, C blocks
# i_ index, o_ offsets, m_ mask, p_ pointer, b_ block; blocks are [q queries, k keys, d width], e edges

SEARCHED = 64  # keys of a block in the search for the strongest
CANDIDATES = 1 << 24  # entries looked at by one launch at most


def map_pairs(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    lse_BHQ: Tensor,
    spec: AttentionSpec,
    queries: Tensor,
    keys: Tensor,
    *,
    config: Configuration | None = None,
) -> Tensor:
    """Probabilities of edges from queries to keys, float32 [B, H, E]; 0 for an end outside of the map.

    Shapes: queries and keys [B or 1, H or 1, E], integers.
    """
    check_operands(q_BHQD)
    batch, heads, _, width = q_BHQD.shape
    config = config or configuration("pairs", q_BHQD, width, spec)
    edges = queries.shape[2]
    weights = q_BHQD.new_empty(batch, heads, edges, dtype=torch.float32)
    if edges:
        _pairs_kernel[(triton.cdiv(edges, config.queries), batch * heads)](
            heads_of(q_BHQD),
            heads_of(k_BGKD),
            normaliser(lse_BHQ),
            heads_of(queries[..., None]),
            heads_of(keys[..., None]),
            weights,
            edges,
            scoring(spec, q_BHQD, k_BGKD),
            WIDTH=width,
            BLOCK_E=config.queries,
            BLOCK_D=block_width(width),
            **config.launch,
        )
    return weights


def map_edges(
    q_BHQD: Tensor, k_BGKD: Tensor, lse_BHQ: Tensor, spec: AttentionSpec, queries_E: Tensor, keys_E: Tensor
) -> Tensor:
    """`map_pairs` for the same edges in every head."""
    return map_pairs(q_BHQD, k_BGKD, lse_BHQ, spec, queries_E[None, None], keys_E[None, None])


def map_top_keys(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    lse_BHQ: Tensor,
    spec: AttentionSpec,
    count: int,
    rows: range,
    *,
    config: Configuration | None = None,
) -> TopKeys:
    """The `count` strongest keys of each of `rows`, exactly. Memory: count * 64 numbers a row, in chunks of rows."""
    batch, heads = q_BHQD.shape[:2]
    step = max(1, CANDIDATES // (batch * heads * count * SEARCHED))
    chunks = [
        _top_keys(q_BHQD, k_BGKD, lse_BHQ, spec, count, range(start, min(start + step, rows.stop)), config)
        for start in range(rows.start, rows.stop, step)
    ]
    return TopKeys(*(torch.cat(parts, dim=2) for parts in zip(*chunks, strict=True)))


def _top_keys(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    lse_BHQ: Tensor,
    spec: AttentionSpec,
    count: int,
    rows: range,
    config: Configuration | None,
) -> TopKeys:
    check_operands(q_BHQD)
    batch, heads, _, width = q_BHQD.shape
    keys = k_BGKD.shape[2]
    config = config or configuration("tile", q_BHQD, width, spec)
    blocks = triton.cdiv(keys, SEARCHED)
    maxima = q_BHQD.new_empty(batch, heads, len(rows), blocks, dtype=torch.float32)
    _maxima_kernel[(blocks, triton.cdiv(len(rows), config.queries), batch * heads)](
        heads_of(q_BHQD),
        heads_of(k_BGKD),
        heads_of(maxima),
        rows.start,
        rows.stop,
        scoring(spec, q_BHQD, k_BGKD),
        WIDTH=width,
        BLOCK_Q=config.queries,
        BLOCK_K=SEARCHED,
        BLOCK_D=block_width(width),
        **config.launch,
    )
    found = maxima.topk(min(count, blocks), dim=-1).indices
    key_BHRC = found[..., None] * SEARCHED + torch.arange(SEARCHED, device=q_BHQD.device)
    key_BHRT = key_BHRC.flatten(-2)
    query_R = torch.arange(rows.start, rows.stop, device=q_BHQD.device)
    edges = query_R[:, None].expand(1, 1, len(rows), key_BHRT.shape[-1]).flatten(2), key_BHRT.flatten(2)
    weights = map_pairs(q_BHQD, k_BGKD, lse_BHQ, spec, *edges).view(key_BHRT.shape)
    strongest = weights.topk(min(count, weights.shape[-1]))
    found = key_BHRT.gather(-1, strongest.indices).masked_fill(strongest.values == 0, -1)
    missing = (0, count - found.shape[-1])
    return TopKeys(
        torch.nn.functional.pad(found, missing, value=-1), torch.nn.functional.pad(strongest.values, missing)
    )


@triton.jit
def _pairs_kernel(
    q,
    k,
    p_normaliser,
    queries,
    keys,
    p_weights,
    edges,
    sp,
    WIDTH: tl.constexpr,
    BLOCK_E: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    i_pair = tl.program_id(1).to(tl.int64)
    i_batch, i_head = i_pair // sp.heads, i_pair % sp.heads
    o_e = tl.program_id(0) * BLOCK_E + tl.arange(0, BLOCK_E)
    m_e = o_e < edges
    b_i = tl.load(head_at(queries, i_batch, i_head) + o_e.to(tl.int64) * queries.row, mask=m_e, other=-1)  # [e]
    b_j = tl.load(head_at(keys, i_batch, i_head) + o_e.to(tl.int64) * keys.row, mask=m_e, other=-1)  # [e]
    m_inside = (b_i >= 0) & (b_i < sp.queries) & (b_j >= 0) & (b_j < sp.keys)
    b_i, b_j = tl.where(m_inside, b_i, 0), tl.where(m_inside, b_j, 0)
    b_q = gather_rows(q, i_batch, i_head, b_i, WIDTH, BLOCK_D).to(tl.float32)  # [e, d]
    b_k = gather_rows(k, i_batch, i_head // sp.shared, b_j, WIDTH, BLOCK_D).to(tl.float32)  # [e, d]

    i, j = b_i[:, None], b_j[:, None]
    b_s = capped(tl.sum(b_q * b_k, 1)[:, None], sp, i_batch, i_head, i, j)  # [e, 1]
    b_s = scores(b_s, sp, i_batch, i_head, i, j, keys_to(sp, i_batch, sp.keys), True)
    b_s = edited(b_s, sp, i_batch, i_head, i, j, True) * unit(sp)
    b_normaliser = tl.load(p_normaliser + i_pair * sp.queries + b_i)  # [e]
    b_p = tl.exp2(tl.sum(b_s, 1) - b_normaliser)  # the sum of one number: [e, 1] as [e]
    tl.store(p_weights + i_pair * edges + o_e, tl.where(m_inside, b_p, 0.0), mask=m_e)


@triton.jit
def _maxima_kernel(
    q,
    k,
    maxima,
    row_start,
    row_stop,
    sp,
    WIDTH: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    """Of every row the greatest score in one block of keys."""
    i_block = tl.program_id(0)
    i_pair = tl.program_id(2).to(tl.int64)
    i_batch, i_head = i_pair // sp.heads, i_pair % sp.heads
    first_q = row_start + tl.program_id(1) * BLOCK_Q
    o_q = first_q + tl.arange(0, BLOCK_Q)
    first_k = i_block * BLOCK_K
    o_k = first_k + tl.arange(0, BLOCK_K)
    i, j = o_q[:, None], o_k[None, :]
    b_q = load_tile(q, i_batch, i_head, first_q, row_stop, BLOCK_Q, WIDTH, BLOCK_D, True)  # [q, d]
    b_k = load_tile(k, i_batch, i_head // sp.shared, first_k, sp.keys, BLOCK_K, WIDTH, BLOCK_D, True)  # [k, d]
    b_s = products(b_q, b_k, sp, i_batch, i_head, i, j)  # [q, k]
    b_s = scores(b_s, sp, i_batch, i_head, i, j, keys_to(sp, i_batch, sp.keys), True)
    b_s = edited(b_s, sp, i_batch, i_head, i, j, True)
    p_maxima = head_at(maxima, i_batch, i_head) + (o_q - row_start).to(tl.int64) * maxima.row + i_block
    tl.store(p_maxima, tl.max(b_s, 1), mask=o_q < row_stop)
