"""The probabilities around each query's own position, taken from chunks of the map: a band of it, set upright.

    row i of the map   . . a b c . .        row i of the band   a b c
    row i + 1          . . . d e f .        row i + 1           d e f

In memory the band's rows begin one row and one column of the chunk apart, so that taking it is a copy.
"""

from __future__ import annotations

import torch
from torch import Tensor

# G key/value heads, R query heads of each, Q queries, K keys, O offsets from the own position


ALIGNED = 16  # floats of one cache line


class NearKeys:
    """Where p_(s - reach) .. p_(s + reach) of each row are put, [G, R, Q, O]: at first 0, as outside of the map.

    `shift` is what a query's position exceeds its row by.
    """

    def __init__(self, near_GRQO: Tensor, shift: int) -> None:
        self.near, self.shift = near_GRQO, shift
        self.offsets = near_GRQO.shape[-1]
        self._margin = -(-2 * self.offsets // ALIGNED) * ALIGNED
        self._memory = near_GRQO.new_empty(0)
        self._last: tuple[tuple[range, range], range, Tensor] | None = None

    def exp2(self, log2_map_GRQK: Tensor) -> Tensor:
        """2 to a chunk, in memory that goes on a little on both sides: there the band leaves the chunk."""
        margin, size = self._margin, log2_map_GRQK.numel()
        if self._memory.numel() < size + 2 * margin:
            self._memory = self.near.new_zeros(size + 2 * margin)
        return torch.exp2(log2_map_GRQK, out=self._memory[margin : margin + size].view(log2_map_GRQK.shape))

    def take(self, chunk_GRQK: Tensor, heads: slice, rows: range, cols: range) -> None:
        """Take in a chunk that `exp2` made."""
        touched, inside = self._band(rows, cols)
        if not touched:
            return
        of_head, of_query, of_row, _ = chunk_GRQK.stride()
        left = touched.start + self.shift - self.offsets // 2 - cols.start
        band = chunk_GRQK.as_strided(
            (*chunk_GRQK.shape[:2], len(touched), self.offsets),
            (of_head, of_query, of_row + 1, 1),
            self._margin + (touched.start - rows.start) * of_row + left,
        )
        self.near[heads, :, touched.start : touched.stop].addcmul_(band, inside)

    def _band(self, rows: range, cols: range) -> tuple[range, Tensor]:
        """The rows whose band meets the chunk, and 1 where it lies within it, 0 where it is a neighbour's memory.

        A factor, as a mask of one head for all is not vectorised.
        """
        if self._last is None or self._last[0] != (rows, cols):
            left, right = cols.start - self.shift, cols.stop - self.shift
            reach = self.offsets // 2
            first, last = max(rows.start, left - reach), min(rows.stop, right + reach)
            touched = range(first, max(first, last))
            column = torch.arange(touched.start - left, touched.stop - left, device=self.near.device)[:, None]
            column = column + torch.arange(-reach, reach + 1, device=self.near.device)
            inside = ((column >= 0) & (column < len(cols))).to(self.near.dtype)
            self._last = (rows, cols), touched, inside
        return self._last[1:]
