"""What is added to chunks of log2 scores: biases by distance, and edits of sets of edges."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kernels.cpu.pairs import Pairs
from kernels.cpu.scores import HIDDEN, LOG2E
from kernels.spec import AttentionSpec
from kernels.spec.distance_bias import bias_by_distance, t5_bucket

# H query heads, Q queries, K keys, X distances
# N pairs of batch and key/value head, R query heads of each


class DistanceBias:
    """ALiBi and T5's bias as one number per head and distance; a chunk takes windows of them.

    Row i and column j meet at x = j - i + Q - 1, so that a row further down reads one number further left:

        numbers   x x x x x x x x       row 0        [. . . .]
                                        row 1      [. . . .]
    """

    def __init__(self, spec: AttentionSpec, queries: int, keys: int, pairs: Pairs, dtype: torch.dtype) -> None:
        self.spec, self.pairs, self.last_row = spec, pairs, queries - 1
        device = pairs.device
        # With the queries aligned at the bottom right, x = K - 1 is a query's own key.
        self.distances_X = torch.arange(queries + keys - 1, device=device) - (keys - 1)
        self.bias_HX = bias_by_distance(spec, self.distances_X).to(dtype) * LOG2E

    def add(self, scores_NRQK: Tensor, rows: range, cols: range, pairs: slice) -> None:
        numbers = self.pairs.of_head(self.bias_HX[:, self._window(rows, cols)], pairs)
        scores_NRQK.add_(numbers.unfold(-1, len(cols), 1).flip(-2))

    def empty_gradient(self) -> Tensor:
        shape = (self.pairs.count, self.pairs.shape[1], len(self.distances_X))
        return self.bias_HX.new_zeros(shape)

    def collect(self, gradient_NRX: Tensor, d_scores_NRQK: Tensor, rows: range, cols: range, pairs: slice) -> None:
        """Add up a chunk's gradient along its diagonals. Each row is shifted by its number, then all are summed."""
        height = len(rows)
        sheared = torch.nn.functional.pad(d_scores_NRQK.flip(-2), (0, height)).flatten(-2)[..., :-height]
        sums = sheared.unflatten(-1, (height, -1)).sum(-2)
        gradient_NRX[pairs][..., self._window(rows, cols)] += sums

    def of_table(self, gradient_NRX: Tensor) -> Tensor:
        """The gradient of t5_bias [buckets, H], from that of each distance."""
        assert self.spec.t5_bias is not None
        gradient_HX = gradient_NRX.unflatten(0, (-1, self.pairs.shape[0])).sum(0).flatten(0, 1)
        table = gradient_HX.new_zeros(self.spec.t5_bias.shape)
        table.index_add_(0, t5_bucket(self.spec, self.distances_X), gradient_HX.T)
        return table.to(self.spec.t5_bias.dtype)

    def _window(self, rows: range, cols: range) -> slice:
        return slice(cols.start - rows.stop + 1 + self.last_row, cols.stop - rows.start + self.last_row)


class Edges:
    """Sets of edges as bits of their two ends: edge (i, j) is in set s if bit s is set in both."""

    def __init__(self, spec: AttentionSpec, pairs: Pairs) -> None:
        assert spec.edge_queries is not None and spec.edge_keys is not None
        self.pairs = pairs
        self.queries_BHQ, self.keys_BHK = spec.edge_queries, spec.edge_keys
        added = [] if spec.edge_bias is None else spec.edge_bias.double().tolist()
        scales = [] if spec.edge_scale is None else spec.edge_scale.double().tolist()
        self.log2_bias = {s: value * LOG2E for s, value in enumerate(added) if value != 0}
        self.log2_scale = {s: math.log2(x) if x > 0 else -math.inf for s, x in enumerate(scales) if x != 1}

    def bias(self, scores_NRQK: Tensor, rows: range, cols: range, pairs: slice) -> None:
        self._add(self.log2_bias, scores_NRQK, rows, cols, pairs)

    def scale(self, log2_map_NRQK: Tensor, rows: range, cols: range, pairs: slice) -> None:
        """A factor after the softmax is a summand of the log2 probabilities."""
        self._add(self.log2_scale, log2_map_NRQK, rows, cols, pairs)

    def _add(self, log2_values: dict[int, float], x_NRQK: Tensor, rows: range, cols: range, pairs: slice) -> None:
        if not log2_values:
            return
        queries = self.pairs.of_both(self.queries_BHQ[:, :, rows.start : rows.stop], pairs)[..., :, None]
        keys = self.pairs.of_both(self.keys_BHK[:, :, cols.start : cols.stop], pairs)[..., None, :]
        for s, value in log2_values.items():
            chosen = (queries >> s & 1).bool() & (keys >> s & 1).bool()
            if value == -math.inf:
                x_NRQK.masked_fill_(chosen, HIDDEN)
            else:
                x_NRQK.add_(chosen, alpha=value)
