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

from kernels.scores import (
    Blocks,
    block_width,
    check_dtype,
    keys_of,
    load_normaliser,
    load_rows,
    log2_scores,
    scoring,
    visible,
)
from kernels.spec import AttentionSpec

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
    blocks: Blocks | None = None,
) -> Tensor:
    """Probabilities of rows x cols, float32 [B, heads, rows, cols]."""
    check_dtype(q_BHQD)
    batch, all_heads, queries, width = q_BHQD.shape
    blocks = blocks or (Blocks(32, 32) if q_BHQD.dtype == torch.float32 else Blocks(64, 64))
    factor, softcap_log2, window, key_lengths, flags = scoring(spec, q_BHQD)
    wanted = torch.tensor(range(all_heads) if heads is None else heads, device=q_BHQD.device)
    tile = torch.empty(batch, len(wanted), len(rows), len(cols), dtype=torch.float32, device=q_BHQD.device)
    grid = (triton.cdiv(len(cols), blocks.keys), triton.cdiv(len(rows), blocks.queries), batch * len(wanted))
    _tile_kernel[grid](
        q_BHQD,
        k_BGKD,
        lse_BHQ.float().contiguous(),
        tile,
        wanted,
        key_lengths,
        *q_BHQD.stride(),
        *k_BGKD.stride(),
        all_heads,
        len(wanted),
        all_heads // k_BGKD.shape[1],
        queries,
        k_BGKD.shape[2],
        rows.start,
        rows.stop,
        cols.start,
        cols.stop,
        factor,
        softcap_log2,
        window,
        **flags,
        WIDTH=width,
        BLOCK_Q=blocks.queries,
        BLOCK_K=blocks.keys,
        BLOCK_D=block_width(width),
        num_warps=blocks.num_warps,
        num_stages=blocks.num_stages,
    )
    return tile


@triton.jit
def _tile_kernel(
    p_q,
    p_k,
    p_lse,
    p_tile,
    p_wanted,
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
    wanted_heads,
    shared,  # query heads of a key head
    queries,
    keys,
    row_start,
    row_stop,
    col_start,
    col_stop,
    factor,
    softcap_log2,
    window,
    CAUSAL: tl.constexpr,
    HAS_WINDOW: tl.constexpr,
    HAS_SOFTCAP: tl.constexpr,
    HAS_LENGTHS: tl.constexpr,
    WIDTH: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    i_tile = tl.program_id(2).to(tl.int64)
    i_batch = i_tile // wanted_heads
    i_head = tl.load(p_wanted + i_tile % wanted_heads)
    p_q += i_batch * stride_q_batch + i_head * stride_q_head
    p_k += i_batch * stride_k_batch + i_head // shared * stride_k_head
    p_lse += (i_batch * heads + i_head) * queries

    o_q = row_start + tl.program_id(1) * BLOCK_Q + tl.arange(0, BLOCK_Q)
    o_k = col_start + tl.program_id(0) * BLOCK_K + tl.arange(0, BLOCK_K)
    b_q = load_rows(p_q, o_q, row_stop, stride_q_row, stride_q_width, WIDTH, BLOCK_D)  # [q, d]
    b_k = load_rows(p_k, o_k, col_stop, stride_k_row, stride_k_width, WIDTH, BLOCK_D)  # [k, d]
    b_normaliser = load_normaliser(p_lse, o_q, row_stop)  # [q]

    b_s = log2_scores(b_q, b_k, factor, softcap_log2, HAS_SOFTCAP)  # [q, k]
    key_stop = keys_of(p_key_lengths, i_batch, keys, HAS_LENGTHS)
    m_seen = visible(o_q, o_k, keys - queries, window, key_stop, CAUSAL, HAS_WINDOW)
    b_p = tl.where(m_seen, tl.exp2(b_s - b_normaliser[:, None]), 0.0)

    o_row = (i_tile * (row_stop - row_start) + o_q - row_start) * (col_stop - col_start)
    p_cells = p_tile + o_row[:, None] + (o_k - col_start)[None, :]
    tl.store(p_cells, b_p, mask=(o_q < row_stop)[:, None] & (o_k < col_stop)[None, :])
