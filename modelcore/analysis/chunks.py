"""The weights of a head some rows at a time, for readings of whole rows that are longer than memory is wide."""

# Q queries, K keys

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from kernels import mask
from modelcore.layers.attention_map import AttentionMap

ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class Portion:
    """How much of what is read is in memory at once: one part of `parts` of what usually is."""

    parts: int = 1

    def of(self, usual: int) -> int:
        return max(1, usual // self.parts)


USUAL = Portion()
SMALLER = Portion(8)
"""For a second try where memory was too little for the first."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some whole rows of one head. `cols` are the keys that any of them can see; `rounding_Q` is what `weights_QK` of
    a row are still to be divided by for its sum to be 1, and 1 where it is not meant to be.
    """

    rows: range
    cols: range
    weights_QK: Tensor
    rounding_Q: Tensor


def chunks_of(map_: AttentionMap, head: int, rows: range, portion: Portion = USUAL) -> Iterator[Chunk]:
    """The rows of the first sample in order, ROWS_AT_ONCE at a time, or a smaller portion of them.

    Cost: computes each weight of these rows once; what a band never sees is left out.
    """
    at_once = portion.of(ROWS_AT_ONCE)
    for start in range(rows.start, rows.stop, at_once):
        some = range(start, min(start + at_once, rows.stop))
        cols = range(map_.keys)
        if mask.is_band(map_.spec):
            cols = mask.keys_seen(map_.spec, map_.queries, map_.keys, some) or cols[:1]
        tile_BHQK = map_.tile(some, cols, [head])
        yield Chunk(some, cols, tile_BHQK[0, 0], map_.rounding_of_rows(tile_BHQK)[0, 0, :, 0])
