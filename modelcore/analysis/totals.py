"""The two margins of a map, at any length: what each key receives, and how widely each row looks."""

# Q queries, K keys

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from modelcore.analysis.chunks import USUAL, Portion, chunks_of
from modelcore.layers.attention_map import AttentionMap


@dataclass(frozen=True, eq=False)
class Totals:
    """`received_K`: the column sums over the rows that were asked for. `entropy_Q`: of each of these rows, in nats.

    The sum of a row says nothing, as it is 1; its entropy says how many keys share it: e to the entropy.
    """

    received_K: Tensor
    entropy_Q: Tensor


@torch.no_grad()
def read_totals(map_: AttentionMap, head: int, rows: range | None = None, portion: Portion = USUAL) -> Totals:
    """Both margins of some rows of one head (default: all), first sample, float64. Margins of parts add up.

    Cost: that of chunks_of.
    """
    received_K = torch.zeros(map_.keys, dtype=torch.float64, device=map_.q_BHQD.device)
    entropies = []
    for chunk in chunks_of(map_, head, range(map_.queries) if rows is None else rows, portion):
        weights_QK, rounding_Q, cols = chunk.weights_QK, chunk.rounding_Q, chunk.cols
        received_K[cols.start : cols.stop] += (1 / rounding_Q) @ weights_QK
        # Of p / r where p sums to r, or r is 1: p is what costs, and is read as it is.
        entropies.append(rounding_Q.log() - torch.xlogy(weights_QK, weights_QK).sum(-1) / rounding_Q)
    return Totals(received_K, torch.cat(entropies).double())
