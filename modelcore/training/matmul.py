"""Which route float32 matrix products take in training on this CPU: measured, not assumed."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from kernels.cpu.matmul import fastest_exact


def choose_matmul(rows: int = 2048, width: int = 256) -> str:
    """Sets torch's float32 precision to the faster route whose error is still float32's.

    "medium" lets torch take oneDNN, in true float32 on most CPUs but in bfloat16 where the CPU has
    AMX: hence the check. `modelcore.layers.linear` reaches oneDNN without it, but has no gradients there.
    Returns what was chosen, with both times.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(rows, width, generator=generator)
    weight = torch.randn(4 * width, width, generator=generator)

    def product(route: str) -> Tensor:
        torch.set_float32_matmul_precision(route)
        return F.linear(x, weight)

    exact = F.linear(x.double(), weight.double())
    chosen, times = fastest_exact({route: partial(product, route) for route in ("highest", "medium")}, exact)
    torch.set_float32_matmul_precision(chosen)
    return f"{chosen} ({times})"
