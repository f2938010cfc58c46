"""What an AttentionSpec makes of one chunk: its log2 scores, biases, edits and masks, and which keys to look at."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kernels import mask
from kernels.cpu.biases import DistanceBias, Edges
from kernels.cpu.pairs import Pairs
from kernels.cpu.pattern import Pattern
from kernels.cpu.products import AdditiveProducts, DotProducts
from kernels.cpu.relative_keys import RelativeKeys
from kernels.cpu.scores import HIDDEN, LOG2E, aligned, score_backend
from kernels.spec import AttentionSpec

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width
# N pairs of batch and key/value head, R query heads of each

# Blocks of keys that are skipped or looked at whole. Coarse where oneDNN multiplies, which keeps a compiled
# primitive for each shape: exact causal bounds would fill hundreds of MB. Up to SHORT keys it has no part in it.
BAND_STEP, ONEDNN_BAND_STEP, PATTERN_STEP = 64, 512, 128
SHORT = 1024


class Chunks:
    """One call's spec over chunks of its scores; what must be looked up for it, once, is O(n).

    Chunks are a slice of pairs, a range of rows, and runs of columns that lie side by side in the chunk.
    """

    def __init__(self, spec: AttentionSpec, q_NRQD: Tensor, keys: int, key_heads: int, *, dtype: torch.dtype) -> None:
        device = q_NRQD.device
        self.spec, self.queries, self.keys = spec, q_NRQD.shape[2], keys
        self.pairs = Pairs(q_NRQD.shape[0] // key_heads, key_heads, q_NRQD.shape[1], device)
        self.banded = mask.is_band(spec)
        self.pattern = None if self.banded else Pattern(spec, self.queries, keys, self.pairs, device)
        self.last_ceiling: tuple[tuple[int, int, int], Tensor] | None = None
        self.by_distance = None
        if spec.alibi_slopes is not None or spec.t5_bias is not None:
            self.by_distance = DistanceBias(spec, self.queries, keys, self.pairs, dtype)
        self.edges = None if spec.edge_queries is None else Edges(spec, self.pairs)
        self.products: DotProducts | AdditiveProducts
        if spec.additive is not None:
            self.products = AdditiveProducts(spec, self.pairs, dtype)
        else:
            relative = None
            if spec.relative_keys is not None:
                relative = RelativeKeys(spec, self.queries, keys, self.pairs, dtype)
            self.products = DotProducts(relative)

    def runs(self, rows: range, pairs: slice, within: range | None = None, step: int = 1) -> list[range]:
        """The columns that these rows may see, widened to blocks of at least `step`; none if they see nothing."""
        within = range(self.keys) if within is None else within
        if self.pattern is not None:
            return self.pattern.runs(rows, pairs, within, max(step, PATTERN_STEP))
        onednn = self.keys > SHORT and score_backend().name == "onednn"
        step = max(step, ONEDNN_BAND_STEP if onednn else BAND_STEP)
        hull = aligned(mask.keys_seen(self.spec, self.queries, self.keys, rows), step, within)
        return [hull] if hull else []

    def log2_scores(self, q_NRQD: Tensor, k_NKD: Tensor, rows: range, runs: list[range], pairs: slice) -> Tensor:
        """Scores in units of log2, before biases and masks: exp2 is four times faster than exp."""
        scale, softcap = self.spec.scale, self.spec.softcap
        if softcap is None:
            return self.products.forward(q_NRQD, k_NKD, scale * LOG2E, rows, runs, pairs)
        capped = self.products.forward(q_NRQD, k_NKD, scale / softcap, rows, runs, pairs).tanh_()
        return capped.mul_(softcap * LOG2E)

    def score_bound(self, q_NRQD: Tensor, k_NKD: Tensor) -> float:
        """No score that is seen is further from 0, in log2: |q.k| <= |q| |k|. Infinite where more than q.k plays in."""
        spec = self.spec
        if spec.additive is not None or spec.relative_keys is not None or spec.bias is not None:
            return math.inf
        if self.by_distance is not None or self.edges is not None or not (q_NRQD.numel() and k_NKD.numel()):
            return math.inf
        longest_q, longest_k = (float(torch.linalg.vector_norm(x, dim=-1).amax()) for x in (q_NRQD, k_NKD))
        bound = abs(spec.scale) * LOG2E * longest_q * longest_k
        return bound if math.isfinite(bound) else math.inf

    def finish(self, scores_NRQK: Tensor, rows: range, runs: list[range], pairs: slice) -> Tensor:
        """Biases, then masks, in place: what the rows may not see becomes HIDDEN."""
        left = 0
        for cols in runs:
            part = scores_NRQK[..., left : left + len(cols)]
            left += len(cols)
            if self.by_distance is not None:
                self.by_distance.add(part, rows, cols, pairs)
            if self.spec.bias is not None:
                here = self.spec.bias[:, :, rows.start : rows.stop, cols.start : cols.stop]
                part.add_(self.pairs.of_both(here, pairs).to(part.dtype), alpha=LOG2E).clamp_(min=HIDDEN)
            if self.edges is not None:
                self.edges.bias(part, rows, cols, pairs)
            self._hide(part, rows, cols, pairs)
        return scores_NRQK

    def edge_scale(self, log2_map_NRQK: Tensor, rows: range, runs: list[range], pairs: slice) -> Tensor:
        """Scale sets of edges of a chunk of log2 probabilities, in place."""
        if self.edges is not None:
            left = 0
            for cols in runs:
                self.edges.scale(log2_map_NRQK[..., left : left + len(cols)], rows, cols, pairs)
                left += len(cols)
        return log2_map_NRQK

    @property
    def scales_edges(self) -> bool:
        return self.spec.edge_scale is not None

    def _hide(self, scores_NRQK: Tensor, rows: range, cols: range, pairs: slice) -> None:
        spec = self.spec
        if self.pattern is not None:
            scores_NRQK.masked_fill_(~self.pattern.visible(rows, cols, pairs), HIDDEN)
        else:
            for span in mask.hidden_spans(spec, self.queries, self.keys, rows, cols):
                edge = scores_NRQK[..., span.start - cols.start : span.stop - cols.start]
                ceiling = self._ceiling(rows, span, edge)
                # Ten times faster than masked_fill_, whose mask of one head for all is not vectorised.
                torch.minimum(edge, ceiling, out=edge)
                # Only a NaN is not hidden by it, as a key that is not finite makes one for rows that never see it.
                if edge.sum().isnan():
                    edge.masked_fill_(ceiling == HIDDEN, HIDDEN)
        if spec.key_lengths is None and spec.key_starts is None:
            return
        j = torch.arange(cols.start, cols.stop, device=scores_NRQK.device)
        for bound_B, outside in ((spec.key_lengths, torch.ge), (spec.key_starts, torch.lt)):
            if bound_B is not None:
                bound = self.pairs.of_sequence(bound_B, pairs)[:, None, None, None]
                scores_NRQK.masked_fill_(outside(j, bound), HIDDEN)

    def _ceiling(self, rows: range, cols: range, like: Tensor) -> Tensor:
        """HIDDEN where a pair of the band's edge is hidden, else +inf.

        The last one is kept: along a diagonal, one chunk's edge is another's.
        """
        shape = (len(rows), len(cols), cols.start - rows.start)
        if self.last_ceiling is None or self.last_ceiling[0] != shape:
            seen = mask.visible(self.spec, self.queries, self.keys, rows, cols, like.device)
            self.last_ceiling = shape, torch.where(seen, torch.inf, HIDDEN).to(like.dtype)
        return self.last_ceiling[1]


def columns(x_NKD: Tensor, runs: list[range]) -> Tensor:
    """The keys or values of some runs, side by side; a view where there is one run."""
    parts = [x_NKD[:, run.start : run.stop] for run in runs]
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)
