"""Attention forward in Triton: out and log-sum-exp in one pass over the keys, never the map.

Its twin for every other device is kernels/cpu/attend.py.
"""

# mypy: disable-error-code="no-untyped-def"
# Device functions take Triton's own values, which have no Python types.
from __future__ import annotations

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.gpu.configurations import Configuration, configuration
from kernels.gpu.operands import LN2, LOG2E, block_width, check_operands, heads_of, load_tile, store_rows
from kernels.gpu.scores import edge_factors, keys_to, products, scores, scoring, unit
from kernels.gpu.tiles import lists, tile_at, walk_row
from kernels.spec import AttentionSpec

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width
# i_ index, o_ offsets, m_ mask, p_ pointer, b_ block; blocks are [q queries, k keys, d width]


class Forward(NamedTuple):
    """out_BHQD in the dtype of q; in float32, lse_BHQ in nats and, if asked for, of each row of the map:

    its entropy in nats and its maximum. Both are 0 for a row that sees no key.
    """

    out: Tensor
    lse: Tensor
    entropy: Tensor | None
    maximum: Tensor | None


def attend(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    v_BGKD: Tensor,
    spec: AttentionSpec,
    *,
    of_rows: bool = False,
    config: Configuration | None = None,
) -> Forward:
    """Attention but for head_gate. `of_rows` asks for entropy and maximum. Not differentiable.

    Raises: ValueError for `of_rows` with edge_scale, after which rows are no distributions.
    Source: FlashAttention-2 (arXiv 2307.08691), Algorithm 1. The entropy's running sum is that of p * (s - max),
        moved along whenever the maximum moves, so that nothing large cancels.
    """
    check_operands(q_BHQD, v_BGKD)
    if of_rows and spec.edge_scale is not None:
        raise ValueError("entropy and maximum are of the softmax, which edge_scale leaves: take them from map_stats")
    batch, heads, queries, width = q_BHQD.shape
    keys, value_width = v_BGKD.shape[2:]
    config = config or configuration("forward", q_BHQD, max(width, value_width), spec)
    out = q_BHQD.new_empty(batch, queries, heads, value_width).transpose(1, 2)
    lse = q_BHQD.new_empty(batch, heads, queries, dtype=torch.float32)
    entropy, maximum = (torch.empty_like(lse) if of_rows else None for _ in range(2))
    blocks = (config.queries, config.keys)
    _forward_kernel[(triton.cdiv(queries, config.queries), batch * heads)](
        heads_of(q_BHQD),
        heads_of(k_BGKD),
        heads_of(v_BGKD),
        heads_of(out),
        lse,
        entropy,
        maximum,
        None if spec.sinks is None else spec.sinks.detach().float(),
        scoring(spec, q_BHQD, k_BGKD),
        lists(spec, queries, keys, range(queries), range(keys), blocks, q_BHQD.device),
        WIDTH=width,
        VALUE_WIDTH=value_width,
        BLOCK_Q=config.queries,
        BLOCK_K=config.keys,
        BLOCK_D=block_width(width),
        BLOCK_V=block_width(value_width),
        **config.launch,
    )
    return Forward(out, lse, entropy, maximum)


