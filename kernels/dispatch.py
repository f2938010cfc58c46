"""The one entry to the kernels: which implementation runs is decided here, and said.

    tensors on      all operations
    CUDA            triton
    the CPU         cpu

map_summary is map_pool and map_stats, from one pass over the map on the CPU.

On CUDA, what the Triton kernels do not know takes "torch", and the reason names it: additive scores, gradients
where there are relative_keys, gradients of t5_bias, and heads wider than 256 (with gradients, than 128).
"cpu" and "torch" are one code (kernels/cpu) on two devices. "reference" runs only when asked for by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from importlib.util import find_spec
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from kernels import cpu, reference
from kernels.spec import Attended, AttentionSpec, Pooled, Summary
from kernels.spec.attention import LEARNED
from kernels.spec.checks import check_lse, check_queries_and_keys, check_span, check_values

# B batch, H query heads, G key/value heads (H a multiple of G), Q queries, K keys, D head width
# R and C rows and columns of cells

Implementation = Literal["triton", "torch", "cpu", "reference"]
Operation = Literal["attend", "attend with gradients", "map_tile", "map_pool", "map_stats"]


class Choice(NamedTuple):
    """Which implementation runs, and why, in words for a person."""

    implementation: Implementation
    reason: str


# What the Triton kernels know of AttentionSpec; head_gate comes after them.
TRITON_KNOWS = frozenset(field.name for field in fields(AttentionSpec)) - {"additive"}
TRITON_WIDEST = 256
TRITON_WIDEST_WITH_GRADIENTS = 128  # wider ones do not fit into the registers


def chosen(
    device: torch.device | str,
    operation: Operation = "attend",
    spec: AttentionSpec | None = None,
    width: int | None = None,
) -> Choice:
    """What runs an operation on tensors of this device, and heads of this width, unless a call names another."""
    kind = torch.device(device).type
    if kind == "cpu":
        why = "tensors on the CPU" if torch.cuda.is_available() else "no CUDA device"
        backend = cpu.score_backend()
        return Choice("cpu", f"{why}; matrix products through {backend.name} ({backend.reason})")
    if kind != "cuda":
        return Choice("torch", f"no kernels for {kind}; torch in chunks")
    if find_spec("triton") is None:
        return Choice("torch", "Triton is not installed; torch in chunks")
    unknown = _unknown_to_triton(operation, spec, width)
    if unknown:
        return Choice("torch", f"no Triton kernel for {operation} with {', '.join(sorted(unknown))}; torch in chunks")
    return Choice("triton", "CUDA device")


def _unknown_to_triton(operation: Operation, spec: AttentionSpec | None, width: int | None) -> set[str]:
    unknown = set() if spec is None else set(spec.used - TRITON_KNOWS)
    widest = TRITON_WIDEST_WITH_GRADIENTS if operation == "attend with gradients" else TRITON_WIDEST
    if width is not None and width > widest:
        unknown.add(f"heads wider than {widest}")
    if spec is not None and operation == "attend with gradients":
        unknown |= spec.used & {"relative_keys"}
        if spec.t5_bias is not None and spec.t5_bias.requires_grad:
            unknown.add("a t5_bias that learns")
    return unknown


def attend(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    v_BGKD: Tensor,
    spec: AttentionSpec,
    *,
    implementation: Implementation | None = None,
) -> Attended:
    """Attention in O(n) memory, with the log-sum-exp of each row, from which any part of the map follows.

    Differentiable in q, k, v, and the spec's t5_bias, sinks, relative_keys, additive and head_gate; not
    through lse. Under "cpu" and "torch" the backward pass recomputes the map chunk by chunk. Values may be of
    another width than queries and keys, as in multi-head latent attention.

    Shapes: out (B, H, Q, width of v) in the dtype of q. lse (B, H, Q) in nats, float32 (float64 for float64
        operands), sinks included. A row that sees no key has out 0 and lse -inf.
    Raises: ValueError if shapes, dtypes or devices do not fit, or the implementation cannot run here.
    """
    check_queries_and_keys(q_BHQD, k_BGKD, spec)
    check_values(k_BGKD, v_BGKD)
    operation: Operation = "attend"
    if torch.is_grad_enabled() and _learns(q_BHQD, k_BGKD, v_BGKD, *(getattr(spec, name) for name in LEARNED)):
        operation = "attend with gradients"
    width = max(q_BHQD.shape[3], v_BGKD.shape[3])
    name = _implementation(implementation, operation, q_BHQD.device, spec, width)
    if name == "reference":
        out, lse, _ = reference.attention(q_BHQD, k_BGKD, v_BGKD, spec)
    elif name == "triton":
        from kernels import gpu  # imports Triton, which only CUDA machines need

        with torch.cuda.device_of(q_BHQD):
            out, lse = gpu.attend(q_BHQD, k_BGKD, v_BGKD, spec, learns=operation == "attend with gradients")
    else:
        out, lse = cpu.attend(q_BHQD, k_BGKD, v_BGKD, spec)
    if spec.head_gate is not None:
        out = out * spec.head_gate.to(out.dtype)[:, None, None]
    return Attended(out, lse, name)


def map_tile(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    lse_BHQ: Tensor,
    spec: AttentionSpec,
    rows: range,
    cols: range,
    heads: Sequence[int] | None = None,
    *,
    implementation: Implementation | None = None,
) -> Tensor:
    """Attention probabilities of one rectangle, exactly, without forming the rest of the map.

    Shapes: (B, len(heads) or H, len(rows), len(cols)), float32; "reference" keeps float64. Rows of the
        whole map sum to 1, to less where there are sinks, to anything where edges are scaled; a row that
        sees no key is all zero.
    Raises: ValueError if the rectangle or a head leaves the map.
    Source: FlashAttention-2 (arXiv 2307.08691), Algorithm 2: p = exp(score - lse).
    """
    check_queries_and_keys(q_BHQD, k_BGKD, spec)
    check_lse(q_BHQD, lse_BHQ)
    check_span("rows", rows, q_BHQD.shape[2])
    check_span("cols", cols, k_BGKD.shape[2])
    if heads is not None and (not len(heads) or not all(0 <= head < q_BHQD.shape[1] for head in heads)):
        raise ValueError(f"heads must name some of 0:{q_BHQD.shape[1]}, got {list(heads)}")
    name = _implementation(implementation, "map_tile", q_BHQD.device, spec, q_BHQD.shape[3])
    with torch.no_grad(), torch.cuda.device_of(q_BHQD):
        if name == "triton":
            from kernels import gpu

            return gpu.map_tile(q_BHQD, k_BGKD, lse_BHQ, spec, rows, cols, heads)
        path = reference if name == "reference" else cpu
        return path.map_tile(q_BHQD, k_BGKD, lse_BHQ, spec, rows, cols, heads)


def map_pool(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    lse_BHQ: Tensor,
    spec: AttentionSpec,
    cell: int,
    rows: range | None = None,
    cols: range | None = None,
    *,
    mean: bool = True,
    implementation: Implementation | None = None,
) -> Pooled:
    """Every head's map, or a region of it, pooled over cell x cell blocks: the maximum and the mean.

    The mean is over the visible pairs of a cell; a cell without any is 0 in both. Cells are powers of two,
    so that levels nest; the last row and column of cells may be cut short by the region's end.
    Without `mean` it is None, and an exponential for each cell is enough where else there is one for each
    score.

    Shapes: both (B, H, ceil(len(rows) / cell), ceil(len(cols) / cell)), float32; "reference" keeps float64.
    Raises: ValueError if the region leaves the map or starts within a cell.
    """
    check_queries_and_keys(q_BHQD, k_BGKD, spec)
    check_lse(q_BHQD, lse_BHQ)
    _check_cell(cell)
    rows = range(q_BHQD.shape[2]) if rows is None else rows
    cols = range(k_BGKD.shape[2]) if cols is None else cols
    for side, span, size in (("rows", rows, q_BHQD.shape[2]), ("cols", cols, k_BGKD.shape[2])):
        check_span(side, span, size)
        if span.start % cell:
            raise ValueError(f"{side} must start at a multiple of the cell {cell}, got {span.start}")
    name = _implementation(implementation, "map_pool", q_BHQD.device, spec, q_BHQD.shape[3])
    with torch.no_grad(), torch.cuda.device_of(q_BHQD):
        if name == "triton":
            from kernels import gpu

            return gpu.map_pool(q_BHQD, k_BGKD, lse_BHQ, spec, cell, rows, cols, mean=mean)
        elif name == "reference":
            pooled = reference.map_pool(q_BHQD, k_BGKD, lse_BHQ, spec, cell, rows, cols)
        else:
            return cpu.map_pool(q_BHQD, k_BGKD, lse_BHQ, spec, cell, rows, cols, mean=mean)
    return pooled if mean else pooled._replace(mean=None)


def map_stats(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    lse_BHQ: Tensor,
    spec: AttentionSpec,
    token_ids_BK: Tensor | None,
    *,
    implementation: Implementation | None = None,
) -> dict[str, Tensor]:
    """Measures of each head: means over the query rows that see at least one key (0 if there is none).

    Query i stands at key s = i + (K - Q) where the spec speaks of positions (`AttentionSpec.positional`), else
    at s = i. For p, a row of the map, which sinks and edge_scale leave short of 1:

        entropy          -sum p_j ln p_j, in nats                    Clark et al. 2019 (1906.04341), 3.3
        distance         sum p_j |s - j|, in tokens                  Vig & Belinkov 2019 (1906.04284)
        diagonal         p_s, attention to itself                    Clark et al. 2019, 3.1
        previous_token   p_(s-1)                                     Clark et al. 2019, 3.1
        first_token      p_0 (of key_starts), the usual sink         Xiao et al. 2023 (2309.17453), 3.1
        duplicate_token  mass on earlier copies of the own token:    Wang et al. 2022 (2211.00593), 3
                         j < i with ids[j] == ids[i]
        induction        mass on what followed earlier copies:       Olsson et al. 2022 (2209.11895)
                         0 < j <= i with ids[j - 1] == ids[i]

    The last two only when token_ids are given and Q == K, and over those rows alone whose token has stood in the
    sequence before: no other row has anything to look back at.

    Shapes: (B, H) each, float32; "reference" keeps float64.
    Raises: ValueError if token_ids are not [B, K].
    """
    check_queries_and_keys(q_BHQD, k_BGKD, spec)
    check_lse(q_BHQD, lse_BHQ)
    _check_token_ids(k_BGKD, token_ids_BK)
    name = _implementation(implementation, "map_stats", q_BHQD.device, spec, q_BHQD.shape[3])
    with torch.no_grad(), torch.cuda.device_of(q_BHQD):
        if name == "triton":
            from kernels import gpu

            return gpu.map_stats(q_BHQD, k_BGKD, lse_BHQ, spec, token_ids_BK)
        path = reference if name == "reference" else cpu
        return path.map_stats(q_BHQD, k_BGKD, lse_BHQ, spec, token_ids_BK)


def map_summary(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    lse_BHQ: Tensor,
    spec: AttentionSpec,
    cell: int,
    token_ids_BK: Tensor | None,
    *,
    implementation: Implementation | None = None,
) -> Summary:
    """The maximum of `map_pool` over the whole map, and `map_stats`.

    "cpu" and "torch" take both from the same scores, for little more than map_stats alone. Where the two
    operations run under different implementations, each makes its own.

    Shapes: maximum (B, H, ceil(Q / cell), ceil(K / cell)), measures (B, H) each, float32; "reference" keeps float64.
    Raises: ValueError if cell is no power of two, or token_ids are not [B, K].
    """
    pools = _implementation(implementation, "map_pool", q_BHQD.device, spec, q_BHQD.shape[3])
    measures = _implementation(implementation, "map_stats", q_BHQD.device, spec, q_BHQD.shape[3])
    if pools != measures or pools in ("reference", "triton"):
        pooled = map_pool(q_BHQD, k_BGKD, lse_BHQ, spec, cell, mean=False, implementation=pools)
        stats = map_stats(q_BHQD, k_BGKD, lse_BHQ, spec, token_ids_BK, implementation=measures)
        return Summary(pooled.maximum, stats)
    check_queries_and_keys(q_BHQD, k_BGKD, spec)
    check_lse(q_BHQD, lse_BHQ)
    _check_cell(cell)
    _check_token_ids(k_BGKD, token_ids_BK)
    with torch.no_grad():
        return cpu.map_summary(q_BHQD, k_BGKD, lse_BHQ, spec, cell, token_ids_BK)


def _learns(*tensors: Tensor | None) -> bool:
    return any(tensor is not None and tensor.requires_grad for tensor in tensors)


def _check_cell(cell: int) -> None:
    if cell < 1 or cell & (cell - 1):
        raise ValueError(f"cell must be a power of two, 1 or more, got {cell}")


def _check_token_ids(k_BGKD: Tensor, token_ids_BK: Tensor | None) -> None:
    shape = (k_BGKD.shape[0], k_BGKD.shape[2])
    if token_ids_BK is not None and token_ids_BK.shape != shape:
        raise ValueError(f"token_ids must have one id for each key, {shape}, got {tuple(token_ids_BK.shape)}")


def _implementation(
    named: Implementation | None, operation: Operation, device: torch.device, spec: AttentionSpec, width: int
) -> Implementation:
    """The named implementation if it can run, else an error: never another one instead."""
    if named is None and device.type == "cpu":
        return "cpu"  # as chosen says, which takes microseconds to word its reason
    default = chosen(device, operation, spec, width).implementation
    able = {default, "reference"} if default == "cpu" else {default, "torch", "reference"}
    if named is not None and named not in able:
        raise ValueError(
            f"implementation {named!r} does not run {operation} on {device.type}; "
            f"name one of {sorted(able)}, or none to take {default!r}"
        )
    return named or default
