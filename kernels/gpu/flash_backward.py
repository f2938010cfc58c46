"""Gradients of attention in Triton, from q, k, v, the log-sum-exp and the gradient of out.

Two kernels, each of which writes every element once, so that the same bits come every time: one walks along the
rows for dq, one down the columns for dk and dv, with the query heads of a key head one after another. Together
they make the scores twice; adding dq up with atomics would make them once, in another order every time.
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
    heads_of,
    load_normaliser,
    load_tile,
    load_vector,
    normaliser,
    store_rows,
)
from kernels.gpu.scores import capped, edge_factors, keys_to, scores, scoring, unit
from kernels.gpu.tiles import lists, tile_at, walk_column, walk_row
from kernels.spec import AttentionSpec

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width
# i_ index, o_ offsets, m_ mask, p_ pointer, b_ block; blocks are [q queries, k keys, d width]


def backward(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    v_BGKD: Tensor,
    lse_BHQ: Tensor,
    delta_BHQ: Tensor,
    d_out_BHQD: Tensor,
    spec: AttentionSpec,
    *,
    configs: tuple[Configuration, Configuration] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of q, k and v, in their dtypes; `delta` is the row sum of out times its gradient, in float32.

    Not for relative_keys, whose gradient is another product. `configs` are those of rows and of columns.
    Source: FlashAttention-2 (arXiv 2307.08691), Algorithm 2: dS = P * (dP - delta), dP = dO V^T.
    """
    check_operands(q_BHQD, v_BGKD)
    batch, heads, queries, width = q_BHQD.shape
    _, key_heads, keys, value_width = v_BGKD.shape
    widest = max(width, value_width)
    by_row, by_column = configs or (
        configuration("queries_backward", q_BHQD, widest, spec),
        configuration("keys_backward", q_BHQD, widest, spec),
    )
    d_q, d_k, d_v = (torch.empty_like(x, memory_format=torch.contiguous_format) for x in (q_BHQD, k_BGKD, v_BGKD))
    operands = (*map(heads_of, (q_BHQD, k_BGKD, v_BGKD, d_out_BHQD)), normaliser(lse_BHQ), delta_BHQ.contiguous())
    sp = scoring(spec, q_BHQD, k_BGKD)
    whole = (spec, queries, keys, range(queries), range(keys))
    widths = {
        "WIDTH": width,
        "VALUE_WIDTH": value_width,
        "BLOCK_D": block_width(width),
        "BLOCK_V": block_width(value_width),
    }
    _queries_kernel[(triton.cdiv(queries, by_row.queries), batch * heads)](
        *operands,
        heads_of(d_q),
        spec.scale,
        sp,
        lists(*whole, by_row[:2], q_BHQD.device),
        **widths,
        BLOCK_Q=by_row.queries,
        BLOCK_K=by_row.keys,
        **by_row.launch,
    )
    _keys_kernel[(triton.cdiv(keys, by_column.keys), batch * key_heads)](
        *operands,
        heads_of(d_k),
        heads_of(d_v),
        spec.scale,
        sp,
        lists(*whole, by_column[:2], q_BHQD.device, of_columns=True),
        **widths,
        BLOCK_Q=by_column.queries,
        BLOCK_K=by_column.keys,
        **by_column.launch,
    )
    return d_q, d_k, d_v


