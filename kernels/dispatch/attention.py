"""Attention itself: out and log-sum-exp, and on request what can be told of the map in the same pass."""

from __future__ import annotations

import torch
from torch import Tensor

from kernels import cpu, reference
from kernels.dispatch.choice import Implementation, Operation, implementation_of
from kernels.dispatch.maps import map_pool
from kernels.spec import Attended, AttentionSpec, Pooled
from kernels.spec.attention import learns
from kernels.spec.checks import check_cell, check_queries_and_keys, check_values

# B batch, H query heads, G key/value heads (H a multiple of G), Q queries, K keys, D head width


def attend(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    v_BGKD: Tensor,
    spec: AttentionSpec,
    *,
    rows: bool = False,
    implementation: Implementation | None = None,
) -> Attended:
    """Attention in O(n) memory, with the log-sum-exp of each row, from which any part of the map follows.

    Differentiable in q, k, v, and the spec's t5_bias, sinks, relative_keys, additive and head_gate; not
    through lse. Under "cpu" and "torch" the backward pass recomputes the map chunk by chunk. Values may be of
    another width than queries and keys, as in multi-head latent attention. With `rows`, the same pass tells the
    entropy and the largest probability of each row of the map.

    Shapes: out (B, H, Q, width of v) in the dtype of q. lse (B, H, Q) in nats, float32 (float64 for float64
        operands), sinks included; entropy and maximum likewise. A row that sees no key has out 0, lse -inf,
        entropy 0 and maximum 0.
    Raises: ValueError if shapes, dtypes or devices do not fit, or the implementation cannot run here.
    """
    check_queries_and_keys(q_BHQD, k_BGKD, spec)
    check_values(k_BGKD, v_BGKD)
    is_learned = learns(q_BHQD, k_BGKD, v_BGKD, spec)
    operation: Operation = "attend with gradients" if is_learned else "attend"
    if rows:
        operation = "attend with gradients and rows" if is_learned else "attend with rows"
    width = max(q_BHQD.shape[3], v_BGKD.shape[3])
    name = implementation_of(implementation, operation, q_BHQD.device, spec, width)
    entropy = maximum = None
    if name == "reference":
        out, lse, _, entropy, maximum = reference.attention(q_BHQD, k_BGKD, v_BGKD, spec)
    elif name == "triton":
        from kernels import gpu  # imports Triton, which only CUDA machines need

        with torch.cuda.device_of(q_BHQD):
            if rows and not is_learned:
                out, lse, entropy, maximum = gpu.flash_forward.attend(q_BHQD, k_BGKD, v_BGKD, spec, of_rows=True)
            else:
                out, lse = gpu.attend(q_BHQD, k_BGKD, v_BGKD, spec, learns=is_learned)
    else:
        reader = cpu.Rows(q_BHQD, k_BGKD.shape[1]) if rows else None
        out, lse = cpu.attend(q_BHQD, k_BGKD, v_BGKD, spec, reader)
        if reader is not None:
            entropy, maximum = reader.entropy_BHQ, reader.maximum_BHQ
    return Attended(_gated(out, spec), lse, name, entropy if rows else None, maximum if rows else None)


def attend_and_pool(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    v_BGKD: Tensor,
    spec: AttentionSpec,
    cell: int,
    *,
    implementation: Implementation | None = None,
) -> tuple[Attended, Pooled]:
    """`attend`, and `map_pool` of the whole map; not differentiable.

    "cpu" makes both from the same scores, so that the map costs no product of its own: where attention is in the
    chunk, it is the map. Elsewhere the one follows the other.

    Raises: ValueError as both do.
    """
    with torch.no_grad():
        name = implementation_of(implementation, "attend_and_pool", q_BHQD.device, spec, q_BHQD.shape[3])
        if name != "cpu":
            attended = attend(q_BHQD, k_BGKD, v_BGKD, spec, implementation=implementation)
            return attended, map_pool(q_BHQD, k_BGKD, attended.lse, spec, cell, implementation=implementation)
        check_queries_and_keys(q_BHQD, k_BGKD, spec)
        check_values(k_BGKD, v_BGKD)
        check_cell(cell)
        out, lse, pooled = cpu.attend_and_pool(q_BHQD, k_BGKD, v_BGKD, spec, cell)
        return Attended(_gated(out, spec), lse, name), pooled


def decode(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    v_BGKD: Tensor,
    spec: AttentionSpec,
    *,
    implementation: Implementation | None = None,
) -> Attended:
    """One or a few queries against a long cache of keys: `attend` without gradients, with its results.

    The queries are the last of the text, as in every rule of AttentionSpec. On the CPU, torch's fused kernel takes a
    single one with its window, biases by distance and sinks; whatever else runs in chunks.
    """
    with torch.no_grad():
        return attend(q_BHQD, k_BGKD, v_BGKD, spec, implementation=implementation)


def _gated(out_BHQD: Tensor, spec: AttentionSpec) -> Tensor:
    return out_BHQD if spec.head_gate is None else out_BHQD * spec.head_gate.to(out_BHQD.dtype)[:, None, None]
