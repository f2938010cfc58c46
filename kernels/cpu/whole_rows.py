"""What needs every score of a row, or of a column: the mass that keys receive, and the strongest keys of each query."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from kernels.cpu.chunk import Chunks, columns
from kernels.cpu.scores import (
    HIDDEN,
    compute_dtype,
    log2_normaliser,
    pairs_at_once,
    per_key_head,
    spans,
)
from kernels.spec import AttentionSpec, TopKeys

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width, C keys asked for
# N pairs of batch and key/value head, R query heads of each

ROWS = 128

# Keys whose maximum stands for them until the strongest blocks are known.
BLOCK = 64


class Part(NamedTuple):
    """Some rows of the map in log2, with all columns that they may see; HIDDEN where they do not."""

    pairs: slice
    rows: range
    runs: list[range]
    log2_map_NRQK: Tensor


def map_received(q_BHQD: Tensor, k_BGKD: Tensor, lse_BHQ: Tensor, spec: AttentionSpec) -> Tensor:
    """Column sums of the map, float32 [B, H, K]."""
    batch, heads, queries, _ = q_BHQD.shape
    keys, key_heads = k_BGKD.shape[2], k_BGKD.shape[1]
    shape = (batch * key_heads, heads // key_heads, keys)
    received_NRK = q_BHQD.new_zeros(shape, dtype=compute_dtype(q_BHQD.dtype))
    for pairs, _, runs, log2_map in _parts(q_BHQD, k_BGKD, lse_BHQ, spec, range(queries)):
        left = 0
        for run in runs:
            part = log2_map[..., left : left + len(run)]
            received_NRK[pairs, :, run.start : run.stop] += part.exp2_().sum(-2)
            left += len(run)
    return received_NRK.view(batch, heads, keys).float()


def map_top_keys(
    q_BHQD: Tensor, k_BGKD: Tensor, lse_BHQ: Tensor, spec: AttentionSpec, count: int, rows: range
) -> TopKeys:
    """The strongest keys of each row: of the blocks of keys with the largest maxima, the largest scores."""
    shape = (*q_BHQD.shape[:2], len(rows), count)
    keys = per_key_head(q_BHQD.new_full(shape, -1, dtype=torch.int64), k_BGKD.shape[1])
    probabilities = per_key_head(q_BHQD.new_zeros(shape, dtype=torch.float32), k_BGKD.shape[1])
    for pairs, some, runs, log2_map in _parts(q_BHQD, k_BGKD, lse_BHQ, spec, rows):
        short = -log2_map.shape[-1] % BLOCK
        blocks = torch.nn.functional.pad(log2_map, (0, short), value=HIDDEN).unflatten(-1, (-1, BLOCK))
        strongest = blocks.amax(-1).topk(min(count, blocks.shape[-2]), sorted=False).indices
        candidates = blocks.gather(-2, strongest[..., None].expand(*strongest.shape, BLOCK)).flatten(-2)
        value, place = candidates.topk(min(count, candidates.shape[-1]))
        column = strongest.gather(-1, place // BLOCK) * BLOCK + place % BLOCK
        key_of_column = torch.cat([torch.arange(run.start, run.stop, device=place.device) for run in runs])
        here = (pairs, slice(None), slice(some.start - rows.start, some.stop - rows.start), slice(value.shape[-1]))
        probabilities[here] = value.exp2().float()
        found = key_of_column[column.clamp(max=len(key_of_column) - 1)]
        keys[here] = found.masked_fill(probabilities[here] == 0, -1)
    return TopKeys(keys.view(shape), probabilities.view(shape))


def _parts(q_BHQD: Tensor, k_BGKD: Tensor, lse_BHQ: Tensor, spec: AttentionSpec, within: range) -> Iterator[Part]:
    """The map, some rows after the other. The memory of one part is that of the next."""
    keys, key_heads = k_BGKD.shape[2], k_BGKD.shape[1]
    dtype = compute_dtype(q_BHQD.dtype)
    q, k = per_key_head(q_BHQD, key_heads), k_BGKD.flatten(0, 1)
    normaliser = log2_normaliser(per_key_head(lse_BHQ, key_heads), dtype)[..., None]
    chunks = Chunks(spec, q, keys, key_heads, dtype=dtype)
    for pairs in pairs_at_once(q.shape[0], q.shape[1] * min(len(within), ROWS) * keys):
        k_pairs = k[pairs].to(dtype).contiguous()
        for rows in spans(within, ROWS):
            runs = chunks.runs(rows, pairs)
            if runs:
                here = (pairs, slice(None), slice(rows.start, rows.stop))
                scores = chunks.log2_scores(q[here].to(dtype), columns(k_pairs, runs), rows, runs, pairs)
                chunks.finish(scores, rows, runs, pairs).sub_(normaliser[here])
                yield Part(pairs, rows, runs, chunks.edge_scale(scores, rows, runs, pairs))