@triton.jit
def _queries_kernel(
    q,
    k,
    v,
    d_out,
    p_normaliser,
    p_delta,
    d_q,
    scale,
    sp,
    lists,
    WIDTH: tl.constexpr,
    VALUE_WIDTH: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_V: tl.constexpr,
):
    # As in the forward pass, the longest rows start first.
    i_block = tl.num_programs(0) - 1 - tl.program_id(0)
    i_pair = tl.program_id(1).to(tl.int64)
    i_batch, i_head = i_pair // sp.heads, i_pair % sp.heads
    i_group = i_head // sp.shared

    first_q = i_block * BLOCK_Q
    last = tl.minimum(first_q + BLOCK_Q, sp.queries) - 1
    o_q = first_q + tl.arange(0, BLOCK_Q)
    b_q = load_tile(q, i_batch, i_head, first_q, sp.queries, BLOCK_Q, WIDTH, BLOCK_D, True)  # [q, d]
    b_d_out = load_tile(d_out, i_batch, i_head, first_q, sp.queries, BLOCK_Q, VALUE_WIDTH, BLOCK_V, True)  # [q, d]
    b_normaliser = load_normaliser(p_normaliser, i_pair, first_q, sp, sp.queries, BLOCK_Q, True)  # [q]
    b_delta = load_vector(p_delta + i_pair * sp.queries, first_q, sp.queries, 0.0, BLOCK_Q, True)  # [q]
    b_d_q = tl.zeros([BLOCK_Q, BLOCK_D], tl.float32)

    key_stop = keys_to(sp, i_batch, sp.keys)
    for MASKED in tl.static_range(2):
        steps, low, gap_at, gap = walk_row(
            sp, lists, i_batch, i_head, i_block, first_q, last, 0, 0, key_stop, sp.keys, MASKED, BLOCK_K
        )
        for i_step in range(steps):
            first_k = tile_at(lists, i_batch, i_head, i_block, i_step, low, gap_at, gap, MASKED) * BLOCK_K
            o_k = first_k + tl.arange(0, BLOCK_K)
            b_k = load_tile(k, i_batch, i_group, first_k, key_stop, BLOCK_K, WIDTH, BLOCK_D, MASKED)  # [k, d]
            b_v = load_tile(v, i_batch, i_group, first_k, key_stop, BLOCK_K, VALUE_WIDTH, BLOCK_V, MASKED)  # [k, d]
            b_s = tl.dot(b_q, tl.trans(b_k), input_precision="ieee")  # [q, k]
            b_p, b_edited, b_slope = probabilities(
                b_s, b_normaliser[:, None], sp, i_batch, i_head, o_q[:, None], o_k[None, :], key_stop, MASKED
            )
            b_d_s = score_gradients(b_p, b_edited, b_slope, b_d_out, b_v, b_delta[:, None], sp)
            b_d_q += tl.dot(b_d_s.to(b_k.dtype), b_k, input_precision="ieee")
    store_rows(d_q, i_batch, i_head, o_q, sp.queries, b_d_q * scale, WIDTH, BLOCK_D)


