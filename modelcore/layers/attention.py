"""Multi-head attention, and how it is observed: a `tap` receives the `AttentionMap` of each site.

A full map is Q × K and is never formed here. The map object keeps q, k and the log-sum-exp that
the fast kernel computed anyway, and recomputes exactly whatever is asked of it.
"""

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width, W model width

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from kernels import dispatch
from kernels.spec import AttentionSpec, Pooled, Summary
from modelcore.config import AttentionSite


@dataclass(frozen=True)
class AttentionMap:
    """The attention probabilities of one site, kept as q, k and log-sum-exp: O(n), yet exact.

    Shapes: q (B, H, Q, D), k (B, G, K, D), lse (B, H, Q) float32.
    """

    site: AttentionSite
    q_BHQD: Tensor
    k_BGKD: Tensor
    lse_BHQ: Tensor
    spec: AttentionSpec
    implementation: str

    @property
    def heads(self) -> int:
        return self.q_BHQD.shape[1]

    @property
    def queries(self) -> int:
        return self.q_BHQD.shape[2]

    @property
    def keys(self) -> int:
        return self.k_BGKD.shape[2]

    def tile(self, rows: range | None = None, cols: range | None = None, heads: Sequence[int] | None = None) -> Tensor:
        """Exact probabilities of a rectangle (default: all of it), float32 (B, heads, rows, cols)."""
        rows = range(self.queries) if rows is None else rows
        cols = range(self.keys) if cols is None else cols
        return dispatch.map_tile(self.q_BHQD, self.k_BGKD, self.lse_BHQ, self.spec, rows, cols, heads)

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


class Attention(nn.Module):
    """Concat(head_1 … head_H) W^O with head_i = softmax(q_i k_iᵀ / √D) v_i.

    Source: Vaswani et al. 2017, section 3.2.
    """

    def __init__(self, site: AttentionSite, width: int, heads: int, *, causal: bool) -> None:
        super().__init__()
        self.site = site
        self.heads = heads
        self.causal = causal
        self.scale = (width // heads) ** -0.5
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(
        self,
        x_BQW: Tensor,
        memory_BKW: Tensor | None = None,
        *,
        key_lengths_B: Tensor | None = None,
        tap: Tap | None = None,
    ) -> Tensor:
        """Attends from `x` to `memory`, or to itself where there is none.

        `key_lengths` counts the keys of each sample that are no padding. Without a `tap` nothing is
        kept; with one, it is called once, before the output projection.
        """
        source_BKW = x_BQW if memory_BKW is None else memory_BKW
        q_BHQD = self._split(self.query(x_BQW))
        k_BHKD = self._split(self.key(source_BKW))
        v_BHKD = self._split(self.value(source_BKW))
        spec = AttentionSpec(scale=self.scale, causal=self.causal, key_lengths=key_lengths_B)
        attended = dispatch.attend(q_BHQD, k_BHKD, v_BHKD, spec)
        if tap is not None:
            tap(AttentionMap(self.site, q_BHQD, k_BHKD, attended.lse, spec, attended.implementation))
        return self.output(attended.out.transpose(1, 2).flatten(2))

    def _split(self, x_BNW: Tensor) -> Tensor:
        return x_BNW.unflatten(-1, (self.heads, -1)).transpose(1, 2)
