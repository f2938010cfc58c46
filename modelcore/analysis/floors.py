"""A threshold by mass, at any length: how weak a weight of each row may be and still be among its strongest."""

# Q queries, K keys

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from modelcore.analysis.chunks import USUAL, Portion, chunks_of
from modelcore.layers.attention_map import ROUNDING, AttentionMap


@torch.no_grad()
def read_floors(
    map_: AttentionMap, head: int, mass: float, rows: range | None = None, portion: Portion = USUAL
) -> npt.NDArray[np.float32]:
    """For some rows of one head (default: all), first sample: the weakest of the fewest weights that together hold
    `mass` of what the row's keys hold, lowered by ROUNDING.

    A share of what keys hold: where a learned sink takes most of a row, its floor still says which keys share the
    rest. Rectangles tell a weight a little differently, by up to ROUNDING, and whichever is compared with the floor
    must keep enough; weights as good as equal to the weakest are kept with it. 0 for a row without weights.

    Shapes: returns [rows].
    Cost: that of chunks_of, and sorts each row: 80 ms for 256 rows of 4,096 keys, as long as their totals take.
    Memory: one chunk, in float64.
    """
    floors = []
    for chunk in chunks_of(map_, head, range(map_.queries) if rows is None else rows, portion):
        # On the host: NumPy sorts floats many times faster than torch does on a CPU.
        rising_QK = np.sort(chunk.weights_QK.cpu().numpy(), axis=-1)
        held_QK = np.cumsum(rising_QK, axis=-1, dtype=np.float64)
        spare_Q1 = (1 - mass) * held_QK[:, -1:]
        weakest_Q1 = (held_QK <= spare_Q1).sum(-1, keepdims=True).clip(max=rising_QK.shape[-1] - 1)
        rounding_Q = chunk.rounding_Q.cpu().numpy()
        floors.append(np.take_along_axis(rising_QK, weakest_Q1, axis=-1)[:, 0] / rounding_Q * (1 - ROUNDING))
    return np.concatenate(floors).astype(np.float32)
