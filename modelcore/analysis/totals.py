"""The two margins of a map, at any length: what each key receives, and how widely each row looks."""

# Q queries, K keys

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from kernels import mask
from modelcore.layers.attention_map import AttentionMap

ROWS_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Totals:
    """`received_K`: the column sums over the rows that were asked for. `entropy_Q`: of each of these rows, in nats.

    The sum of a row says nothing, as it is 1; its entropy says how many keys share it: e to the entropy.
    """

    received_K: Tensor
    entropy_Q: Tensor


@torch.no_grad()
def read_totals(map_: AttentionMap, head: int, rows: range | None = None) -> Totals:
    """Both margins of some rows of one head (default: all), first sample, float64. Margins of parts add up.

    Cost: computes each weight of these rows once, ROWS_AT_ONCE at a time; what a band never sees is left out.
    """
    rows = range(map_.queries) if rows is None else rows
    received_K = torch.zeros(map_.keys, dtype=torch.float64, device=map_.q_BHQD.device)
    entropies = []
    for start in range(rows.start, rows.stop, ROWS_AT_ONCE):
        some = range(start, min(start + ROWS_AT_ONCE, rows.stop))
        cols = range(map_.keys)
        if mask.is_band(map_.spec):
            cols = mask.keys_seen(map_.spec, map_.queries, map_.keys, some) or cols[:1]
        tile_BHQK = map_.tile(some, cols, [head])
        rounding_Q = map_.rounding_of_rows(tile_BHQK)[0, 0, :, 0]
        weights_QK = tile_BHQK[0, 0]
        received_K[cols.start : cols.stop] += (1 / rounding_Q) @ weights_QK
        # Of p / r where p sums to r, or r is 1: p is what costs, and is read as it is.
        entropies.append(rounding_Q.log() - torch.xlogy(weights_QK, weights_QK).sum(-1) / rounding_Q)
    return Totals(received_K, torch.cat(entropies).double())
