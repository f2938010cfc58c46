"""Measures of the rows and columns of the attention map in Triton, in O(n) memory.

Rows are walked along and columns down, so that each sum stays in the registers of one program: no atomics.
"""

# mypy: disable-error-code="no-untyped-def"
# Device functions take Triton's own values, which have no Python types.
from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.gpu.configurations import Configuration, configuration
from kernels.gpu.operands import LN2, block_width, check_operands, heads_of, load_normaliser, load_tile, normaliser
from kernels.gpu.scores import edited, keys_to, products, scores, scoring, unit
from kernels.gpu.tiles import lists, tile_at, walk_column, walk_row
from kernels.spec import AttentionSpec

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width
# i_ index, o_ offsets, m_ mask, p_ pointer, b_ block; blocks are [q queries, k keys, d width]


def entropy_and_distance(
    q_BHQD: Tensor, k_BGKD: Tensor, lse_BHQ: Tensor, spec: AttentionSpec, *, config: Configuration | None = None
) -> tuple[Tensor, Tensor]:
    """-sum p ln p in nats and sum p |s - j| of each row, float32 [B, H, Q]; `dispatch.map_stats` says what s is."""
    check_operands(q_BHQD)
    batch, heads, queries, width = q_BHQD.shape
    keys = k_BGKD.shape[2]
    config = config or configuration("rows", q_BHQD, width, spec)
    entropy = q_BHQD.new_empty(batch, heads, queries, dtype=torch.float32)
    distance = torch.empty_like(entropy)
    _rows_kernel[(triton.cdiv(queries, config.queries), batch * heads)](
        heads_of(q_BHQD),
        heads_of(k_BGKD),
        normaliser(lse_BHQ),
        entropy,
        distance,
        keys - queries if spec.positional else 0,
        scoring(spec, q_BHQD, k_BGKD),
        lists(spec, queries, keys, range(queries), range(keys), config[:2], q_BHQD.device),
        WIDTH=width,
        BLOCK_Q=config.queries,
        BLOCK_K=config.keys,
        BLOCK_D=block_width(width),
        **config.launch,
    )
    return entropy, distance


def map_received(
    q_BHQD: Tensor, k_BGKD: Tensor, lse_BHQ: Tensor, spec: AttentionSpec, *, config: Configuration | None = None
) -> Tensor:
    """The attention that each key receives from all queries, float32 [B, H, K]."""
    check_operands(q_BHQD)
    batch, heads, queries, width = q_BHQD.shape
    keys = k_BGKD.shape[2]
    config = config or configuration("columns", q_BHQD, width, spec)
    sums = q_BHQD.new_empty(batch, heads, keys, dtype=torch.float32)
    _columns_kernel[(triton.cdiv(keys, config.keys), batch * heads)](
        heads_of(q_BHQD),
        heads_of(k_BGKD),
        normaliser(lse_BHQ),
        sums,
        scoring(spec, q_BHQD, k_BGKD),
        lists(spec, queries, keys, range(queries), range(keys), config[:2], q_BHQD.device, of_columns=True),
        WIDTH=width,
        BLOCK_Q=config.queries,
        BLOCK_K=config.keys,
        BLOCK_D=block_width(width),
        **config.launch,
    )
    return sums


