"""Attention on CUDA: which kernel runs, and its gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kernels.gpu import decode, flash_backward, flash_forward
from kernels.spec import AttentionSpec

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width


def attend(
    q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, spec: AttentionSpec, *, learns: bool
) -> tuple[Tensor, Tensor]:
    """out_BHQD and lse_BHQ, but for head_gate; if it `learns`, differentiable in q, k, v and sinks, not through lse."""
    if learns:
        out, lse = _Attention.apply(q_BHQD, k_BGKD, v_BGKD, spec, spec.sinks)
        return out, lse
    kernel = decode if decode.is_few(q_BHQD, k_BGKD) else flash_forward
    return kernel.attend(q_BHQD, k_BGKD, v_BGKD, spec)[:2]


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, spec: AttentionSpec, _: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Sinks are named besides the spec so that autograd sees them."""
        attended = flash_forward.attend(q, k, v, spec)
        ctx.save_for_backward(q, k, v, attended.out, attended.lse)
        ctx.spec = spec
        ctx.mark_non_differentiable(attended.lse)
        return attended.out, attended.lse

    @staticmethod
    def backward(ctx: Any, d_out: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, out, lse = ctx.saved_tensors
        delta = torch.linalg.vecdot(d_out.float(), out.float())
        with torch.cuda.device_of(q):
            d_q, d_k, d_v = flash_backward.backward(q, k, v, lse, delta, d_out, ctx.spec)
        d_sinks = _sinks_backward(delta, lse, ctx.spec) if ctx.needs_input_grad[4] else None
        return d_q, d_k, d_v, None, d_sinks


def _sinks_backward(delta_BHQ: Tensor, lse_BHQ: Tensor, spec: AttentionSpec) -> Tensor:
    """A sink's score has the gradient -P delta, for its value is 0."""
    assert spec.sinks is not None
    mass = (spec.sinks.float()[:, None] - lse_BHQ).exp().masked_fill(lse_BHQ == -torch.inf, 0)
    return -(mass * delta_BHQ).sum((0, 2)).to(spec.sinks.dtype)
