"""Attention in chunks of rows, forward and backward: whatever AttentionSpec can say, in O(n) memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from kernels.cpu.chunk import Chunks, columns
from kernels.cpu.readers import READ_ROWS, Reader, Rows
from kernels.cpu.scores import (
    HIDDEN,
    LN2,
    LOG2E,
    compute_dtype,
    log2_normaliser,
    pairs_at_once,
    per_key_head,
    rows_at_once,
    spans,
)
from kernels.spec import AttentionSpec
from kernels.spec.attention import LEARNED

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width
# N pairs of batch and key/value head, R query heads of each


# Scores in log2 up to here need no maximum taken off before the exponential: 2 ** 100 times any number of keys, and
# 2 ** -100, are floats of full precision. Two passes over all scores fewer; what trained heads make is mostly below.
MODERATE = 100.0


class Chunked(torch.autograd.Function):
    """Source: FlashAttention-2 (arXiv 2307.08691), section 3.1, with whole rows of scores in a chunk."""

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, spec: AttentionSpec, rows: Rows | None, *learned: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """`learned` are the fields LEARNED of the spec, named here so that autograd sees them."""
        out, lse = forward(q, k, v, spec, [] if rows is None else [rows])
        ctx.save_for_backward(q, k, v, out, lse)
        ctx.spec = spec
        ctx.mark_non_differentiable(lse)
        return out, lse

    @staticmethod
    def backward(ctx: Any, d_out: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, out, lse = ctx.saved_tensors
        delta = (d_out.to(lse.dtype) * out).sum(-1)
        wanted = {name for name, wants in zip(LEARNED, ctx.needs_input_grad[5:], strict=True) if wants}
        d_q, d_k, d_v, d_learned = _backward(q, k, v, delta, lse, d_out, ctx.spec, wants_t5_bias="t5_bias" in wanted)
        if "sinks" in wanted:
            d_learned["sinks"] = _sinks_backward(delta, lse, ctx.spec)
        return d_q, d_k, d_v, None, None, *(d_learned[name] if name in wanted else None for name in LEARNED)


def forward(
    q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, spec: AttentionSpec, readers: Sequence[Reader] = ()
) -> tuple[Tensor, Tensor]:
    """out_BHQD and lse_BHQ, but for head_gate; readers see each chunk of the map while it is there."""
    queries, keys, key_heads = q_BHQD.shape[2], k_BGKD.shape[2], k_BGKD.shape[1]
    dtype = compute_dtype(q_BHQD.dtype)
    q, k, v = (per_key_head(x, key_heads) for x in (q_BHQD, k_BGKD, v_BGKD))
    chunks = Chunks(spec, q, keys, key_heads, dtype=dtype)
    sinks_H = None if spec.sinks is None else spec.sinks.detach().to(dtype) * LOG2E
    out, lse = q.new_empty(*q.shape[:-1], v.shape[-1]), q.new_empty(q.shape[:-1], dtype=dtype)
    keeps_log2 = chunks.scales_edges or any(isinstance(reader, Rows) for reader in readers)

    # Readers fix the height of a chunk; short texts then leave room for several heads in it, at a third of the calls.
    high = min(queries, READ_ROWS) if readers else queries
    for pairs in pairs_at_once(q.shape[0], q.shape[1] * high * keys):
        k_pairs, v_pairs = (x[pairs, 0].to(dtype).contiguous() for x in (k, v))
        sinks = None if sinks_H is None else chunks.pairs.of_head(sinks_H, pairs)[..., None, None]
        is_moderate = dtype == torch.float32 and chunks.score_bound(q[pairs], k_pairs) <= MODERATE
        for rows in _row_chunks(q[pairs], keys, READ_ROWS if readers else None):
            here = (pairs, slice(None), slice(rows.start, rows.stop))
            runs = chunks.runs(rows, pairs)
            if not runs:
                out[here], lse[here] = 0, -torch.inf
                continue
            scores = chunks.log2_scores(q[here].to(dtype), columns(k_pairs, runs), rows, runs, pairs)
            chunks.finish(scores, rows, runs, pairs)
            for reader in readers:
                reader.see(scores, rows, runs, pairs)
            top = None
            if not is_moderate:
                # Above HIDDEN, so that a row of nothing but hidden keys sums to 0 and not to its length.
                top = scores.amax(-1, keepdim=True).clamp_(min=HIDDEN / 2)
                scores.sub_(top)
            weights = scores.exp2() if keeps_log2 else scores.exp2_()
            total = weights.sum(-1, keepdim=True)
            if chunks.scales_edges:
                weights = torch.exp2(chunks.edge_scale(scores, rows, runs, pairs), out=weights)
            factor = total.masked_fill(total == 0, 1).reciprocal_()  # a row without keys is 0 times 1
            log2_sum = total.log2_() if top is None else total.log2_().add_(top)
            if sinks is not None:
                own, log2_sum = log2_sum, log2_sum.logaddexp2(sinks).masked_fill_(log2_sum == -torch.inf, -torch.inf)
                factor.mul_((own - log2_sum).exp2_().nan_to_num_(0))
            lse[here] = log2_sum.mul_(LN2).squeeze(-1)
            if readers:
                weights.mul_(factor)
            for reader in readers:
                reader.take(weights, scores, factor, rows, runs, pairs)
            mixed = (weights.flatten(1, 2) @ columns(v_pairs, runs)).view_as(out[here])
            out[here] = mixed if readers else mixed.mul_(factor)
    return tuple(x.view(*q_BHQD.shape[:3], *x.shape[3:]) for x in (out, lse))  # type: ignore[return-value]


def _sinks_backward(delta_BHQ: Tensor, lse_BHQ: Tensor, spec: AttentionSpec) -> Tensor:
    """A sink's score has the gradient -P delta, for its value is 0."""
    assert spec.sinks is not None
    mass = (spec.sinks.to(lse_BHQ.dtype)[:, None] - lse_BHQ).exp().masked_fill(lse_BHQ == -torch.inf, 0)
    return -(mass * delta_BHQ).sum((0, 2)).to(spec.sinks.dtype)


