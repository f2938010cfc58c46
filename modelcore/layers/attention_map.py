"""The attention probabilities of one site, kept as q, k and log-sum-exp, to be asked for any part of.

A full map is Q × K and is never formed here: whatever is asked of it is recomputed exactly.
"""

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kernels import dispatch
from kernels.spec import AttentionSpec, Pooled, Summary
from modelcore.config import AttentionSite

# How far rounding may take the sum of a row: scores of a thousand, in float32, are good to 1e-4.
ROUNDING = 1e-3

# The implementation that a map names which its model handed out whole: q and k say nothing then.
MATERIALISED = "materialised"


@dataclass(frozen=True)
class AttentionMap:
    """q, k and log-sum-exp of one site: O(n), yet every probability exactly.

    `first_key` is the position in the text of key 0: a sliding window's cache has forgotten those before.
    `turned` is whether q and k stand here as rotary positions turned them; None where an adapted model may have
    done so before it handed them over.
    Shapes: q (B, H, Q, D), k (B, G, K, D), lse (B, H, Q) float32.
    """

    site: AttentionSite
    q_BHQD: Tensor
    k_BGKD: Tensor
    lse_BHQ: Tensor
    spec: AttentionSpec
    implementation: str
    first_key: int = 0
    turned: bool | None = None

    @property
    def heads(self) -> int:
        return self.q_BHQD.shape[1]

    @property
    def queries(self) -> int:
        return self.q_BHQD.shape[2]

    @property
    def keys(self) -> int:
        return self.k_BGKD.shape[2]

    @property
    def sums_to_one(self) -> bool:
        """Whether the rows are meant to: sinks take a part of them, and scaled edges change them afterwards."""
        return self.spec.sinks is None and self.spec.edge_scale is None

    def tile(self, rows: range | None = None, cols: range | None = None, heads: Sequence[int] | None = None) -> Tensor:
        """Exact probabilities of a rectangle (default: all of it), float32 (B, heads, rows, cols).

        Whole rows that float32 leaves a little off 1 are scaled to it: where scores reach 65, as MiniLM's do, it
        is 2e-5. What is further off is no rounding and stays to be seen, as does a row with no allowed key.
        """
        rows = range(self.queries) if rows is None else rows
        cols = range(self.keys) if cols is None else cols
        tile_BHQK = dispatch.map_tile(self.q_BHQD, self.k_BGKD, self.lse_BHQ, self.spec, rows, cols, heads)
        return tile_BHQK / self.rounding_of_rows(tile_BHQK) if cols == range(self.keys) else tile_BHQK

    def rounding_of_rows(self, tile_BHQK: Tensor) -> Tensor:
        """What rows of which every key with any weight is here are to be divided by, [B, H, Q, 1]: their sum, where
        rounding alone keeps it off 1, else 1."""
        # In float64, so that equal rows stay equal whatever the order in which they are summed.
        sums_BHQ1 = tile_BHQK.sum(-1, keepdim=True, dtype=torch.float64).float()
        return sums_BHQ1.where(((sums_BHQ1 - 1).abs() < ROUNDING) & self.sums_to_one, 1.0)

    def pool(
        self,
        cell: int,
        rows: range | None = None,
        cols: range | None = None,
        heads: Sequence[int] | None = None,
        *,
        mean: bool = True,
    ) -> Pooled:
        """Maximum and, if asked, mean of a rectangle (default: the whole map) over cells of `cell` × `cell`."""
        q_BHQD, k_BGKD, lse_BHQ, spec = self.q_BHQD, self.k_BGKD, self.lse_BHQ, self.spec
        if heads is not None:
            shared = q_BHQD.shape[1] // k_BGKD.shape[1]
            q_BHQD, lse_BHQ, spec = q_BHQD[:, list(heads)], lse_BHQ[:, list(heads)], spec.for_heads(list(heads))
            k_BGKD = k_BGKD[:, [head // shared for head in heads]]
        return dispatch.map_pool(q_BHQD, k_BGKD, lse_BHQ, spec, cell, rows, cols, mean=mean)

    def stats(self, token_ids_BK: Tensor | None = None) -> dict[str, Tensor]:
        """Measures of each head, float32 (B, H); see `kernels.dispatch.map_stats`."""
        return dispatch.map_stats(self.q_BHQD, self.k_BGKD, self.lse_BHQ, self.spec, token_ids_BK)

    def summary(self, cell: int, token_ids_BK: Tensor | None = None) -> Summary:
        """The maxima of `pool` over the whole map and the measures of `stats`, for little more than the latter."""
        return dispatch.map_summary(self.q_BHQD, self.k_BGKD, self.lse_BHQ, self.spec, cell, token_ids_BK)


Tap = Callable[[AttentionMap], None]
