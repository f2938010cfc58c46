"""What is read from the chunks of the map while attention holds them: measures of rows, and pooled cells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from kernels import mask
from kernels.cpu.cells import by_cell, cells_of
from kernels.cpu.scores import HIDDEN, LN2, compute_dtype
from kernels.spec import AttentionSpec, Pooled

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width
# N pairs of batch and key/value head, R query heads of each

# A power of two, as cells are: a chunk then either divides a cell or is divided by it.
READ_ROWS = 256


class Reader(Protocol):
    """Chunks are a slice of pairs, a range of rows, and runs of columns that lie side by side in the chunk."""

    def see(self, log2_scores_NRQK: Tensor, rows: range, runs: list[range], pairs: slice) -> None:
        """The scores, biased and masked: HIDDEN where a pair is not seen."""

    def take(
        self,
        map_NRQK: Tensor,
        log2_NRQK: Tensor,
        factor_NRQ1: Tensor,
        rows: range,
        runs: list[range],
        pairs: slice,
    ) -> None:
        """The chunk of the map, which is factor * 2 ** log2."""


class Rows:
    """The entropy in nats and the largest probability of each row."""

    def __init__(self, q_BHQD: Tensor, key_heads: int) -> None:
        self.shape = q_BHQD.shape[:3]
        of_pairs = (self.shape[0] * key_heads, self.shape[1] // key_heads, self.shape[2])
        self._entropy, self._maximum = q_BHQD.new_zeros(2, *of_pairs, dtype=compute_dtype(q_BHQD.dtype))

    @property
    def entropy_BHQ(self) -> Tensor:
        return self._entropy.view(self.shape)

    @property
    def maximum_BHQ(self) -> Tensor:
        return self._maximum.view(self.shape)

    def see(self, log2_scores_NRQK: Tensor, rows: range, runs: list[range], pairs: slice) -> None:
        pass

    def take(
        self,
        map_NRQK: Tensor,
        log2_NRQK: Tensor,
        factor_NRQ1: Tensor,
        rows: range,
        runs: list[range],
        pairs: slice,
    ) -> None:
        here = (pairs, slice(None), slice(rows.start, rows.stop))
        self._maximum[here] = map_NRQK.amax(-1)
        # A factor of 0 leaves a row of zeros, which adds nothing however its logarithm is told.
        log2_factor = factor_NRQ1.squeeze(-1).log2().clamp_(min=HIDDEN)
        products = torch.linalg.vecdot(map_NRQK, log2_NRQK) + map_NRQK.sum(-1) * log2_factor
        self._entropy[here] = products.mul_(-LN2)


class Cells:
    """The maximum and the mass of every cell x cell block of the map, and how many pairs of it are seen."""

    def __init__(self, q_BHQD: Tensor, keys: int, key_heads: int, spec: AttentionSpec, cell: int) -> None:
        batch, heads, queries, _ = q_BHQD.shape
        self.spec, self.cell, self.rows, self.cols = spec, cell, range(queries), range(keys)
        self.shape = (batch, heads, -(-queries // cell), -(-keys // cell))
        of_pairs = (batch * key_heads, heads // key_heads, *self.shape[2:])
        self.maximum, self.total = q_BHQD.new_zeros(2, *of_pairs, dtype=torch.float32)
        self.counts = None if mask.is_band(spec) else q_BHQD.new_zeros(of_pairs, dtype=torch.int64)

    def see(self, log2_scores_NRQK: Tensor, rows: range, runs: list[range], pairs: slice) -> None:
        if self.counts is None:
            return
        left = 0
        for cols in self._whole_cells(runs):
            seen = log2_scores_NRQK[..., left : left + len(cols)] > HIDDEN / 2
            self.counts[self._at(rows, cols, pairs)].add_(by_cell(seen, self.cell, "sum"))
            left += len(cols)

    def take(
        self,
        map_NRQK: Tensor,
        log2_NRQK: Tensor,
        factor_NRQ1: Tensor,
        rows: range,
        runs: list[range],
        pairs: slice,
    ) -> None:
        left = 0
        for cols in self._whole_cells(runs):
            part = map_NRQK[..., left : left + len(cols)]
            at = self._at(rows, cols, pairs)
            maximum, total = self.maximum[at], self.total[at]
            torch.maximum(maximum, by_cell(part, self.cell, "amax"), out=maximum)
            total.add_(by_cell(part, self.cell, "sum"))
            left += len(cols)

    def pooled(self) -> Pooled:
        if self.counts is None:
            edges = (mask.cell_edges(side, self.cell, self.total.device) for side in (self.rows, self.cols))
            counts = mask.visible_counts(self.spec, len(self.rows), len(self.cols), *edges)
        else:
            counts = self.counts.view(self.shape)
        return Pooled(self.maximum.view(self.shape), self.total.view(self.shape).div_(counts.clamp(min=1)))

    def _whole_cells(self, runs: list[range]) -> Iterator[range]:
        """The runs, cut where one begins within a cell."""
        for run in runs:
            border = min(run.start + -run.start % self.cell, run.stop)
            yield from (part for part in (range(run.start, border), range(border, run.stop)) if part)

    def _at(self, rows: range, cols: range, pairs: slice) -> tuple[slice, ...]:
        return pairs, slice(None), cells_of(rows, self.rows, self.cell), cells_of(cols, self.cols, self.cell)
