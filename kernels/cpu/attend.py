"""Attention on the CPU: torch's fused kernel where it knows the mask, else chunks of rows.

The fused kernel is one operator call, which counts at 64 tokens and in training. It does not know
windows or softcap, aligns unequal lengths at the top left, and gives a row without keys lse 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kernels.cpu.chunked import Chunked
from kernels.spec import AttentionSpec
from kernels.spec.attention import LEARNED

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width


def attend(q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, spec: AttentionSpec) -> tuple[Tensor, Tensor]:
    """out_BHQD and lse_BHQ, but for head_gate. Differentiable in q, k, v and LEARNED; not through lse."""
    if _fused_knows(q_BHQD, k_BGKD, v_BGKD, spec):
        return _fused(q_BHQD, k_BGKD, v_BGKD, spec)
    out, lse = Chunked.apply(q_BHQD, k_BGKD, v_BGKD, spec, *(getattr(spec, name) for name in LEARNED))
    return out, lse


def _fused_knows(q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, spec: AttentionSpec) -> bool:
    if q_BHQD.device.type != "cpu" or not spec.used <= {"causal", "key_lengths", "head_gate"}:
        return False
    if q_BHQD.shape[3] != v_BGKD.shape[3]:
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
