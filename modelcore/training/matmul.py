"""Which route float32 matrix products take on this CPU: measured, not assumed."""

from __future__ import annotations

import time

import torch
from torch import Tensor

# Relative to the largest product; a route through bfloat16 misses it by a factor of a thousand.
FLOAT32_ERROR = 1e-5


def choose_matmul(rows: int = 2048, width: int = 256) -> str:
    """Sets torch's float32 precision to the faster route whose error is still float32's.

    "medium" lets torch take oneDNN, in true float32 on most CPUs but in bfloat16 where the CPU has
    AMX: hence the check. Returns what was chosen, with both times.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(rows, width, generator=generator)
    weight = torch.randn(4 * width, width, generator=generator)
    exact = x.double() @ weight.double().t()
    seconds = {}
    for route in ("highest", "medium"):
        torch.set_float32_matmul_precision(route)
        product = torch.nn.functional.linear(x, weight)
        error = ((product - exact).abs().max() / exact.abs().max()).item()
        seconds[route] = _best_of(x, weight) if error < FLOAT32_ERROR else float("inf")
    chosen = min(seconds, key=lambda route: seconds[route])
    torch.set_float32_matmul_precision(chosen)
    return f"{chosen} (" + ", ".join(f"{route} {time_s * 1e3:.2f} ms" for route, time_s in seconds.items()) + ")"


def _best_of(x: Tensor, weight: Tensor, tries: int = 12) -> float:
    times = []
    for _ in range(tries):
        started = time.perf_counter()
        torch.nn.functional.linear(x, weight)
        times.append(time.perf_counter() - started)
    return min(times)
