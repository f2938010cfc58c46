"""A rectangle of a map with a factor for each weight: what value-weighted attention and gradient × attention are."""

# H query heads, G key/value heads, R rows, C columns, K keys, Q queries, D head width

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from modelcore.analysis.chunks import ROWS_AT_ONCE, USUAL, Portion
from modelcore.layers.attention_map import AttentionMap

# Of some rows and columns: what their weights are multiplied with, [R or 1, C].
Factor = Callable[[range, range], Tensor]


def moved(norms_HK: Tensor, head: int) -> Factor:
    """The norm of what each key's value becomes: one factor a column."""
    return lambda rows, cols: norms_HK[head, None, cols.start : cols.stop]


def speaking(d_out_HQD: Tensor, v_GKD: Tensor, head: int) -> Factor:
    """The gradient by each weight: that by the head's output times the key's value."""
    group = head // (d_out_HQD.shape[0] // v_GKD.shape[0])

    def gradient(rows: range, cols: range) -> Tensor:
        v_CD = v_GKD[group, cols.start : cols.stop].to(d_out_HQD.device)
        return d_out_HQD[head, rows.start : rows.stop] @ v_CD.T

    return gradient


@torch.no_grad()
def weighted_tile(map_: AttentionMap, head: int, factor: Factor, rows: range, cols: range) -> Tensor:
    """Exact, float32 [rows, cols], first sample; what is masked is 0."""
    tile_RC = map_.tile(rows, cols, [head])[0, 0]
    # A capture is read on the host, what was just computed may lie on a graphics card.
    return tile_RC * factor(rows, cols).to(tile_RC.device)


@torch.no_grad()
def weighted_pool(
    map_: AttentionMap, head: int, factor: Factor, cell: int, rows: range, cols: range, portion: Portion = USUAL
) -> Tensor:
    """Of every cell × cell values the one that is largest in size, [ceil(rows / cell), ceil(cols / cell)]; cells may be
    cut by the end.

    Cost: computes each value; some rows at a time are in memory.
    """
    pooled = []
    some = max(cell, portion.of(ROWS_AT_ONCE) // cell * cell)
    for start in range(rows.start, rows.stop, some):
        tile_RC = weighted_tile(map_, head, factor, range(start, min(start + some, rows.stop)), cols)
        most, least = (F.max_pool2d(side[None, None], cell, ceil_mode=True)[0, 0] for side in (tile_RC, -tile_RC))
        pooled.append(torch.where(least > most, -least, most))
    return torch.cat(pooled)