@triton.jit
def _keys_kernel(
    q,
    k,
    v,
    d_out,
    p_normaliser,
    p_delta,
    d_k,
    d_v,
    scale,
    sp,
    lists,
    WIDTH: tl.constexpr,
    VALUE_WIDTH: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_V: tl.constexpr,
):
    # Causal columns get shorter to the right, so in order the longest start first.
    i_block = tl.program_id(0)
    key_heads = sp.heads // sp.shared
    i_batch = (tl.program_id(1) // key_heads).to(tl.int64)
    i_group = (tl.program_id(1) % key_heads).to(tl.int64)

    key_stop = keys_to(sp, i_batch, sp.keys)
    first_k = i_block * BLOCK_K
    o_k = first_k + tl.arange(0, BLOCK_K)
    b_k = load_tile(k, i_batch, i_group, first_k, key_stop, BLOCK_K, WIDTH, BLOCK_D, True)  # [k, d]
    b_v = load_tile(v, i_batch, i_group, first_k, key_stop, BLOCK_K, VALUE_WIDTH, BLOCK_V, True)  # [k, d]
    b_d_k = tl.zeros([BLOCK_K, BLOCK_D], tl.float32)
    b_d_v = tl.zeros([BLOCK_K, BLOCK_V], tl.float32)

    for i_member in range(sp.shared):
        i_head = i_group * sp.shared + i_member
        i_pair = i_batch * sp.heads + i_head
        for MASKED in tl.static_range(2):
            steps, low, gap_at, gap = walk_column(
                sp, lists, i_batch, i_head, i_block, first_k, first_k + BLOCK_K - 1, key_stop, MASKED, BLOCK_Q
            )
            for i_step in range(steps):
                first_q = tile_at(lists, i_batch, i_head, i_block, i_step, low, gap_at, gap, MASKED) * BLOCK_Q
                o_q = first_q + tl.arange(0, BLOCK_Q)
                # The last tile of a list may be ragged in its rows, and yet full.
                RAGGED: tl.constexpr = MASKED or lists is not None
                b_q = load_tile(q, i_batch, i_head, first_q, sp.queries, BLOCK_Q, WIDTH, BLOCK_D, RAGGED)  # [q, d]
                b_d_out = load_tile(
                    d_out, i_batch, i_head, first_q, sp.queries, BLOCK_Q, VALUE_WIDTH, BLOCK_V, RAGGED
                )  # [q, d]
                b_normaliser = load_normaliser(p_normaliser, i_pair, first_q, sp, sp.queries, BLOCK_Q, RAGGED)  # [q]
                # Scores stand on their side, [k, q], so that both products below read them as they are.
                b_s = tl.dot(b_k, tl.trans(b_q), input_precision="ieee")
                b_p, b_edited, b_slope = probabilities(
                    b_s, b_normaliser[None, :], sp, i_batch, i_head, o_q[None, :], o_k[:, None], key_stop, MASKED
                )
                b_d_v += tl.dot(b_edited.to(b_d_out.dtype), b_d_out, input_precision="ieee")
                b_delta = load_vector(p_delta + i_pair * sp.queries, first_q, sp.queries, 0.0, BLOCK_Q, RAGGED)  # [q]
                b_d_s = score_gradients(b_p, b_edited, b_slope, b_v, b_d_out, b_delta[None, :], sp)
                b_d_k += tl.dot(b_d_s.to(b_q.dtype), b_q, input_precision="ieee")
    store_rows(d_k, i_batch, i_group, o_k, sp.keys, b_d_k * scale, WIDTH, BLOCK_D)
    store_rows(d_v, i_batch, i_group, o_k, sp.keys, b_d_v, VALUE_WIDTH, BLOCK_V)


@triton.jit
def probabilities(b_s, b_normaliser, sp, i_batch, i_head, i, j, key_stop, MASKED: tl.constexpr):
    """The softmax of a tile's products, the same as edited, and the slope of softcap."""
    b_s = capped(b_s, sp, i_batch, i_head, i, j)
    b_slope = b_s
    if sp.softcap is not None:
        b_tanh = b_s / sp.softcap
        b_slope = 1.0 - b_tanh * b_tanh
    b_s = scores(b_s, sp, i_batch, i_head, i, j, key_stop, MASKED)
    b_p = tl.exp2(b_s * unit(sp) - b_normaliser)
    b_edited = b_p
    if MASKED and sp.edge_scale is not None:
        b_edited = b_p * tl.exp2(edge_factors(sp, i_batch, i_head, i, j))
    return b_p, b_edited, b_slope


@triton.jit
def score_gradients(b_p, b_edited, b_slope, b_rows, b_cols, b_delta, sp):
    """Gradients of the products, but for scale; those of the probabilities are b_rows b_cols^T.

    Where it can, the product begins at -delta, which then needs no registers of its own.
    """
    if sp.edge_scale is not None:
        b_d_s = b_edited * tl.dot(b_rows, tl.trans(b_cols), input_precision="ieee") - b_p * b_delta
    else:
        b_start = tl.zeros(b_p.shape, tl.float32) - b_delta
        b_d_s = b_p * tl.dot(b_rows, tl.trans(b_cols), acc=b_start, input_precision="ieee")
    if sp.softcap is not None:
        b_d_s *= b_slope
    return b_d_s
