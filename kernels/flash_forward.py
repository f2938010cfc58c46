"""Attention forward in Triton: out and log-sum-exp in one pass over the keys, never the map.

Its twin for every other device is kernels/cpu/attend.py.
"""

# mypy: disable-error-code="no-untyped-def"
# Device functions take Triton's own values, which have no Python types.
from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.scores import (
    LN2,
    Blocks,
    block_width,
    check_dtype,
    key_bounds,
    keys_of,
    load_rows,
    log2_scores,
    scoring,
    visible,
)
from kernels.spec import AttentionSpec

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width
# i_ index, o_ offsets, m_ mask, p_ pointer, b_ block; blocks are [q queries, k keys, d width]


def attend(
    q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, spec: AttentionSpec, blocks: Blocks | None = None
) -> tuple[Tensor, Tensor]:
    """out_BHQD in the dtype of q, and lse_BHQ in float32 nats. Not differentiable.

    Source: FlashAttention-2 (arXiv 2307.08691), Algorithm 1.
    """
    check_dtype(q_BHQD)
    batch, heads, queries, width = q_BHQD.shape
    blocks = blocks or _blocks(q_BHQD.dtype, width)
    factor, softcap_log2, window, key_lengths, flags = scoring(spec, q_BHQD)
    out = torch.empty(q_BHQD.shape, dtype=q_BHQD.dtype, device=q_BHQD.device)
    lse = torch.empty(q_BHQD.shape[:3], dtype=torch.float32, device=q_BHQD.device)
    _forward_kernel[(triton.cdiv(queries, blocks.queries), batch * heads)](
        q_BHQD,
        k_BGKD,
        v_BGKD,
        out,
        lse,
        key_lengths,
        *q_BHQD.stride(),
        *k_BGKD.stride(),
        *v_BGKD.stride(),
        heads,
        heads // k_BGKD.shape[1],
        queries,
        k_BGKD.shape[2],
        factor,
        softcap_log2,
        window,
        **flags,
        WIDTH=width,
        BLOCK_Q=blocks.queries,
        BLOCK_K=blocks.keys,
        BLOCK_D=block_width(width),
        num_warps=blocks.num_warps,
        num_stages=blocks.num_stages,
    )
    return out, lse


def _blocks(dtype: torch.dtype, width: int) -> Blocks:
    """float32 has no tensor cores to keep its product out of the registers: more would spill."""
    if dtype == torch.float32:
        return Blocks(32, 32)
    if width > 128:
        return Blocks(64, 32)
    return Blocks(128, 64, num_warps=4 if width <= 64 else 8)


@triton.jit
def _forward_kernel(
    p_q,
    p_k,
    p_v,
    p_out,
    p_lse,
    p_key_lengths,
    stride_q_batch,
    stride_q_head,
    stride_q_row,
    stride_q_width,
    stride_k_batch,
    stride_k_head,
    stride_k_row,
    stride_k_width,
    stride_v_batch,
    stride_v_head,
    stride_v_row,
    stride_v_width,
    heads,
    shared,  # query heads of a key head
    queries,
    keys,
    factor,
    softcap_log2,
    window,
    CAUSAL: tl.constexpr,
    HAS_WINDOW: tl.constexpr,
    HAS_SOFTCAP: tl.constexpr,
    HAS_LENGTHS: tl.constexpr,
    WIDTH: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    # Causal rows get longer downwards: the longest start first, so that none is left alone at the end.
    i_block = tl.num_programs(0) - 1 - tl.program_id(0)
    i_batch = (tl.program_id(1) // heads).to(tl.int64)
    i_head = (tl.program_id(1) % heads).to(tl.int64)
    p_q += i_batch * stride_q_batch + i_head * stride_q_head
    p_k += i_batch * stride_k_batch + i_head // shared * stride_k_head
    p_v += i_batch * stride_v_batch + i_head // shared * stride_v_head
    row_0 = (i_batch * heads + i_head) * queries

    first = i_block * BLOCK_Q
    o_q = first + tl.arange(0, BLOCK_Q)
    b_q = load_rows(p_q, o_q, queries, stride_q_row, stride_q_width, WIDTH, BLOCK_D)  # [q, d]
    b_out = tl.zeros([BLOCK_Q, BLOCK_D], tl.float32)
    b_max = tl.full([BLOCK_Q], float("-inf"), tl.float32)
    b_sum = tl.zeros([BLOCK_Q], tl.float32)

    offset = keys - queries
    key_stop = keys_of(p_key_lengths, i_batch, keys, HAS_LENGTHS)
    last = tl.minimum(first + BLOCK_Q, queries) - 1
    start, inner_start, inner_stop, stop = key_bounds(
        first, last, offset, window, 0, key_stop, CAUSAL, HAS_WINDOW, BLOCK_K
    )
    for part in tl.static_range(3):  # left edge, interior, right edge: only the edges pay for a mask
        if part == 0:
            low, high = start, inner_start
        elif part == 1:
            low, high = inner_start, inner_stop
        else:
            low, high = inner_stop, stop
        for i_key in range(low, high, BLOCK_K):
            o_k = i_key + tl.arange(0, BLOCK_K)
            b_k = load_rows(p_k, o_k, key_stop, stride_k_row, stride_k_width, WIDTH, BLOCK_D)  # [k, d]
            b_v = load_rows(p_v, o_k, key_stop, stride_v_row, stride_v_width, WIDTH, BLOCK_D)  # [k, d]
            b_s = log2_scores(b_q, b_k, factor, softcap_log2, HAS_SOFTCAP)  # [q, k]
            if part != 1:
                m_seen = visible(o_q, o_k, offset, window, key_stop, CAUSAL, HAS_WINDOW)
                b_s = tl.where(m_seen, b_s, float("-inf"))
            b_new_max = tl.maximum(b_max, tl.max(b_s, 1))
            b_top = b_new_max
            if part != 1:
                # A row that has seen no key yet: -inf - -inf would be NaN.
                b_top = tl.where(b_new_max == float("-inf"), 0.0, b_new_max)
            b_p = tl.exp2(b_s - b_top[:, None])
            b_decay = tl.exp2(b_max - b_top)
            b_sum = b_sum * b_decay + tl.sum(b_p, 1)
            b_out = b_out * b_decay[:, None]
            b_out += tl.dot(b_p.to(b_v.dtype), b_v, input_precision="ieee")
            b_max = b_new_max

    m_q = o_q < queries
    # Without keys: 0 / 1, and -inf + log2(1).
    b_sum = tl.where(b_sum == 0.0, 1.0, b_sum)
    b_out = b_out / b_sum[:, None]
    b_lse = (b_max + tl.log2(b_sum)) * LN2
    o_d = tl.arange(0, BLOCK_D)
    p_rows = p_out + (row_0 + o_q)[:, None] * WIDTH + o_d[None, :]
    tl.store(p_rows, b_out.to(p_out.dtype.element_ty), mask=m_q[:, None] & (o_d < WIDTH)[None, :])
    tl.store(p_lse + row_0 + o_q, b_lse, mask=m_q)
