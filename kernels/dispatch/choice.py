"""Which implementation runs an operation, decided here alone, and said.

    tensors on      every operation
    CUDA            triton
    the CPU         cpu

On CUDA, what the Triton kernels do not know takes "torch", and the reason names it: additive scores, gradients
where there are relative_keys, gradients of t5_bias, heads wider than 256 (with gradients, than 128), and the
operations of NOT_IN_TRITON.
"cpu" and "torch" are one code (kernels/cpu) on two devices. "reference" runs only when asked for by name.
"""

from __future__ import annotations

from dataclasses import fields
from importlib.util import find_spec
from typing import Literal, NamedTuple

import torch

from kernels import cpu
from kernels.spec import AttentionSpec

Implementation = Literal["triton", "torch", "cpu", "reference"]
Operation = Literal[
    "attend",
    "attend with gradients",
    "attend with rows",
    "attend with gradients and rows",
    "attend_and_pool",
    "map_tile",
    "map_pool",
    "map_stats",
    "map_received",
    "map_edges",
    "map_top_keys",
    "visible_pairs",
]


class Choice(NamedTuple):
    """Which implementation runs, and why, in words for a person."""

    implementation: Implementation
    reason: str


# What the Triton kernels know of AttentionSpec; head_gate comes after them.
TRITON_KNOWS = frozenset(field.name for field in fields(AttentionSpec)) - {"additive"}
TRITON_WIDEST = 256
TRITON_WIDEST_WITH_GRADIENTS = 128  # wider ones do not fit into the registers


NOT_IN_TRITON = frozenset({"attend with gradients and rows", "visible_pairs"})


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
    if operation in NOT_IN_TRITON:
        return Choice("torch", f"no Triton kernel for {operation}; torch in chunks")
    unknown = _unknown_to_triton(operation, spec, width)
    if unknown:
        return Choice("torch", f"no Triton kernel for {operation} with {', '.join(sorted(unknown))}; torch in chunks")
    return Choice("triton", "CUDA device")


def _unknown_to_triton(operation: Operation, spec: AttentionSpec | None, width: int | None) -> set[str]:
    unknown = set() if spec is None else set(spec.used - TRITON_KNOWS)
    widest = TRITON_WIDEST_WITH_GRADIENTS if operation == "attend with gradients" else TRITON_WIDEST
    if width is not None and width > widest:
        unknown.add(f"heads wider than {widest}")
    if spec is not None and operation == "attend with rows":
        unknown |= spec.used & {"edge_scale"}  # after which a row is no distribution that the softmax knows
    if spec is not None and operation == "attend with gradients":
        unknown |= spec.used & {"relative_keys"}
        if spec.t5_bias is not None and spec.t5_bias.requires_grad:
            unknown.add("a t5_bias that learns")
    return unknown


def implementation_of(
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