@triton.jit
def _rows_kernel(
    q,
    k,
    p_normaliser,
    p_entropy,
    p_distance,
    shift,
    sp,
    lists,
    WIDTH: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    i_block = tl.num_programs(0) - 1 - tl.program_id(0)  # the longest rows start first
    i_pair = tl.program_id(1).to(tl.int64)
    i_batch, i_head = i_pair // sp.heads, i_pair % sp.heads

    first_q = i_block * BLOCK_Q
    last = tl.minimum(first_q + BLOCK_Q, sp.queries) - 1
    o_q = first_q + tl.arange(0, BLOCK_Q)
    b_q = load_tile(q, i_batch, i_head, first_q, sp.queries, BLOCK_Q, WIDTH, BLOCK_D, True)  # [q, d]
    b_normaliser = load_normaliser(p_normaliser, i_pair, first_q, sp, sp.queries, BLOCK_Q, True)  # [q]
    b_position = (o_q + shift).to(tl.float32)
    b_entropy = tl.zeros([BLOCK_Q], tl.float32)
    b_distance = tl.zeros([BLOCK_Q], tl.float32)

    key_stop = keys_to(sp, i_batch, sp.keys)
    for MASKED in tl.static_range(2):
        steps, low, gap_at, gap = walk_row(
            sp, lists, i_batch, i_head, i_block, first_q, last, 0, 0, key_stop, sp.keys, MASKED, BLOCK_K
        )
        for i_step in range(steps):
            first_k = tile_at(lists, i_batch, i_head, i_block, i_step, low, gap_at, gap, MASKED) * BLOCK_K
            o_k = first_k + tl.arange(0, BLOCK_K)
            i, j = o_q[:, None], o_k[None, :]
            b_k = load_tile(
                k, i_batch, i_head // sp.shared, first_k, key_stop, BLOCK_K, WIDTH, BLOCK_D, MASKED
            )  # [k, d]
            b_s = products(b_q, b_k, sp, i_batch, i_head, i, j)  # [q, k]
            b_s = scores(b_s, sp, i_batch, i_head, i, j, key_stop, MASKED)
            b_log2 = edited(b_s, sp, i_batch, i_head, i, j, MASKED) * unit(sp) - b_normaliser[:, None]
            b_p = tl.exp2(b_log2)
            if MASKED:
                b_log2 = tl.where(b_p == 0.0, 0.0, b_log2)  # 0 * -inf is 0 here
            b_entropy -= tl.sum(b_p * b_log2, 1)
            b_distance += tl.sum(b_p * tl.abs(b_position[:, None] - o_k.to(tl.float32)[None, :]), 1)

    o_rows = i_pair * sp.queries + o_q
    tl.store(p_entropy + o_rows, b_entropy * LN2, mask=o_q < sp.queries)
    tl.store(p_distance + o_rows, b_distance, mask=o_q < sp.queries)


@triton.jit
def _columns_kernel(
    q,
    k,
    p_normaliser,
    p_sums,
    sp,
    lists,
    WIDTH: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    i_block = tl.program_id(0)
    i_pair = tl.program_id(1).to(tl.int64)
    i_batch, i_head = i_pair // sp.heads, i_pair % sp.heads

    key_stop = keys_to(sp, i_batch, sp.keys)
    first_k = i_block * BLOCK_K
    o_k = first_k + tl.arange(0, BLOCK_K)
    b_k = load_tile(k, i_batch, i_head // sp.shared, first_k, key_stop, BLOCK_K, WIDTH, BLOCK_D, True)  # [k, d]
    b_sums = tl.zeros([BLOCK_Q, BLOCK_K], tl.float32)  # reduced once, at the end
    for MASKED in tl.static_range(2):
        steps, low, gap_at, gap = walk_column(
            sp, lists, i_batch, i_head, i_block, first_k, first_k + BLOCK_K - 1, key_stop, MASKED, BLOCK_Q
        )
        for i_step in range(steps):
            first_q = tile_at(lists, i_batch, i_head, i_block, i_step, low, gap_at, gap, MASKED) * BLOCK_Q
            o_q = first_q + tl.arange(0, BLOCK_Q)
            i, j = o_q[:, None], o_k[None, :]
            RAGGED: tl.constexpr = MASKED or lists is not None
            b_q = load_tile(q, i_batch, i_head, first_q, sp.queries, BLOCK_Q, WIDTH, BLOCK_D, RAGGED)  # [q, d]
            b_normaliser = load_normaliser(p_normaliser, i_pair, first_q, sp, sp.queries, BLOCK_Q, RAGGED)  # [q]
            b_s = products(b_q, b_k, sp, i_batch, i_head, i, j)  # [q, k]
            b_s = scores(b_s, sp, i_batch, i_head, i, j, key_stop, MASKED)
            b_s = edited(b_s, sp, i_batch, i_head, i, j, MASKED)
            b_sums += tl.exp2(b_s * unit(sp) - b_normaliser[:, None])
    tl.store(p_sums + i_pair * sp.keys + o_k, tl.sum(b_sums, 0), mask=o_k < sp.keys)
