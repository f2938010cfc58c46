"""Parts of the attention map: rectangles of it, and the whole of it in cells."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kernels import cpu, reference
from kernels.dispatch.choice import Implementation, implementation_of
from kernels.spec import AttentionSpec, LogScale, Pooled
from kernels.spec.checks import check_cell, check_lse, check_queries_and_keys, check_span

# B batch, H query heads, G key/value heads (H a multiple of G), Q queries, K keys, D head width
# R and C rows and columns of cells


def map_tile(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    lse_BHQ: Tensor,
    spec: AttentionSpec,
    rows: range,
    cols: range,
    heads: Sequence[int] | None = None,
    *,
    log_scale: LogScale | None = None,
    implementation: Implementation | None = None,
) -> Tensor:
    """Attention probabilities of one rectangle, exactly, without forming the rest of the map.

    With `log_scale` they come as 8-bit pixels of that scale, which tells its error; no exponential is then made but by
    "reference".

    Shapes: (B, len(heads) or H, len(rows), len(cols)), float32; "reference" keeps float64. Rows of the
        whole map sum to 1, to less where there are sinks, to anything where edges are scaled; a row that
        sees no key is all zero.
    Raises: ValueError if the rectangle or a head leaves the map.
    Source: FlashAttention-2 (arXiv 2307.08691), Algorithm 2: p = exp(score - lse).
    """
    check_queries_and_keys(q_BHQD, k_BGKD, spec)
    check_lse(q_BHQD, lse_BHQ)
    check_span("rows", rows, q_BHQD.shape[2])
    check_span("cols", cols, k_BGKD.shape[2])
    if heads is not None and (not len(heads) or not all(0 <= head < q_BHQD.shape[1] for head in heads)):
        raise ValueError(f"heads must name some of 0:{q_BHQD.shape[1]}, got {list(heads)}")
    name = implementation_of(implementation, "map_tile", q_BHQD.device, spec, q_BHQD.shape[3])
    with torch.no_grad(), torch.cuda.device_of(q_BHQD):
        if name == "triton":
            from kernels import gpu

            return gpu.map_tile(q_BHQD, k_BGKD, lse_BHQ, spec, rows, cols, heads, log_scale=log_scale)
        elif name == "reference":
            tile = reference.map_tile(q_BHQD, k_BGKD, lse_BHQ, spec, rows, cols, heads)
        else:
            return cpu.map_tile(q_BHQD, k_BGKD, lse_BHQ, spec, rows, cols, heads, log_scale)
    return tile if log_scale is None else log_scale.pixels(tile.log2_())


def map_pool(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    lse_BHQ: Tensor,
    spec: AttentionSpec,
    cell: int,
    rows: range | None = None,
    cols: range | None = None,
    *,
    mean: bool = True,
    implementation: Implementation | None = None,
) -> Pooled:
    """Every head's map, or a region of it, pooled over cell x cell blocks: the maximum and the mean.

    The mean is over the visible pairs of a cell; a cell without any is 0 in both. Cells are powers of two,
    so that levels nest; the last row and column of cells may be cut short by the region's end.
    Without `mean` it is None, and an exponential for each cell is enough where else there is one for each
    score.

    Shapes: both (B, H, ceil(len(rows) / cell), ceil(len(cols) / cell)), float32; "reference" keeps float64.
    Raises: ValueError if the region leaves the map or starts within a cell.
    """
    check_queries_and_keys(q_BHQD, k_BGKD, spec)
    check_lse(q_BHQD, lse_BHQ)
    check_cell(cell)
    rows = range(q_BHQD.shape[2]) if rows is None else rows
    cols = range(k_BGKD.shape[2]) if cols is None else cols
    for side, span, size in (("rows", rows, q_BHQD.shape[2]), ("cols", cols, k_BGKD.shape[2])):
        check_span(side, span, size)
        if span.start % cell:
            raise ValueError(f"{side} must start at a multiple of the cell {cell}, got {span.start}")
    name = implementation_of(implementation, "map_pool", q_BHQD.device, spec, q_BHQD.shape[3])
    with torch.no_grad(), torch.cuda.device_of(q_BHQD):
        if name == "triton":
            from kernels import gpu

            return gpu.map_pool(q_BHQD, k_BGKD, lse_BHQ, spec, cell, rows, cols, mean=mean)
        elif name == "reference":
            pooled = reference.map_pool(q_BHQD, k_BGKD, lse_BHQ, spec, cell, rows, cols)
        else:
            return cpu.map_pool(q_BHQD, k_BGKD, lse_BHQ, spec, cell, rows, cols, mean=mean)
    return pooled if mean else pooled._replace(mean=None)


def visible_pairs(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    spec: AttentionSpec,
    cell: int,
    *,
    implementation: Implementation | None = None,
) -> Tensor:
    """How many pairs of each cell of the whole map are seen: what `pool_down` weighs means with.

    Shapes: (B, H, ceil(Q / cell), ceil(K / cell)), int64.
    Raises: ValueError if cell is no power of two.
    """
    check_queries_and_keys(q_BHQD, k_BGKD, spec)
    check_cell(cell)
    name = implementation_of(implementation, "visible_pairs", q_BHQD.device, spec, q_BHQD.shape[3])
    path = reference if name == "reference" else cpu
    return path.visible_pairs(q_BHQD, k_BGKD, spec, cell)


def pool_down(pooled: Pooled, pairs_BHRC: Tensor) -> tuple[Pooled, Tensor]:
    """The next level: cells twice as wide, of which each holds up to 2 x 2 of these, and its own pairs.

    What `map_pool` makes of the map at twice the cell, to the rounding of float32; maxima are none but those before.
    It reads the level alone, in plain torch on any device.

    Shapes: pairs as `visible_pairs` gives them; results (B, H, ceil(R / 2), ceil(C / 2)).
    """
    if pairs_BHRC.shape != pooled.maximum.shape:
        raise ValueError(
            f"pairs must count each cell, {tuple(pooled.maximum.shape)}, as visible_pairs does for the same cell, "
            f"got {tuple(pairs_BHRC.shape)}"
        )
    return reference.pool_down(pooled, pairs_BHRC)
