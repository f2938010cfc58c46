"""Rectangles and pooled overviews of the attention map, from q, k and the log-sum-exp."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kernels import mask
from kernels.cpu.scores import (
    HIDDEN,
    aligned,
    compute_dtype,
    hide,
    log2_normaliser,
    log2_scores,
    pairs_at_once,
    per_key_head,
    per_pair,
    spans,
)
from kernels.spec import AttentionSpec, Pooled

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
) -> Tensor:
    """Probabilities of one rectangle, float32 [B, heads, rows, cols]: p = exp2(log2 score - log2 lse)."""
    queries, keys, key_heads = q_BHQD.shape[2], k_BGKD.shape[2], k_BGKD.shape[1]
    dtype = compute_dtype(q_BHQD.dtype)
    q, k = q_BHQD[:, :, rows.start : rows.stop], k_BGKD[:, :, cols.start : cols.stop]
    lse = lse_BHQ[:, :, rows.start : rows.stop]
    if heads is not None:
        shared = q_BHQD.shape[1] // key_heads
        q, lse = q[:, list(heads)], lse[:, list(heads)]
        k = k[:, [head // shared for head in heads]]
    q, lse = per_key_head(q, k.shape[1]), per_key_head(lse, k.shape[1])
    scores = log2_scores(q.to(dtype), k.flatten(0, 1).to(dtype), spec)
    hide(scores, spec, queries, keys, rows, cols, per_pair(spec.key_lengths, k.shape[1]))
    tile = scores.sub_(log2_normaliser(lse, dtype)[..., None]).exp2_()
    return tile.view(q_BHQD.shape[0], -1, len(rows), len(cols)).float()


def map_pool(
    q_BHQD: Tensor, k_BGKD: Tensor, lse_BHQ: Tensor, spec: AttentionSpec, cell: int, rows: range, cols: range
) -> Pooled:
    """Maximum and mean of every cell x cell block of a region; chunks of the map come and go.

    The maximum is taken before the exponential, which is monotone; the mean after it.
    """
    if cell == 1:
        tile = map_tile(q_BHQD, k_BGKD, lse_BHQ, spec, rows, cols)
        return Pooled(tile, tile.clone())
    queries, keys, key_heads = q_BHQD.shape[2], k_BGKD.shape[2], k_BGKD.shape[1]
    dtype = compute_dtype(q_BHQD.dtype)
    q, k = per_key_head(q_BHQD, key_heads), k_BGKD.flatten(0, 1)
    normaliser = log2_normaliser(per_key_head(lse_BHQ, key_heads), dtype)[..., None]
    lengths = per_pair(spec.key_lengths, key_heads)
    pixels = (-(-len(rows) // cell), -(-len(cols) // cell))
    maximum, total = (q.new_zeros(*q.shape[:2], *pixels, dtype=torch.float32) for _ in range(2))

    chunk_scores = q.shape[1] * min(len(rows), POOL_ROWS) * min(len(cols), POOL_COLS)
    for pairs in pairs_at_once(q.shape[0], chunk_scores):
        k_pairs = k[pairs].to(dtype).contiguous()
        padding = None if lengths is None else lengths[pairs]
        for row_chunk in spans(rows, POOL_ROWS):
            here = (pairs, slice(None), slice(row_chunk.start, row_chunk.stop))
            q_rows = q[here].to(dtype)
            seen = aligned(mask.keys_seen(spec, queries, keys, row_chunk), max(cell, 512), cols)
            for col_chunk in spans(cols, POOL_COLS):
                part = range(max(col_chunk.start, seen.start), min(col_chunk.stop, seen.stop))
                if not part:
                    continue
                scores = log2_scores(q_rows, k_pairs[:, part.start : part.stop], spec)
                hide(scores, spec, queries, keys, row_chunk, part, padding)
                scores.sub_(normaliser[here])
                at = (pairs, slice(None), _cells(row_chunk, rows, cell), _cells(part, cols, cell))
                maximum[at] = maximum[at].maximum(_by_cell(scores, cell, "amax").exp2_())
                total[at] += _by_cell(scores.exp2_(), cell, "sum")

    shape = (*q_BHQD.shape[:2], *pixels)
    row_edges, col_edges = (mask.cell_edges(side, cell, q.device) for side in (rows, cols))
    counts = mask.visible_counts(spec, queries, keys, row_edges, col_edges)
    return Pooled(maximum.view(shape), total.view(shape).div_(counts.clamp(min=1)))


def _cells(part: range, whole: range, cell: int) -> slice:
    return slice((part.start - whole.start) // cell, -((whole.start - part.stop) // cell))


def _by_cell(tile_NRQK: Tensor, cell: int, rule: str) -> Tensor:
    """Reduce every cell of a tile by "amax" or "sum"; rows first, which runs along contiguous memory."""
    height, width = (min(cell, size) for size in tile_NRQK.shape[-2:])
    short = (0, -tile_NRQK.shape[-1] % width, 0, -tile_NRQK.shape[-2] % height)
    if any(short):
        tile_NRQK = torch.nn.functional.pad(tile_NRQK, short, value=HIDDEN if rule == "amax" else 0.0)
    over_rows = getattr(tile_NRQK.unflatten(-2, (-1, height)), rule)(-2)
    return getattr(over_rows.unflatten(-1, (-1, width)), rule)(-1)
