"""Pooled attention maps in Triton: maximum and mean of every cell x cell block, never the whole map.

Its twin for every other device is `map_pool` of kernels/cpu/maps.py.

    cell < BLOCK: a program makes one tile,       cell >= BLOCK: a program walks the tiles of one cell
    which holds several cells                     and adds them up in registers before it reduces

        +--+--+--+--+                                 +-------+-------+
        |  |  |  |  |                                 | tile  | tile  |
        +--+--+--+--+   4 x 4 cells of one tile       +-------+-------+   one cell of 2 x 2 tiles
        |  |  |  |  |                                 | tile  | tile  |
        +--+--+--+--+                                 +-------+-------+

Either way each cell is written once, by one program: no atomics, the same bits every time. The maximum is that of
the scores, which needs no exponential but one a cell; the mean needs one a pair.
"""

# mypy: disable-error-code="no-untyped-def"
# Device functions take Triton's own values, which have no Python types.
from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels import mask
from kernels.gpu.configurations import Configuration, configuration
from kernels.gpu.operands import block_width, check_operands, heads_of, load_normaliser, load_tile, normaliser
from kernels.gpu.scores import edited, keys_to, products, scores, scoring, unit
from kernels.gpu.tiles import lists, tile_at, walk_row
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
    *,
    mean: bool = True,
    config: Configuration | None = None,
) -> Pooled:
    """Maximum, and mean over visible pairs, float32 [B, H, R, C]. Tiles are square, of `config.queries`."""
    check_operands(q_BHQD)
    batch, heads, queries, width = q_BHQD.shape
    keys = k_BGKD.shape[2]
    config = config or configuration("pool", q_BHQD, width, spec)
    block = config.queries
    shape = (batch, heads, triton.cdiv(len(rows), cell), triton.cdiv(len(cols), cell))
    maximum = q_BHQD.new_empty(shape, dtype=torch.float32)
    total = torch.empty_like(maximum) if mean else None
    # Visible pairs of a band are an arithmetic series; those of anything else have to be counted.
    pairs = maximum.new_empty(shape, dtype=torch.int64) if mean and not mask.is_band(spec) else None
    span = max(cell, block)
    _pool_kernel[(triton.cdiv(len(cols), span), triton.cdiv(len(rows), span), batch * heads)](
        heads_of(q_BHQD),
        heads_of(k_BGKD),
        normaliser(lse_BHQ),
        maximum,
        total,
        pairs,
        scoring(spec, q_BHQD, k_BGKD),
        lists(spec, queries, keys, rows, cols, (block, block), q_BHQD.device),
        rows.start,
        rows.stop,
        cols.start,
        cols.stop,
        *shape[2:],
        CELL=cell,
        WIDTH=width,
        BLOCK=block,
        BLOCK_D=block_width(width),
        **config.launch,
    )
    if total is None:
        return Pooled(maximum, None)
    if pairs is None:
        row_edges, col_edges = (mask.cell_edges(side, cell, q_BHQD.device) for side in (rows, cols))
        pairs = mask.visible_counts(spec, queries, keys, row_edges, col_edges)
    return Pooled(maximum, total.div_(pairs.clamp(min=1)))


