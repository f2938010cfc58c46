"""Rectangles and pooled overviews of the attention map, from q, k and the log-sum-exp."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kernels import mask
from kernels.cpu.cells import by_cell, cells_of
from kernels.cpu.chunk import Chunks
from kernels.cpu.scores import (
    HIDDEN,
    compute_dtype,
    log2_normaliser,
    pairs_at_once,
    per_key_head,
    spans,
)
from kernels.spec import AttentionSpec, LogScale, Pooled

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width
# N pairs of batch and key/value head, R query heads of each

# Powers of two, as cells are: a chunk then either divides a cell or is divided by it.
POOL_ROWS = 128
POOL_COLS = 4096


def map_tile(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    lse_BHQ: Tensor,
    spec: AttentionSpec,
    rows: range,
    cols: range,
    heads: Sequence[int] | None = None,
    log_scale: LogScale | None = None,
) -> Tensor:
    """Probabilities of one rectangle, float32 [B, heads, rows, cols]: p = exp2(log2 score - log2 lse); or pixels."""
    key_heads = k_BGKD.shape[1]
    dtype = compute_dtype(q_BHQD.dtype)
    q, lse = q_BHQD, lse_BHQ
    k = k_BGKD[:, :, cols.start : cols.stop]
    if heads is not None:
        shared = q_BHQD.shape[1] // key_heads
        q, lse = q[:, list(heads)], lse[:, list(heads)]
        k = k[:, [head // shared for head in heads]]
        spec = spec.for_heads(heads)
    q, lse = per_key_head(q, k.shape[1]), per_key_head(lse, k.shape[1])
    chunks = Chunks(spec, q, k_BGKD.shape[2], k.shape[1], dtype=dtype)
    q, lse = (x[:, :, rows.start : rows.stop] for x in (q, lse))
    everyone = slice(0, q.shape[0])
    scores = chunks.log2_scores(q.to(dtype), k.flatten(0, 1).to(dtype), rows, [cols], everyone)
    scores = chunks.finish(scores, rows, [cols], everyone).sub_(log2_normaliser(lse, dtype)[..., None])
    log2_tile = chunks.edge_scale(scores, rows, [cols], everyone).view(q_BHQD.shape[0], -1, len(rows), len(cols))
    return log2_tile.exp2_().float() if log_scale is None else log_scale.pixels(log2_tile)


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
) -> Pooled:
    """Maximum and mean of every cell x cell block of a region; chunks of the map come and go.

    The maximum is taken before the exponential, which is monotone; the mean after it.
    """
    if cell == 1:
        tile = map_tile(q_BHQD, k_BGKD, lse_BHQ, spec, rows, cols)
        return Pooled(tile, tile.clone() if mean else None)
    queries, keys, key_heads = q_BHQD.shape[2], k_BGKD.shape[2], k_BGKD.shape[1]
    dtype = compute_dtype(q_BHQD.dtype)
    q, k = per_key_head(q_BHQD, key_heads), k_BGKD.flatten(0, 1)
    normaliser = log2_normaliser(per_key_head(lse_BHQ, key_heads), dtype)[..., None]
    chunks = Chunks(spec, q, keys, key_heads, dtype=dtype)
    pixels = (-(-len(rows) // cell), -(-len(cols) // cell))
    maximum, total = (q.new_zeros(*q.shape[:2], *pixels, dtype=torch.float32) for _ in range(2))
    counts = None if chunks.banded or not mean else total.new_zeros(total.shape, dtype=torch.int64)

    chunk_scores = q.shape[1] * min(len(rows), POOL_ROWS) * min(len(cols), POOL_COLS)
    for pairs in pairs_at_once(q.shape[0], chunk_scores):
        k_pairs = k[pairs].to(dtype).contiguous()
        for row_chunk in spans(rows, POOL_ROWS):
            here = (pairs, slice(None), slice(row_chunk.start, row_chunk.stop))
            q_rows = q[here].to(dtype)
            for run in chunks.runs(row_chunk, pairs, cols, cell):
                for part in spans(run, POOL_COLS):
                    at = (pairs, slice(None), cells_of(row_chunk, rows, cell), cells_of(part, cols, cell))
                    k_part = k_pairs[:, part.start : part.stop]
                    scores = chunks.log2_scores(q_rows, k_part, row_chunk, [part], pairs)
                    chunks.finish(scores, row_chunk, [part], pairs)
                    if counts is not None:
                        counts[at] += by_cell(scores > HIDDEN / 2, cell, "sum")
                    chunks.edge_scale(scores.sub_(normaliser[here]), row_chunk, [part], pairs)
                    maximum[at] = maximum[at].maximum(by_cell(scores, cell, "amax").exp2_())
                    if mean:
                        total[at] += by_cell(scores.exp2_(), cell, "sum")

    shape = (*q_BHQD.shape[:2], *pixels)
    if not mean:
        return Pooled(maximum.view(shape), None)
    if counts is None:
        row_edges, col_edges = (mask.cell_edges(side, cell, q.device) for side in (rows, cols))
        counts = mask.visible_counts(spec, queries, keys, row_edges, col_edges)
    else:
        counts = counts.view(shape)
    return Pooled(maximum.view(shape), total.view(shape).div_(counts.clamp(min=1)))


def visible_pairs(q_BHQD: Tensor, k_BGKD: Tensor, spec: AttentionSpec, cell: int) -> Tensor:
    """How many pairs of each cell are seen, int64 [B, H, R, C]: a band's are counted without looking at them."""
    batch, heads, queries, _ = q_BHQD.shape
    keys, key_heads = k_BGKD.shape[2], k_BGKD.shape[1]
    rows, cols = range(queries), range(keys)
    pixels = (-(-queries // cell), -(-keys // cell))
    if mask.is_band(spec):
        edges = (mask.cell_edges(side, cell, q_BHQD.device) for side in (rows, cols))
        return mask.visible_counts(spec, queries, keys, *edges).expand(batch, heads, *pixels)
    q = per_key_head(q_BHQD, key_heads)
    chunks = Chunks(spec, q, keys, key_heads, dtype=torch.float32)
    counts = q.new_zeros(*q.shape[:2], *pixels, dtype=torch.int64)
    for pairs in pairs_at_once(q.shape[0], q.shape[1] * POOL_ROWS * POOL_COLS):
        for row_chunk in spans(rows, POOL_ROWS):
            for run in chunks.runs(row_chunk, pairs, step=cell):
                for part in spans(run, POOL_COLS):
                    at = (pairs, slice(None), cells_of(row_chunk, rows, cell), cells_of(part, cols, cell))
                    nothing = q.new_zeros(*q[pairs].shape[:2], len(row_chunk), len(part), dtype=torch.float32)
                    seen = chunks.finish(nothing, row_chunk, [part], pairs) > HIDDEN / 2
                    counts[at].add_(by_cell(seen, cell, "sum"))
    return counts.view(batch, heads, *pixels)
