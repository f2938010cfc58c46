"""One rectangle of the attention map in Triton, exactly, from q, k and the log-sum-exp.

Its twin for every other device is `map_tile` of kernels/cpu/maps.py.
"""

# mypy: disable-error-code="no-untyped-def"
# Device functions take Triton's own values, which have no Python types.
from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.gpu.configurations import Configuration, configuration
from kernels.gpu.operands import block_width, check_operands, heads_of, load_normaliser, load_tile, normaliser
from kernels.gpu.scores import edited, keys_to, products, scores, scoring, unit
from kernels.spec import AttentionSpec, LogScale

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width
# i_ index, o_ offsets, m_ mask, p_ pointer, b_ block; blocks are [q queries, k keys, d width]


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
    config: Configuration | None = None,
) -> Tensor:
    """Probabilities of rows x cols, float32 [B, heads, rows, cols].

    With `log_scale` as its pixels, uint8, for which no exponential is made.
    """
    check_operands(q_BHQD)
    batch, all_heads, _, width = q_BHQD.shape
    config = config or configuration("tile", q_BHQD, width, spec)
    wanted = torch.tensor(range(all_heads) if heads is None else heads, device=q_BHQD.device)
    dtype = torch.float32 if log_scale is None else torch.uint8
    tile = q_BHQD.new_empty(batch, len(wanted), len(rows), len(cols), dtype=dtype)
    grid = (triton.cdiv(len(cols), config.keys), triton.cdiv(len(rows), config.queries), batch * len(wanted))
    _tile_kernel[grid](
        heads_of(q_BHQD),
        heads_of(k_BGKD),
        normaliser(lse_BHQ),
        heads_of(tile),
        wanted,
        len(wanted),
        scoring(spec, q_BHQD, k_BGKD),
        rows.start,
        rows.stop,
        cols.start,
        cols.stop,
        None if log_scale is None else log_scale.steps,
        WIDTH=width,
        BLOCK_Q=config.queries,
        BLOCK_K=config.keys,
        BLOCK_D=block_width(width),
        **config.launch,
    )
    return tile


@triton.jit
def _tile_kernel(
    q,
    k,
    p_normaliser,
    tile,
    p_wanted,
    wanted_heads,
    sp,
    row_start,
    row_stop,
    col_start,
    col_stop,
    steps,
    WIDTH: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    i_tile = tl.program_id(2).to(tl.int64)
    i_batch, i_wanted = i_tile // wanted_heads, i_tile % wanted_heads
    i_head = tl.load(p_wanted + i_wanted)

    first_q = row_start + tl.program_id(1) * BLOCK_Q
    o_q = first_q + tl.arange(0, BLOCK_Q)
    first_k = col_start + tl.program_id(0) * BLOCK_K
    o_k = first_k + tl.arange(0, BLOCK_K)
    i, j = o_q[:, None], o_k[None, :]
    b_q = load_tile(q, i_batch, i_head, first_q, row_stop, BLOCK_Q, WIDTH, BLOCK_D, True)  # [q, d]
    b_k = load_tile(k, i_batch, i_head // sp.shared, first_k, col_stop, BLOCK_K, WIDTH, BLOCK_D, True)  # [k, d]
    b_normaliser = load_normaliser(
        p_normaliser, i_batch * sp.heads + i_head, first_q, sp, row_stop, BLOCK_Q, True
    )  # [q]

    b_s = products(b_q, b_k, sp, i_batch, i_head, i, j)  # [q, k]
    b_s = scores(b_s, sp, i_batch, i_head, i, j, keys_to(sp, i_batch, sp.keys), True)
    b_log2 = edited(b_s, sp, i_batch, i_head, i, j, True) * unit(sp) - b_normaliser[:, None]
    if steps is None:
        b_cells = tl.exp2(b_log2)
    else:
        b_pixels = tl.minimum(tl.maximum(b_log2 * steps + 255.0, 0.0), 255.0)
        b_cells = (b_pixels + 0.5).to(tl.uint8)

    p_cells = tile.memory + i_batch * tile.batch + i_wanted * tile.head
    p_cells += (i - row_start).to(tl.int64) * tile.row + (j - col_start)
    tl.store(p_cells, b_cells, mask=(i < row_stop) & (j < col_stop))
