"""In which numbers a training multiplies matrices, what a device must be able to do for it, and compiling.

Weights, gradients, what the optimiser remembers and the loss stay float32 in all of them. Source: Micikevicius et al.
2017 (arXiv 1710.03740): 3.1 for float32 weights, 3.2 for the scale that keeps small gradients above what fp16 can tell
from 0.
"""

from __future__ import annotations

import shutil

import torch
from torch import nn

from modelcore.layers.feedforward import FeedForward
from modelcore.training.plan import PRECISIONS, PlanError, Precision

PRODUCTS: dict[Precision, torch.dtype] = {
    "float32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}

# A step whose gradient overflows is skipped and halves the scale; below this it is no longer the scale's doing.
LEAST_SCALE = 2.0**-10


def refuse_precision(precision: Precision, device: torch.device) -> None:
    """Raises: PlanError where the device would take longer for such products than for float32's, or has none."""
    if precision == "float32" or _multiplies(precision, device):
        return
    others = ", ".join(other for other in PRECISIONS if other == "float32" or _multiplies(other, device))
    raise PlanError(
        "precision",
        f"This {device.type} has no {precision} products; what it multiplies without loss of time: {others}.",
    )


def _multiplies(precision: Precision, device: torch.device) -> bool:
    if device.type == "cuda":
        return precision == "fp16" or torch.cuda.is_bf16_supported(including_emulation=False)
    asked = {"bf16": "_is_mkldnn_bf16_supported", "fp16": "_is_mkldnn_fp16_supported"}[precision]
    # Private operators, which may move: then it is refused.
    can = getattr(torch.ops.mkldnn, asked, None)
    return can is not None and bool(can())


def compile_feedforward(model: nn.Module) -> None:
    """Lets torch fuse activations with what stands around them, forward and backward, at the first step.

    Attention is left as it is: which kernel runs is decided in Python, which compiled code would have to leave again.
    Raises: PlanError where torch.compile finds no C++ compiler.
    """
    if not any(shutil.which(compiler) for compiler in ("g++", "clang++")):
        raise PlanError("compile", "Compiling needs a C++ compiler, g++ or clang++, and there is none here.")
    for module in model.modules():
        if isinstance(module, FeedForward):
            module.compile()
