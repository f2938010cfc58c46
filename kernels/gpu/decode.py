"""A few queries against many keys, as in decoding: the keys are split among programs, whose results are combined.

The query heads that share a key head are rows of one product, so that each key is read once:

    rows of a program   head 0 query 0, head 0 query 1, ... head 1 query 0, ...
"""

# mypy: disable-error-code="no-untyped-def"
# Device functions take Triton's own values, which have no Python types.
from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.gpu.configurations import Configuration, configuration
from kernels.gpu.flash_forward import Forward
from kernels.gpu.operands import LN2, LOG2E, block_width, check_operands, heads_of, load_tile
from kernels.gpu.scores import edge_factors, keys_from, keys_to, products, scores, scoring, unit
from kernels.spec import AttentionSpec

# B batch, H query heads, G key/value heads, R rows of a key head, Q queries, K keys, D head width, S splits
# i_ index, o_ offsets, m_ mask, p_ pointer, b_ block; blocks are [q rows, k keys, d width]

MOST_ROWS = 64  # of one key head: beyond, flash_forward fills its tiles as well
PROGRAMS = 264  # wanted at once: two for each multiprocessor of a large card
LEAST_TILES = 4  # of keys, for a split to be worth its combination


def is_few(q_BHQD: Tensor, k_BGKD: Tensor) -> bool:
    """Whether this is work for `attend` below rather than for flash_forward."""
    return q_BHQD.shape[2] * (q_BHQD.shape[1] // k_BGKD.shape[1]) <= MOST_ROWS


def attend(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    v_BGKD: Tensor,
    spec: AttentionSpec,
    *,
    splits: int | None = None,
    config: Configuration | None = None,
) -> Forward:
    """As `flash_forward.attend`, without measures of rows. The same shapes are split the same way every time.

    Source: Flash-Decoding (Dao, Haziza, Massa, Sizov 2023, pytorch.org/blog/flash-decoding).
    """
    check_operands(q_BHQD, v_BGKD)
    batch, heads, queries, width = q_BHQD.shape
    _, key_heads, keys, value_width = v_BGKD.shape
    config = config or configuration("decode", q_BHQD, max(width, value_width), spec)
    rows = queries * (heads // key_heads)
    if splits is None:
        most = triton.cdiv(keys, LEAST_TILES * config.keys)
        splits = max(1, min(most, triton.cdiv(PROGRAMS, batch * key_heads)))
    parts = q_BHQD.new_empty(batch, heads, queries, splits, value_width, dtype=torch.float32)
    part_lse = torch.empty_like(parts[..., 0])
    out = q_BHQD.new_empty(batch, queries, heads, value_width).transpose(1, 2)
    lse = torch.empty_like(part_lse[..., 0])
    _split_kernel[(splits, batch * key_heads)](
        heads_of(q_BHQD),
        heads_of(k_BGKD),
        heads_of(v_BGKD),
        parts,
        part_lse,
        scoring(spec, q_BHQD, k_BGKD),
        WIDTH=width,
        VALUE_WIDTH=value_width,
        BLOCK_Q=max(config.queries, triton.next_power_of_2(rows)),
        BLOCK_K=config.keys,
        BLOCK_D=block_width(width),
        BLOCK_V=block_width(value_width),
        **config.launch,
    )
    _combine_kernel[(batch * heads * queries,)](
        parts,
        part_lse,
        heads_of(out),
        lse,
        None if spec.sinks is None else spec.sinks.detach().float(),
        heads,
        queries,
        splits,
        VALUE_WIDTH=value_width,
        BLOCK_S=triton.next_power_of_2(splits),
        BLOCK_V=block_width(value_width),
    )
    return Forward(out, lse, None, None)


@triton.jit
def _split_kernel(
    q,
    k,
    v,
    p_parts,
    p_part_lse,
    sp,
    WIDTH: tl.constexpr,
    VALUE_WIDTH: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_V: tl.constexpr,
):
    i_split, splits = tl.program_id(0), tl.num_programs(0)
    key_heads = sp.heads // sp.shared
    i_batch = (tl.program_id(1) // key_heads).to(tl.int64)
    i_group = (tl.program_id(1) % key_heads).to(tl.int64)

    o_row = tl.arange(0, BLOCK_Q)
    m_row = o_row < sp.shared * sp.queries
    o_q = o_row % sp.queries
    o_head = i_group * sp.shared + tl.minimum(o_row // sp.queries, sp.shared - 1)  # [q]
    o_d = tl.arange(0, BLOCK_D)
    p_q = q.memory + i_batch * q.batch + (o_head * q.head + o_q * q.row)[:, None] + o_d[None, :] * q.column
    b_q = tl.load(p_q, mask=m_row[:, None] & (o_d < WIDTH)[None, :], other=0.0)  # [q, d]

    stop = keys_to(sp, i_batch, sp.keys)
    low = tl.minimum(keys_from(sp, i_batch), stop)
    if sp.before is not None and sp.prefix is None:
        low = tl.minimum(tl.maximum(low, sp.keys - sp.queries - sp.before), stop)
    tiles = (stop - low + BLOCK_K - 1) // BLOCK_K
    share = (tiles + splits - 1) // splits
    b_out = tl.zeros([BLOCK_Q, BLOCK_V], tl.float32)
    b_max = tl.full([BLOCK_Q], float("-inf"), tl.float32)
    b_sum = tl.zeros([BLOCK_Q], tl.float32)
    i, i_head = o_q[:, None], o_head[:, None]
    for i_tile in range(i_split * share, tl.minimum((i_split + 1) * share, tiles)):
        first_k = low + i_tile * BLOCK_K
        o_k = first_k + tl.arange(0, BLOCK_K)
        j = o_k[None, :]
        b_k = load_tile(k, i_batch, i_group, first_k, stop, BLOCK_K, WIDTH, BLOCK_D, True)  # [k, d]
        b_v = load_tile(v, i_batch, i_group, first_k, stop, BLOCK_K, VALUE_WIDTH, BLOCK_V, True)  # [k, d]
        b_s = products(b_q, b_k, sp, i_batch, i_head, i, j)  # [q, k]
        b_s = scores(b_s, sp, i_batch, i_head, i, j, stop, True) * unit(sp)
        b_new_max = tl.maximum(b_max, tl.max(b_s, 1))
        b_top = tl.where(b_new_max == float("-inf"), 0.0, b_new_max)
        b_t = b_s - b_top[:, None]
        b_p = tl.exp2(b_t)
        b_decay = tl.exp2(b_max - b_top)
        b_sum = b_sum * b_decay + tl.sum(b_p, 1)
        if sp.edge_scale is not None:
            b_p = tl.exp2(b_t + edge_factors(sp, i_batch, i_head, i, j))
        b_out = b_out * b_decay[:, None]
        b_out += tl.dot(b_p.to(b_v.dtype), b_v, input_precision="ieee")
        b_max = b_new_max

    b_sum = tl.where(b_sum == 0.0, 1.0, b_sum)
    o_part = ((i_batch * sp.heads + o_head) * sp.queries + o_q) * splits + i_split
    o_v = tl.arange(0, BLOCK_V)
    p_rows = p_parts + o_part[:, None] * VALUE_WIDTH + o_v[None, :]
    tl.store(p_rows, b_out / b_sum[:, None], mask=m_row[:, None] & (o_v < VALUE_WIDTH)[None, :])
    tl.store(p_part_lse + o_part, b_max + tl.log2(b_sum), mask=m_row)


@triton.jit
def _combine_kernel(
    p_parts,
    p_part_lse,
    out,
    p_lse,
    p_sinks,
    heads,
    queries,
    splits,
    VALUE_WIDTH: tl.constexpr,
    BLOCK_S: tl.constexpr,
    BLOCK_V: tl.constexpr,
):
    """One row: its parts, each a distribution of its own, weighted by their sums."""
    i_row = tl.program_id(0).to(tl.int64)
    i_pair, i_query = i_row // queries, i_row % queries
    i_batch, i_head = i_pair // heads, i_pair % heads
    o_s, o_v = tl.arange(0, BLOCK_S), tl.arange(0, BLOCK_V)
    b_lse = tl.load(p_part_lse + i_row * splits + o_s, mask=o_s < splits, other=float("-inf"))  # [s], log2
    top = tl.max(b_lse, 0)
    seen = top != float("-inf")
    if p_sinks is not None:
        sink = tl.load(p_sinks + i_head) * LOG2E
        top = tl.maximum(top, sink)
    top = tl.where(seen, top, 0.0)
    b_weight = tl.exp2(b_lse - top)
    total = tl.sum(b_weight, 0)
    if p_sinks is not None:
        total += tl.exp2(sink - top)
    total = tl.where(seen, total, 1.0)
    p_part = p_parts + (i_row * splits + o_s)[:, None] * VALUE_WIDTH + o_v[None, :]
    b_parts = tl.load(p_part, mask=(o_s < splits)[:, None] & (o_v < VALUE_WIDTH)[None, :], other=0.0)  # [s, d]
    b_out = tl.sum(b_parts * b_weight[:, None], 0) / total
    p_out = out.memory + i_batch * out.batch + i_head * out.head + i_query * out.row + o_v
    tl.store(p_out, b_out.to(out.memory.dtype.element_ty), mask=o_v < VALUE_WIDTH)
    tl.store(p_lse + i_row, tl.where(seen, (top + tl.log2(total)) * LN2, float("-inf")))
