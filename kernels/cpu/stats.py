"""Measures of each head, from one pass over the chunks of its map."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from kernels.cpu.cells import by_cell, cells_of
from kernels.cpu.chunk import Chunks
from kernels.cpu.near_keys import NearKeys
from kernels.cpu.scores import (
    LN2,
    compute_dtype,
    log2_normaliser,
    pairs_at_once,
    per_key_head,
    spans,
)
from kernels.spec import NEAR, AttentionSpec, Summary

# B batch, H query heads, G key/value heads, R query heads of each, Q queries, K keys, D head width
# W weights: a measure that is linear in the map is the map's inner product with a Q x K matrix

# Chunks of half a megabyte stay in the second cache beside their exponentials, and the allocator keeps their
# pages; a power of two of rows, so that a chunk either divides a cell or is divided by it.
STATS_SCORES = 1 << 17
STATS_ROWS = 128


def map_stats(
    q_BHQD: Tensor, k_BGKD: Tensor, lse_BHQ: Tensor, spec: AttentionSpec, token_ids_BK: Tensor | None
) -> dict[str, Tensor]:
    """Means over rows, float32 [B, H]; `dispatch.map_stats` defines them."""
    return _readings(q_BHQD, k_BGKD, lse_BHQ, spec, token_ids_BK, None, 1).measures


def map_summary(
    q_BHQD: Tensor, k_BGKD: Tensor, lse_BHQ: Tensor, spec: AttentionSpec, cell: int, token_ids_BK: Tensor | None
) -> Summary:
    """The maximum of every cell, the measures, what keys receive and what is near, from the same chunks."""
    sides = (-(-size // cell) for size in (q_BHQD.shape[2], k_BGKD.shape[2]))
    shape = (*q_BHQD.shape[:2], *sides)
    cells = Cells(cell, q_BHQD.new_zeros(shape, dtype=torch.float32))
    return _readings(q_BHQD, k_BGKD, lse_BHQ, spec, token_ids_BK, cells, NEAR)


class Cells(NamedTuple):
    """Where the maximum of every cell x cell block is put: [..., R, C], at first 0, which is what a hidden cell has."""

    cell: int
    maximum: Tensor

    def of_sequence(self, b: int, key_heads: int) -> Cells:
        return Cells(self.cell, self.maximum[b].unflatten(0, (key_heads, -1)))

    def take(self, log2_map_GRQK: Tensor, map_GRQK: Tensor, heads: slice, rows: range, cols: range) -> None:
        """Take in a chunk of the map. The exponential is monotone: a cell needs only that of its maximum."""
        sides = (cells_of(part, range(part.stop), self.cell) for part in (rows, cols))
        here = self.maximum[heads, :, *sides]
        if self.cell == 1:
            here.copy_(map_GRQK)
        else:
            torch.maximum(here, by_cell(log2_map_GRQK, self.cell, "amax").exp2_(), out=here)


def _readings(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    lse_BHQ: Tensor,
    spec: AttentionSpec,
    token_ids_BK: Tensor | None,
    cells: Cells | None,
    reach: int,
) -> Summary:
    """A summary that is near up to `reach`; its maximum is what `cells` were given, if there are any."""
    batch, heads, queries, _ = q_BHQD.shape
    keys, key_heads = k_BGKD.shape[2], k_BGKD.shape[1]
    if queries != keys:
        token_ids_BK = None
    dtype = compute_dtype(q_BHQD.dtype)
    received = q_BHQD.new_zeros(batch, heads, keys, dtype=dtype)
    near = q_BHQD.new_zeros(batch, heads, queries, 2 * reach + 1, dtype=dtype)
    shift = keys - queries if spec.positional else 0
    sums = [
        _sums(
            per_key_head(q_BHQD[b : b + 1], key_heads),
            k_BGKD[b],
            per_key_head(lse_BHQ[b : b + 1], key_heads),
            spec.for_sequence(b),
            None if token_ids_BK is None else token_ids_BK[b],
            None if cells is None else cells.of_sequence(b, key_heads),
            received[b].unflatten(0, (key_heads, -1)),
            NearKeys(near[b].unflatten(0, (key_heads, -1)), shift),
        )
        for b in range(batch)
    ]
    seeing_BHQ = lse_BHQ > -math.inf
    linear_SBH = torch.stack(sums, 1)
    first_B = q_BHQD.new_zeros(batch, dtype=torch.int64) if spec.key_starts is None else spec.key_starts
    totals = {
        "entropy": linear_SBH[0],
        "distance": linear_SBH[1],
        "diagonal": near[..., reach].sum(-1),
        "previous_token": near[..., reach - 1].sum(-1),
        "next_token": near[..., reach + 1].sum(-1),
        "first_token": received.gather(2, first_B.long().clamp(max=keys - 1)[:, None, None].expand(batch, heads, 1))[
            ..., 0
        ],
    }
    rows_BH = seeing_BHQ.sum(-1).clamp_(min=1)
    measures = {name: (total_BH / rows_BH).float() for name, total_BH in totals.items()}
    if token_ids_BK is not None:
        rows_BH = (seeing_BHQ & came_before(token_ids_BK)[:, None]).sum(-1).clamp_(min=1)
        measures["duplicate_token"], measures["induction"] = (linear_SBH[2:] / rows_BH).float()
    return Summary(near if cells is None else cells.maximum, measures, received.float(), near.float())


def came_before(token_ids_BK: Tensor) -> Tensor:
    """Where a token stands that has stood earlier in its sequence, bool [B, K]."""
    sorted_BK, order_BK = token_ids_BK.sort(dim=-1, stable=True)
    again_BK = torch.zeros_like(token_ids_BK, dtype=torch.bool)
    again_BK[:, 1:] = sorted_BK[:, 1:] == sorted_BK[:, :-1]
    return torch.zeros_like(again_BK).scatter_(-1, order_BK, again_BK)


def _sums(
    q_GRQD: Tensor,
    k_GKD: Tensor,
    lse_GRQ: Tensor,
    spec: AttentionSpec,
    token_ids_K: Tensor | None,
    cells: Cells | None,
    received_GRK: Tensor,
    near: NearKeys,
) -> Tensor:
    """Entropy, distance and, of ids, duplicate_token and induction, summed over one sequence's rows, [S, H].

    What keys receive and what is near are put where they belong.
    """
    queries, keys = q_GRQD.shape[2], k_GKD.shape[1]
    dtype = compute_dtype(q_GRQD.dtype)
    k = k_GKD.to(dtype).contiguous()
    normaliser = log2_normaliser(lse_GRQ, dtype)[..., None]
    sums = q_GRQD.new_zeros(2 if token_ids_K is None else 4, *q_GRQD.shape[:2], dtype=dtype)
    chunks = Chunks(spec, q_GRQD, keys, q_GRQD.shape[0], dtype=dtype)

    shared = q_GRQD.shape[1]
    everyone = slice(0, q_GRQD.shape[0])
    for rows in spans(range(queries), STATS_ROWS):
        for cols in chunks.runs(rows, everyone, step=1 if cells is None else cells.cell):
            weights_WQK = _weights(rows, cols, near.shift, token_ids_K, normaliser)
            for heads in pairs_at_once(q_GRQD.shape[0], shared * len(rows) * len(cols), STATS_SCORES):
                here = (heads, slice(None), slice(rows.start, rows.stop))
                k_cols = k[heads, cols.start : cols.stop]
                scores = chunks.log2_scores(q_GRQD[here].to(dtype), k_cols, rows, [cols], heads)
                chunks.finish(scores, rows, [cols], heads).sub_(normaliser[here])
                log2_map = chunks.edge_scale(scores, rows, [cols], heads)
                chunk = near.exp2(log2_map)
                if cells is not None:
                    cells.take(log2_map, chunk, heads, rows, cols)
                sums[0, heads].sub_(torch.linalg.vecdot(chunk.flatten(2), log2_map.flatten(2)), alpha=LN2)
                near.take(chunk, heads, rows, cols)
                received_GRK[heads, :, cols.start : cols.stop].add_(chunk.sum(-2))
                linear = weights_WQK.flatten(1) @ chunk.flatten(2).flatten(0, 1).T
                sums[1:, heads].add_(linear.view(-1, *chunk.shape[:2]))
    return sums.flatten(1)


def _weights(rows: range, cols: range, shift: int, token_ids_K: Tensor | None, like: Tensor) -> Tensor:
    """What a unit of probability at (i, j) adds to distance, and to duplicate_token and induction."""
    i = torch.arange(rows.start, rows.stop, device=like.device)[:, None] + shift
    j = torch.arange(cols.start, cols.stop, device=like.device)
    weights = like.new_empty(1 if token_ids_K is None else 3, len(rows), len(cols))
    weights[0] = (i - j).abs_()
    if token_ids_K is not None:
        # The keys of this chunk after the one before them, so that one comparison serves both measures.
        same = token_ids_K[rows.start : rows.stop, None] == token_ids_K[max(cols.start - 1, 0) : cols.stop]
        first = int(cols.start == 0)  # key 0, which nothing precedes
        diagonal = rows.start - cols.start
        weights[1] = same[:, 1 - first :]
        weights[1].tril_(diagonal - 1)
        weights[2, :, :first] = 0
        weights[2, :, first:] = same[:, :-1]
        weights[2].tril_(diagonal)
    return weights
