"""Bands: masks that a query's position bounds on both sides. What to compute, what to mask, what to count.

A causal window over four keys of context, rows 2 and 3 in one chunk ('#' visible):

    row 2  . # # .        hull   keys_seen    = columns 1..3, what has to be computed at all
    row 3  . . # #        edge   hidden_spans = columns 1 and 3, where some pair of the hull is hidden

Padding on either side may lie over a band. What is no band is kernels/cpu/pattern.py. `reference` builds its
own masks on purpose: they check each other.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kernels.spec import AttentionSpec

# B batch, R and C edges of rows and columns


def is_band(spec: AttentionSpec) -> bool:
    """Whether causality, a window and padding are all that hides anything."""
    return not spec.used & NO_BAND


NO_BAND = {"documents", "prefix", "stride", "global_tokens", "random_blocks", "block", "bias", "edge_queries"}


def reach(spec: AttentionSpec) -> tuple[int | None, int | None]:
    """How many keys before and after its own a query sees; None is no bound."""
    if spec.causal:
        return (None if spec.window is None else spec.window - 1), 0
    return spec.window, spec.window


def keys_seen(spec: AttentionSpec, queries: int, keys: int, rows: range) -> range:
    """The shortest run of keys outside of which these rows see nothing (padding is not looked at)."""
    before, after = reach(spec)
    offset = keys - queries
    stop = keys if after is None else min(max(rows.stop + offset + after, 0), keys)
    start = 0 if before is None else min(max(rows.start + offset - before, 0), stop)
    return range(start, stop)


def hidden_spans(spec: AttentionSpec, queries: int, keys: int, rows: range, cols: range) -> list[range]:
    """The runs of columns in which causality or the window hides some pair of rows x cols."""
    before, after = reach(spec)
    offset = keys - queries
    left, right = range(cols.start, cols.start), range(cols.stop, cols.stop)
    if before is not None:
        left = range(cols.start, min(max(rows.stop - 1 + offset - before, cols.start), cols.stop))
    if after is not None:
        right = range(min(max(rows.start + offset + after + 1, left.stop), cols.stop), cols.stop)
    if left.stop == right.start and left and right:
        return [cols]
    return [span for span in (left, right) if span]


def visible(spec: AttentionSpec, queries: int, keys: int, rows: range, cols: range, device: torch.device) -> Tensor:
    """Where causality and the window let rows see cols, bool [len(rows), len(cols)]."""
    before, after = reach(spec)
    position = torch.arange(rows.start, rows.stop, device=device)[:, None] + (keys - queries)
    j = torch.arange(cols.start, cols.stop, device=device)
    seen = torch.ones((), dtype=torch.bool, device=device)
    if after is not None:
        seen = j <= position + after
    if before is not None:
        seen = seen & (j >= position - before)
    return seen


def cell_edges(span: range, cell: int, device: torch.device) -> Tensor:
    """Where the cells of a span begin, and where the last one ends."""
    return torch.arange(span.start, span.stop + cell, cell, device=device).clamp_(max=span.stop)


def visible_counts(spec: AttentionSpec, queries: int, keys: int, row_edges_R: Tensor, col_edges_C: Tensor) -> Tensor:
    """How many pairs of each cell are visible, int64 [B or 1, 1, R - 1, C - 1], exact and without the map.

    Cells lie between consecutive edges. Counted as a difference of corners, each corner being the number
    of visible pairs above and left of it, which the sum of an arithmetic series gives.
    """
    before, after = reach(spec)
    rows, cols = row_edges_R[:, None], col_edges_C[None, :]
    if spec.key_lengths is not None:
        cols = cols.minimum(spec.key_lengths.clamp(min=0)[:, None, None])
    if spec.key_starts is not None:
        cols = cols.maximum(spec.key_starts[:, None, None])
    corner = rows * cols if after is None else _pairs_below(rows, cols, keys - queries + after)
    if before is not None:
        corner = corner - _pairs_below(rows, cols, keys - queries - before - 1)
    counts = corner.diff(dim=-1).diff(dim=-2)
    return counts.view(-1, 1, *counts.shape[-2:])


def _pairs_below(rows: Tensor, cols: Tensor, offset: int) -> Tensor:
    """Pairs (i, j) with i < rows, j < cols and j <= i + offset."""
    before_row_0 = torch.tensor(offset, device=rows.device)
    return _capped_series(rows + offset, cols) - _capped_series(before_row_0, cols)


def _capped_series(last: Tensor, cap: Tensor) -> Tensor:
    """min(1, cap) + min(2, cap) + ... + min(last, cap); 0 where last < 1."""
    last = last.clamp(min=0)
    low = last.minimum(cap)
    return low * (low + 1) // 2 + cap * (last - low)