@triton.jit
def _forward_kernel(
    q,
    k,
    v,
    out,
    p_lse,
    p_entropy,
    p_maximum,
    p_sinks,
    sp,
    lists,
    WIDTH: tl.constexpr,
    VALUE_WIDTH: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_V: tl.constexpr,
):
    # Causal rows get longer downwards: the longest start first, so that none is left alone at the end.
    i_block = tl.num_programs(0) - 1 - tl.program_id(0)
    i_pair = tl.program_id(1).to(tl.int64)
    i_batch, i_head = i_pair // sp.heads, i_pair % sp.heads
    i_group = i_head // sp.shared

    first_q = i_block * BLOCK_Q
    last = tl.minimum(first_q + BLOCK_Q, sp.queries) - 1
    o_q = first_q + tl.arange(0, BLOCK_Q)
    b_q = load_tile(q, i_batch, i_head, first_q, sp.queries, BLOCK_Q, WIDTH, BLOCK_D, True)  # [q, d]
    b_out = tl.zeros([BLOCK_Q, BLOCK_V], tl.float32)
    b_max = tl.full([BLOCK_Q], float("-inf"), tl.float32)
    b_sum = tl.zeros([BLOCK_Q], tl.float32)
    b_moment = tl.zeros([BLOCK_Q], tl.float32)  # of p * (s - max)

    key_stop = keys_to(sp, i_batch, sp.keys)
    for MASKED in tl.static_range(2):
        steps, low, gap_at, gap = walk_row(
            sp, lists, i_batch, i_head, i_block, first_q, last, 0, 0, key_stop, sp.keys, MASKED, BLOCK_K
        )
        for i_step in range(steps):
            first_k = tile_at(lists, i_batch, i_head, i_block, i_step, low, gap_at, gap, MASKED) * BLOCK_K
            o_k = first_k + tl.arange(0, BLOCK_K)
            i, j = o_q[:, None], o_k[None, :]
            b_k = load_tile(k, i_batch, i_group, first_k, key_stop, BLOCK_K, WIDTH, BLOCK_D, MASKED)  # [k, d]
            b_v = load_tile(v, i_batch, i_group, first_k, key_stop, BLOCK_K, VALUE_WIDTH, BLOCK_V, MASKED)  # [k, d]
            b_s = products(b_q, b_k, sp, i_batch, i_head, i, j)  # [q, k]
            b_s = scores(b_s, sp, i_batch, i_head, i, j, key_stop, MASKED)
            b_new_max = tl.maximum(b_max, tl.max(b_s, 1) * unit(sp))
            b_top = b_new_max
            if MASKED:
                # A row that has seen no key yet: -inf - -inf would be NaN.
                b_top = tl.where(b_new_max == float("-inf"), 0.0, b_new_max)
            b_t = b_s * unit(sp) - b_top[:, None]
            b_p = tl.exp2(b_t)
            b_decay = tl.exp2(b_max - b_top)
            if p_entropy is not None:
                # 0 * -inf, for hidden pairs and for rows that have seen none, is 0 here.
                b_moved = tl.where(b_sum == 0.0, 0.0, b_decay * (b_moment + (b_max - b_top) * b_sum))
                b_weighed = b_p * b_t
                if MASKED:
                    b_weighed = tl.where(b_p == 0.0, 0.0, b_weighed)
                b_moment = b_moved + tl.sum(b_weighed, 1)
            b_sum = b_sum * b_decay + tl.sum(b_p, 1)
            if MASKED and sp.edge_scale is not None:
                b_p = tl.exp2(b_t + edge_factors(sp, i_batch, i_head, i, j))
            b_out = b_out * b_decay[:, None]
            b_out += tl.dot(b_p.to(b_v.dtype), b_v, input_precision="ieee")
            b_max = b_new_max

    m_q = o_q < sp.queries
    m_seen = b_max != float("-inf")
    b_max = tl.where(m_seen, b_max, 0.0)
    b_mass = b_sum  # what the keys have of the denominator
    if p_sinks is not None:
        # One more logit in the denominator, without a value.
        b_sink = tl.load(p_sinks + i_head) * LOG2E
        b_top = tl.maximum(b_max, b_sink)
        b_decay = tl.exp2(b_max - b_top)
        b_out = b_out * b_decay[:, None]
        b_moment = b_decay * (b_moment + (b_max - b_top) * b_mass)
        b_mass = b_mass * b_decay
        b_sum = b_mass + tl.exp2(b_sink - b_top)
        b_score_max = b_max
        b_max = b_top
    else:
        b_score_max = b_max
    b_sum = tl.where(m_seen, b_sum, 1.0)
    b_log2_sum = tl.log2(b_sum)
    store_rows(out, i_batch, i_head, o_q, sp.queries, b_out / b_sum[:, None], VALUE_WIDTH, BLOCK_V)
    o_rows = i_pair * sp.queries + o_q
    tl.store(p_lse + o_rows, tl.where(m_seen, (b_max + b_log2_sum) * LN2, float("-inf")), mask=m_q)
    if p_entropy is not None:
        b_entropy = (b_log2_sum * b_mass - b_moment) / b_sum * LN2
        tl.store(p_entropy + o_rows, tl.where(m_seen, b_entropy, 0.0), mask=m_q)
        b_top_weight = tl.exp2(b_score_max - b_max - b_log2_sum)
        tl.store(p_maximum + o_rows, tl.where(m_seen, b_top_weight, 0.0), mask=m_q)