def _backward(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    v_BGKD: Tensor,
    delta_BHQ: Tensor,
    lse_BHQ: Tensor,
    d_out_BHQD: Tensor,
    spec: AttentionSpec,
    *,
    wants_t5_bias: bool,
) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
    """Gradients of q, k, v and of the learned fields but sinks, from probabilities recomputed chunk by chunk.

    Source: FlashAttention-2 (arXiv 2307.08691), Algorithm 2: dS = P * (dP - rowsum(dO * O)).
    """
    queries, keys, key_heads = q_BHQD.shape[2], k_BGKD.shape[2], k_BGKD.shape[1]
    dtype = compute_dtype(q_BHQD.dtype)
    q, k, v, d_out = (per_key_head(x, key_heads) for x in (q_BHQD, k_BGKD, v_BGKD, d_out_BHQD))
    delta = per_key_head(delta_BHQ, key_heads)[..., None]
    normaliser = log2_normaliser(per_key_head(lse_BHQ, key_heads), dtype)
    chunks = Chunks(spec, q, keys, key_heads, dtype=dtype)
    d_q = q.new_zeros(q.shape)
    d_k, d_v = (x.new_zeros(x[:, 0].shape, dtype=dtype) for x in (k, v))
    d_bias = chunks.by_distance.empty_gradient() if chunks.by_distance is not None and wants_t5_bias else None

    for pairs in pairs_at_once(q.shape[0], q.shape[1] * queries * keys):
        k_pairs, v_pairs = (x[pairs, 0].to(dtype).contiguous() for x in (k, v))
        for rows in _row_chunks(q[pairs], keys):
            here = (pairs, slice(None), slice(rows.start, rows.stop))
            q_rows, d_out_rows = q[here].to(dtype), d_out[here].to(dtype).flatten(1, 2)
            # Run by run: nothing here needs whole rows, and gradients of keys then land in place.
            for cols in chunks.runs(rows, pairs):
                seen = (slice(None), slice(cols.start, cols.stop))
                scores = chunks.log2_scores(q_rows, k_pairs[seen], rows, [cols], pairs)
                slope = None if spec.softcap is None else 1 - (scores / (spec.softcap * LOG2E)).square()
                chunks.finish(scores, rows, [cols], pairs).sub_(normaliser[here][..., None])
                weights = scores.exp2() if chunks.scales_edges else scores.exp2_()
                d_scores = (d_out_rows @ v_pairs[seen].transpose(1, 2)).view_as(weights)
                if chunks.scales_edges:
                    scaled = chunks.edge_scale(scores, rows, [cols], pairs).exp2_()
                    d_scores.mul_(scaled).sub_(delta[here] * weights)
                else:
                    scaled = weights
                    d_scores.sub_(delta[here]).mul_(weights)
                d_v[pairs][seen].baddbmm_(scaled.flatten(1, 2).transpose(1, 2), d_out_rows)
                if d_bias is not None and chunks.by_distance is not None:
                    chunks.by_distance.collect(d_bias, d_scores, rows, cols, pairs)
                d_scores.mul_(spec.scale)
                if slope is not None:
                    d_scores.mul_(slope)
                at = (d_q[here], d_k[pairs][seen])
                chunks.products.backward(d_scores, q_rows, k_pairs[seen], *at, rows, cols, pairs)
    d_learned = chunks.products.gradients()
    if d_bias is not None and chunks.by_distance is not None:
        d_learned["t5_bias"] = chunks.by_distance.of_table(d_bias)
    d_q, d_k, d_v = (d.view_as(x).to(x.dtype) for d, x in ((d_q, q_BHQD), (d_k, k_BGKD), (d_v, v_BGKD)))
    return d_q, d_k, d_v, d_learned


def _row_chunks(q_NRQD: Tensor, keys: int, at_once: int | None = None) -> Iterator[range]:
    pairs, shared, queries, _ = q_NRQD.shape
    return spans(range(queries), at_once or rows_at_once(pairs * shared * keys))