@triton.jit
def _pool_kernel(
    q,
    k,
    p_normaliser,
    p_maximum,
    p_total,
    p_pairs,
    sp,
    lists,
    row_start,
    row_stop,
    col_start,
    col_stop,
    cell_rows,
    cell_cols,
    CELL: tl.constexpr,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    SPAN: tl.constexpr = max(CELL, BLOCK)  # tokens of a program on either side
    CELLS: tl.constexpr = SPAN // CELL
    i_pair = tl.program_id(2).to(tl.int64)
    i_batch, i_head = i_pair // sp.heads, i_pair % sp.heads

    span_row = row_start + tl.program_id(1) * SPAN
    span_col = col_start + tl.program_id(0) * SPAN
    span_row_stop = tl.minimum(span_row + SPAN, row_stop)
    span_col_stop = tl.minimum(span_col + SPAN, col_stop)
    key_stop = tl.maximum(keys_to(sp, i_batch, span_col_stop), span_col)

    # Over cells of several tiles the maximum is taken by rows, in one vector; within a tile, cell by cell.
    b_row_max = tl.full([BLOCK], float("-inf"), tl.float32)
    b_max = tl.full([BLOCK, BLOCK], float("-inf"), tl.float32)
    b_total = tl.zeros([BLOCK, BLOCK], tl.float32)
    b_pairs = tl.zeros([BLOCK, BLOCK], tl.int32)
    for i_row in range(span_row, span_row_stop, BLOCK):
        o_q = i_row + tl.arange(0, BLOCK)
        i_line = (i_row - row_start) // BLOCK
        b_q = load_tile(q, i_batch, i_head, i_row, span_row_stop, BLOCK, WIDTH, BLOCK_D, True)  # [q, d]
        b_normaliser = load_normaliser(p_normaliser, i_pair, i_row, sp, span_row_stop, BLOCK, True)  # [q]
        last = tl.minimum(i_row + BLOCK, span_row_stop) - 1
        b_max = tl.full([BLOCK, BLOCK], float("-inf"), tl.float32)
        for MASKED in tl.static_range(2):
            steps, low, gap_at, gap = walk_row(
                sp,
                lists,
                i_batch,
                i_head,
                i_line,
                i_row,
                last,
                col_start,
                span_col,
                key_stop,
                span_col_stop,
                MASKED,
                BLOCK,
            )
            for i_step in range(steps):
                first_k = col_start + tile_at(lists, i_batch, i_head, i_line, i_step, low, gap_at, gap, MASKED) * BLOCK
                o_k = first_k + tl.arange(0, BLOCK)
                i, j = o_q[:, None], o_k[None, :]
                b_k = load_tile(
                    k, i_batch, i_head // sp.shared, first_k, key_stop, BLOCK, WIDTH, BLOCK_D, MASKED
                )  # [k, d]
                b_s = products(b_q, b_k, sp, i_batch, i_head, i, j)  # [q, k]
                b_s = scores(b_s, sp, i_batch, i_head, i, j, key_stop, MASKED)
                if p_pairs is not None:
                    b_pairs += ((b_s > float("-inf")) & (i < span_row_stop)).to(tl.int32)
                b_s = edited(b_s, sp, i_batch, i_head, i, j, MASKED)
                b_max = tl.maximum(b_max, b_s)
                if p_total is not None:
                    b_total += tl.exp2(b_s * unit(sp) - b_normaliser[:, None])
        if CELLS == 1:
            b_row_max = tl.maximum(b_row_max, tl.max(b_max, 1) * unit(sp) - b_normaliser)
        else:
            b_max = b_max * unit(sp) - b_normaliser[:, None]

    o_row = tl.program_id(1) * CELLS + tl.arange(0, CELLS)
    o_col = tl.program_id(0) * CELLS + tl.arange(0, CELLS)
    o_cells = (i_pair * cell_rows + o_row)[:, None] * cell_cols + o_col[None, :]
    m_cells = (o_row < cell_rows)[:, None] & (o_col < cell_cols)[None, :]
    if CELLS == 1:
        b_cell_max = tl.zeros([1, 1], tl.float32) + tl.max(b_row_max, 0)
    else:
        b_max = tl.reshape(b_max, [CELLS, BLOCK // CELLS, CELLS, BLOCK // CELLS])
        b_cell_max = tl.max(tl.max(b_max, 3), 1)
    tl.store(p_maximum + o_cells, tl.exp2(b_cell_max), mask=m_cells)
    if p_total is not None:
        b_total = tl.reshape(b_total, [CELLS, BLOCK // CELLS, CELLS, BLOCK // CELLS])
        tl.store(p_total + o_cells, tl.sum(tl.sum(b_total, 3), 1), mask=m_cells)
    if p_pairs is not None:
        b_pairs = tl.reshape(b_pairs, [CELLS, BLOCK // CELLS, CELLS, BLOCK // CELLS])
        tl.store(p_pairs + o_cells, tl.sum(tl.sum(b_pairs.to(tl.int64), 3), 1), mask=m_cells)
