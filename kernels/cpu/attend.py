"""Attention on the CPU: torch's fused kernel where it knows the mask, else chunks of rows.

The fused kernel is one operator call, which counts at 64 tokens and in training. It does not know
windows or softcap, aligns unequal lengths at the top left, and gives a row without keys lse 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from kernels.cpu.chunk import Chunks, columns
from kernels.cpu.scores import (
    HIDDEN,
    LN2,
    LOG2E,
    compute_dtype,
    log2_normaliser,
    log2_scores,
    pairs_at_once,
    per_key_head,
    rows_at_once,
    spans,
)
from kernels.spec import AttentionSpec

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width
# N pairs of batch and key/value head, R query heads of each


def attend(q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, spec: AttentionSpec) -> tuple[Tensor, Tensor]:
    """out_BHQD and lse_BHQ, but for head_gate. Differentiable in q, k, v, t5_bias and sinks; not through lse."""
    if _fused_knows(q_BHQD, k_BGKD, spec):
        return _fused(q_BHQD, k_BGKD, v_BGKD, spec)
    out, lse = _Chunked.apply(q_BHQD, k_BGKD, v_BGKD, spec.t5_bias, spec.sinks, spec)
    return out, lse


def _fused_knows(q_BHQD: Tensor, k_BGKD: Tensor, spec: AttentionSpec) -> bool:
    if q_BHQD.device.type != "cpu" or not spec.used <= {"causal", "key_lengths", "head_gate"}:
        return False
    if spec.causal:
        return q_BHQD.shape[2] in (1, k_BGKD.shape[2]) and spec.key_lengths is None
    return True


def _fused(q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, spec: AttentionSpec) -> tuple[Tensor, Tensor]:
    # The kernel reads rows of D as contiguous without looking at their stride.
    q, k, v = (x if x.stride(-1) == 1 else x.contiguous() for x in (q_BHQD, k_BGKD, v_BGKD))
    padding = None
    if spec.key_lengths is not None:
        hidden = torch.arange(k.shape[2]) >= spec.key_lengths[:, None]
        padding = q.new_zeros(hidden.shape).masked_fill_(hidden, -torch.inf)[:, None, None, :]
    out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        q, k, v, is_causal=spec.causal and q.shape[2] > 1, attn_mask=padding, scale=spec.scale
    )
    if spec.key_lengths is not None:
        lse = lse.masked_fill((spec.key_lengths <= 0)[:, None, None], -torch.inf)
    return out, lse


class _Chunked(torch.autograd.Function):
    """Source: FlashAttention-2 (arXiv 2307.08691), section 3.1, with whole rows of scores in a chunk."""

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, t5_bias: Tensor | None, sinks: Tensor | None, spec: AttentionSpec
    ) -> tuple[Tensor, Tensor]:
        out, lse = _forward(q, k, v, spec)
        ctx.save_for_backward(q, k, v, out, lse)
        ctx.spec = spec
        ctx.mark_non_differentiable(lse)
        return out, lse

    @staticmethod
    def backward(ctx: Any, d_out: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, out, lse = ctx.saved_tensors
        delta = (d_out.to(lse.dtype) * out).sum(-1)
        d_sinks = _sinks_backward(delta, lse, ctx.spec) if ctx.needs_input_grad[4] else None
        return *_backward(q, k, v, delta, lse, d_out, ctx.spec, ctx.needs_input_grad[3]), d_sinks, None


def _forward(q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, spec: AttentionSpec) -> tuple[Tensor, Tensor]:
    queries, keys, key_heads = q_BHQD.shape[2], k_BGKD.shape[2], k_BGKD.shape[1]
    dtype = compute_dtype(q_BHQD.dtype)
    q, k, v = (per_key_head(x, key_heads) for x in (q_BHQD, k_BGKD, v_BGKD))
    chunks = Chunks(spec, q, keys, key_heads, dtype=dtype)
    out, lse = q.new_empty(q.shape), q.new_empty(q.shape[:-1], dtype=dtype)

    for pairs in pairs_at_once(q.shape[0], q.shape[1] * queries * keys):
        k_pairs, v_pairs = (x[pairs, 0].to(dtype).contiguous() for x in (k, v))
        for rows in _row_chunks(q[pairs], keys):
            here = (pairs, slice(None), slice(rows.start, rows.stop))
            runs = chunks.runs(rows, pairs)
            if not runs:
                out[here], lse[here] = 0, -torch.inf
                continue
            scores = log2_scores(q[here].to(dtype), columns(k_pairs, runs), spec)
            chunks.finish(scores, rows, runs, pairs)
            # Above HIDDEN, so that a row of nothing but hidden keys sums to 0 and not to its length.
            top = scores.amax(-1, keepdim=True).clamp_(min=HIDDEN / 2)
            scores.sub_(top)
            weights = scores.exp2() if chunks.scales_edges else scores.exp2_()
            total = weights.sum(-1, keepdim=True)
            if chunks.scales_edges:
                weights = chunks.edge_scale(scores, rows, runs, pairs).exp2_()
            mixed = weights.flatten(1, 2) @ columns(v_pairs, runs)
            # A row without keys divides 0 by 1.
            out[here] = mixed.view_as(q[here]).div_(total.masked_fill(total == 0, 1))
            lse[here] = total.log2_().add_(top).mul_(LN2).squeeze(-1)
    out, lse = out.view_as(q_BHQD), lse.view(q_BHQD.shape[:3])
    return (out, lse) if spec.sinks is None else _with_sinks(out, lse, spec.sinks)


def _with_sinks(out_BHQD: Tensor, lse_BHQ: Tensor, sinks_H: Tensor) -> tuple[Tensor, Tensor]:
    """One more logit in the denominator, without a value; a row that sees no key stays without."""
    with_sink = lse_BHQ.logaddexp(sinks_H.detach().to(lse_BHQ.dtype)[:, None])
    with_sink = with_sink.masked_fill(lse_BHQ == -torch.inf, -torch.inf)
    kept = (lse_BHQ - with_sink).exp().nan_to_num(0)
    return out_BHQD * kept[..., None].to(out_BHQD.dtype), with_sink


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
    wants_t5_bias: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Gradients of q, k, v and t5_bias, from probabilities recomputed chunk by chunk.

    Source: FlashAttention-2 (arXiv 2307.08691), Algorithm 2: dS = P * (dP - rowsum(dO * O)).
    """
    queries, keys, key_heads = q_BHQD.shape[2], k_BGKD.shape[2], k_BGKD.shape[1]
    dtype = compute_dtype(q_BHQD.dtype)
    q, k, v, d_out = (per_key_head(x, key_heads) for x in (q_BHQD, k_BGKD, v_BGKD, d_out_BHQD))
    delta = per_key_head(delta_BHQ, key_heads)[..., None]
    normaliser = log2_normaliser(per_key_head(lse_BHQ, key_heads), dtype)
    chunks = Chunks(spec, q, keys, key_heads, dtype=dtype)
    d_q = q.new_zeros(q.shape)
    d_k, d_v = (k.new_zeros(k[:, 0].shape, dtype=dtype) for _ in range(2))
    d_bias = chunks.by_distance.empty_gradient() if chunks.by_distance is not None and wants_t5_bias else None

    for pairs in pairs_at_once(q.shape[0], q.shape[1] * queries * keys):
        k_pairs, v_pairs = (x[pairs, 0].to(dtype).contiguous() for x in (k, v))
        for rows in _row_chunks(q[pairs], keys):
            here = (pairs, slice(None), slice(rows.start, rows.stop))
            q_rows, d_out_rows = q[here].to(dtype), d_out[here].to(dtype).flatten(1, 2)
            # Run by run: nothing here needs whole rows, and gradients of keys then land in place.
            for cols in chunks.runs(rows, pairs):
                seen = (slice(None), slice(cols.start, cols.stop))
                scores = log2_scores(q_rows, k_pairs[seen], spec)
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
                d_scores = d_scores.flatten(1, 2)
                d_q[here] += (d_scores @ k_pairs[seen]).view_as(q_rows)
                d_k[pairs][seen].baddbmm_(d_scores.transpose(1, 2), q_rows.flatten(1, 2))
    return (
        d_q.view_as(q_BHQD),
        d_k.view_as(k_BGKD).to(k_BGKD.dtype),
        d_v.view_as(v_BGKD).to(v_BGKD.dtype),
        None if d_bias is None or chunks.by_distance is None else chunks.by_distance.of_table(d_bias),
    )


def _row_chunks(q_NRQD: Tensor, keys: int) -> Iterator[range]:
    pairs, shared, queries, _ = q_NRQD.shape
    return spans(range(queries), rows_at_once(pairs * shared * keys))
