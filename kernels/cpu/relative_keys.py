"""Shaw's relative keys in chunks: a number for each row and distance, looked up for each pair.

All distances of c and more share one number on either side, so only a band of a chunk needs looking up:

    c = 2       before |  band   | after
    row 0    0  0  0   | 1 2 3 4 | 4  4  4
    row 1    0  0  0   | 0 1 2 3 | 4  4  4
"""

from __future__ import annotations

from functools import cached_property
from itertools import accumulate

import torch
from torch import Tensor

from kernels.cpu.pairs import Pairs
from kernels.spec import AttentionSpec

# H query heads, Q queries, K keys, D head width, X = 2c + 1 distances
# N pairs of batch and key/value head, G key/value heads, R query heads of each


class RelativeKeys:
    """q.r for the distances of a chunk, with r = AttentionSpec.relative_keys, and its gradients.

    Source: Shaw et al. 2018 (arXiv 1803.02155), equation 4; as in section 3.3, q.r is made once for all keys.
    """

    def __init__(self, spec: AttentionSpec, queries: int, keys: int, pairs: Pairs, dtype: torch.dtype) -> None:
        assert spec.relative_keys is not None
        self.table, self.pairs = spec.relative_keys, pairs
        self.offset, self.reach = keys - queries, self.table.shape[-2] // 2
        self.table_HXD = self.table.detach().to(dtype).view(-1, *self.table.shape[-2:])

    def add(self, products_NRQK: Tensor, q_NRQD: Tensor, rows: range, runs: list[range], pairs: slice) -> None:
        numbers_NRQX = q_NRQD @ self._of_pairs(pairs).mT
        lefts = accumulate(map(len, runs), initial=0)
        for left, cols in zip(lefts, runs, strict=False):
            part = products_NRQK[..., left : left + len(cols)]
            before, band, after = self._parts(rows, cols)
            part[..., before] += numbers_NRQX[..., :1]
            part[..., after] += numbers_NRQX[..., -1:]
            row = self._row(rows, cols[band]).expand(*part.shape[:3], -1)
            part[..., band] += numbers_NRQX.gather(-1, row)

    def backward(
        self, d_products_NRQK: Tensor, q_NRQD: Tensor, d_q_NRQD: Tensor, rows: range, cols: range, pairs: slice
    ) -> None:
        before, band, after = self._parts(rows, cols)
        d_numbers_NRQX = d_products_NRQK.new_zeros(*q_NRQD.shape[:3], self.table.shape[-2])
        row = self._row(rows, cols[band]).expand(*q_NRQD.shape[:3], -1)
        d_numbers_NRQX.scatter_add_(-1, row, d_products_NRQK[..., band])
        d_numbers_NRQX[..., 0] += d_products_NRQK[..., before].sum(-1)
        d_numbers_NRQX[..., -1] += d_products_NRQK[..., after].sum(-1)
        d_q_NRQD += d_numbers_NRQX @ self._of_pairs(pairs)
        self.d_table_GRXD.index_add_(0, self.pairs.key_head_N[pairs], d_numbers_NRQX.mT @ q_NRQD)

    def of_table(self) -> Tensor:
        """The gradient of relative_keys."""
        d_table_HXD = self.d_table_GRXD.flatten(0, 1)
        return (d_table_HXD.sum(0) if self.table.dim() == 2 else d_table_HXD).to(self.table.dtype)

    @cached_property
    def d_table_GRXD(self) -> Tensor:
        return self.table_HXD.new_zeros(*self.pairs.shape, *self.table.shape[-2:])

    def _of_pairs(self, pairs: slice) -> Tensor:
        """[X, D], which one matrix product takes for all heads, or [n, R, X, D]."""
        return self.table_HXD[0] if len(self.table_HXD) == 1 else self.pairs.of_head(self.table_HXD, pairs)

    def _parts(self, rows: range, cols: range) -> tuple[slice, slice, slice]:
        """The columns that lie c or more before all rows, those to look up, those c or more after all rows."""
        first, last = rows.start + self.offset, rows.stop - 1 + self.offset
        start = min(max(first - self.reach + 1 - cols.start, 0), len(cols))
        stop = min(max(last + self.reach - cols.start, start), len(cols))
        return slice(0, start), slice(start, stop), slice(stop, len(cols))

    def _row(self, rows: range, cols: range) -> Tensor:
        """The row of the table for each pair, [len(rows), len(cols)]."""
        position = torch.arange(rows.start, rows.stop, device=self.table.device)[:, None] + self.offset
        j = torch.arange(cols.start, cols.stop, device=self.table.device)
        return (j - position).clamp_(-self.reach, self.reach).add_(self.reach)
