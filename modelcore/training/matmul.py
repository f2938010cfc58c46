"""Which route float32 matrix products take in training on this CPU: measured, not assumed."""

from __future__ import annotations

from functools import cache, partial

import torch
import torch.nn.functional as F
from torch import Tensor

from kernels.cpu.matmul import FLOAT32_ERROR, fastest_exact

DEFAULT = "highest"
ROUTES = (DEFAULT, "medium")


def settle_matmul(asked: str | None = None) -> str:
    """The route of `choose_matmul`, or the one that a training began with, for its curve to stay the same to the bit;
    where that one is not exact on this CPU, torch's default. Sets it, and returns it."""
    route = asked or _chosen_once()
    if route not in ROUTES or not _is_exact(route):
        route = DEFAULT
    torch.set_float32_matmul_precision(route)
    return route


@cache
def _chosen_once() -> str:
    return choose_matmul().split()[0]


@cache
def _is_exact(route: str) -> bool:
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(rows, 256, generator=generator) for rows in (512, 1024))
    torch.set_float32_matmul_precision(route)
    exact = F.linear(x.double(), weight.double())
    return float((F.linear(x, weight) - exact).abs().max() / exact.abs().max()) < FLOAT32_ERROR


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
    chosen, times = fastest_exact({route: partial(product, route) for route in ROUTES}, exact)
    torch.set_float32_matmul_precision(chosen)
    return f"{chosen} ({times})"
