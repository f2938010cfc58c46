"""Pooled attention maps in Triton: maximum and mean of every cell x cell block, never the whole map.

Its twin for every other device is `map_pool` of kernels/cpu/maps.py.

    cell < BLOCK: a program makes one tile,       cell >= BLOCK: a program walks the tiles of one cell
    which holds several cells                     and adds them up in registers before it reduces

        +--+--+--+--+                                 +-------+-------+
        |  |  |  |  |                                 | tile  | tile  |
        +--+--+--+--+   4 x 4 cells of one tile       +-------+-------+   one cell of 2 x 2 tiles
        |  |  |  |  |                                 | tile  | tile  |
        +--+--+--+--+                                 +-------+-------+

Either way each cell is written once, by one program: no atomics, the same bits every time.
"""

# mypy: disable-error-code="no-untyped-def"
# Device functions take Triton's own values, which have no Python types.
from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels import mask
from kernels.scores import (
    Blocks,
    block_width,
    check_dtype,
    key_bounds,
    keys_of,
    load_normaliser,
    load_rows,
    log2_scores,
    scoring,
    visible,
)
from kernels.spec import AttentionSpec, Pooled

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width, R and C rows and columns of cells
# i_ index, o_ offsets, m_ mask, p_ pointer, b_ block; blocks are [q queries, k keys, d width]


def map_pool(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    lse_BHQ: Tensor,
    spec: AttentionSpec,
    cell: int,
    rows: range,
    cols: range,
    blocks: Blocks | None = None,
) -> Pooled:
    """Maximum, and mean over visible pairs, float32 [B, H, R, C]. Tiles are square, of `blocks.queries`."""
    check_dtype(q_BHQD)
    batch, heads, queries, width = q_BHQD.shape
    blocks = blocks or (Blocks(32, 32) if q_BHQD.dtype == torch.float32 else Blocks(64, 64))
    factor, softcap_log2, window, key_lengths, flags = scoring(spec, q_BHQD)
    shape = (batch, heads, triton.cdiv(len(rows), cell), triton.cdiv(len(cols), cell))
    maximum, total = (torch.empty(shape, dtype=torch.float32, device=q_BHQD.device) for _ in range(2))
    span = max(cell, blocks.queries)
    _pool_kernel[(triton.cdiv(len(cols), span), triton.cdiv(len(rows), span), batch * heads)](
        q_BHQD,
        k_BGKD,
        lse_BHQ.float().contiguous(),
        maximum,
        total,
        key_lengths,
        *q_BHQD.stride(),
        *k_BGKD.stride(),
        heads,
        heads // k_BGKD.shape[1],
        queries,
        k_BGKD.shape[2],
        rows.start,
        rows.stop,
        cols.start,
        cols.stop,
        *shape[2:],
        factor,
        softcap_log2,
        window,
        **flags,
        CELL=cell,
        WIDTH=width,
        BLOCK=blocks.queries,
        BLOCK_D=block_width(width),
        num_warps=blocks.num_warps,
        num_stages=blocks.num_stages,
    )
    row_edges, col_edges = (mask.cell_edges(side, cell, q_BHQD.device) for side in (rows, cols))
    counts = mask.visible_counts(spec, queries, k_BGKD.shape[2], row_edges, col_edges)
    return Pooled(maximum, total.div_(counts.clamp(min=1)))


@triton.jit
def _pool_kernel(
    p_q,
    p_k,
    p_lse,
    p_maximum,
    p_total,
    p_key_lengths,
    stride_q_batch,
    stride_q_head,
    stride_q_row,
    stride_q_width,
    stride_k_batch,
    stride_k_head,
    stride_k_row,
    stride_k_width,
    heads,
    shared,  # query heads of a key head
    queries,
    keys,
    row_start,
    row_stop,
    col_start,
    col_stop,
    cell_rows,
    cell_cols,
    factor,
    softcap_log2,
    window,
    CAUSAL: tl.constexpr,
    HAS_WINDOW: tl.constexpr,
    HAS_SOFTCAP: tl.constexpr,
    HAS_LENGTHS: tl.constexpr,
    CELL: tl.constexpr,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    SPAN: tl.constexpr = max(CELL, BLOCK)  # tokens of a program on either side
    CELLS: tl.constexpr = SPAN // CELL
    i_pair = tl.program_id(2).to(tl.int64)
    i_batch, i_head = i_pair // heads, i_pair % heads
    p_q += i_batch * stride_q_batch + i_head * stride_q_head
    p_k += i_batch * stride_k_batch + i_head // shared * stride_k_head
    p_lse += i_pair * queries

    offset = keys - queries
    key_stop = keys_of(p_key_lengths, i_batch, keys, HAS_LENGTHS)
    span_row = row_start + tl.program_id(1) * SPAN
    span_col = col_start + tl.program_id(0) * SPAN
    span_row_stop = tl.minimum(span_row + SPAN, row_stop)
    span_col_stop = tl.maximum(tl.minimum(tl.minimum(span_col + SPAN, col_stop), key_stop), span_col)

    b_max = tl.zeros([BLOCK, BLOCK], tl.float32)
    b_total = tl.zeros([BLOCK, BLOCK], tl.float32)
    for i_row in range(span_row, span_row_stop, BLOCK):
        o_q = i_row + tl.arange(0, BLOCK)
        b_q = load_rows(p_q, o_q, span_row_stop, stride_q_row, stride_q_width, WIDTH, BLOCK_D)  # [q, d]
        b_normaliser = load_normaliser(p_lse, o_q, span_row_stop)  # [q]
        last = tl.minimum(i_row + BLOCK, span_row_stop) - 1
        start, inner_start, inner_stop, stop = key_bounds(
            i_row, last, offset, window, span_col, span_col_stop, CAUSAL, HAS_WINDOW, BLOCK
        )
        for part in tl.static_range(3):  # left edge, interior, right edge: only the edges pay for a mask
            if part == 0:
                low, high = start, inner_start
            elif part == 1:
                low, high = inner_start, inner_stop
            else:
                low, high = inner_stop, stop
            for i_key in range(low, high, BLOCK):
                o_k = i_key + tl.arange(0, BLOCK)
                b_k = load_rows(p_k, o_k, span_col_stop, stride_k_row, stride_k_width, WIDTH, BLOCK_D)  # [k, d]
                b_s = log2_scores(b_q, b_k, factor, softcap_log2, HAS_SOFTCAP)  # [q, k]
                b_p = tl.exp2(b_s - b_normaliser[:, None])
                if part != 1:
                    m_seen = visible(o_q, o_k, offset, window, span_col_stop, CAUSAL, HAS_WINDOW)
                    b_p = tl.where(m_seen, b_p, 0.0)
                b_max = tl.maximum(b_max, b_p)
                b_total += b_p

    b_max = tl.reshape(b_max, [CELLS, BLOCK // CELLS, CELLS, BLOCK // CELLS])
    b_total = tl.reshape(b_total, [CELLS, BLOCK // CELLS, CELLS, BLOCK // CELLS])
    o_row = tl.program_id(1) * CELLS + tl.arange(0, CELLS)
    o_col = tl.program_id(0) * CELLS + tl.arange(0, CELLS)
    o_cells = (i_pair * cell_rows + o_row)[:, None] * cell_cols + o_col[None, :]
    m_cells = (o_row < cell_rows)[:, None] & (o_col < cell_cols)[None, :]
    tl.store(p_maximum + o_cells, tl.max(tl.max(b_max, 3), 1), mask=m_cells)
    tl.store(p_total + o_cells, tl.sum(tl.sum(b_total, 3), 1), mask=m_cells)
