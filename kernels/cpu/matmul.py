"""Which library multiplies float32 matrices on this CPU: measured once in a process, not assumed.

torch asks MKL, which AMD's CPUs do not like; oneDNN has no public door for dense tensors, only a
private operator that may move.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

# Of the largest value, for products over a width of 768. Rounding of a sum grows with the root of its length when it is
# taken one after the other: 28 steps of 6e-8 are 1.7e-6. MKL sums in blocks and errs by 3e-7; oneDNN's kernels for
# AVX2 sum in turn and err by 6e-7 to 1.2e-6. A route through TF32 misses by 3e-4, one through bfloat16 by 3e-3.
FLOAT32_ERROR = 4e-6

# The product that is timed: inputs and outputs; its weight does not fit into the inner caches, as in a model.
TIMED = (768, 3072)
# Rows that are timed, for few and for many; and from how many on they are many. Libraries differ in both.
FEW, MANY, MANY_FROM = 32, 512, 160
TRIES = 5


class Backend(NamedTuple):
    """A library, and why it was chosen, in words for a person."""

    name: Literal["onednn", "torch"]
    reason: str


def matmul_backend(rows: int) -> Backend:
    """The faster of oneDNN, its weights packed, and torch's default for so many rows at once.

    The first call for few rows measures both for some 40 ms, the first for many for some 300 ms, on as many
    threads as torch takes: on one AMD CPU they were alike on one thread, and oneDNN 1.4 times as fast on two.
    """
    return _fastest_for(MANY if rows >= MANY_FROM else FEW)


@cache
def _fastest_for(rows: int) -> Backend:
    if not onednn_answers():
        return Backend("torch", "this torch has no operator for oneDNN's linear layer")
    inputs, outputs = TIMED
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(count, inputs, generator=generator) for count in (rows, outputs))
    packed = onednn_pack(weight)
    routes = {"onednn": lambda: onednn_linear(x, packed), "torch": lambda: F.linear(x, weight)}
    name, times = fastest_exact(routes, F.linear(x.double(), weight.double()))
    return Backend("onednn" if name == "onednn" else "torch", f"{times}, {rows} rows")


def onednn_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x W^T + b. The weight is contiguous, or packed by `onednn_pack`. Not differentiable."""
    return torch.ops.mkldnn._linear_pointwise.default(x, weight, bias, "none", [], "")


def onednn_pack(weight: Tensor) -> Tensor:
    """The weight in blocks as oneDNN's kernels read it, in new memory; `to_dense` unpacks it."""
    return torch.ops.mkldnn._reorder_linear_weight(weight)


def onednn_answers() -> bool:
    """Whether torch's private operators are there and answer as they should."""
    probe = torch.eye(2)
    try:
        answers = [onednn_linear(probe, probe), onednn_linear(probe, onednn_pack(probe)), onednn_pack(probe).to_dense()]
    except (AttributeError, RuntimeError, TypeError):
        return False
    return all(torch.equal(answer, probe) for answer in answers)


def fastest_exact(routes: Mapping[str, Callable[[], Tensor]], exact: Tensor) -> tuple[str, str]:
    """The fastest route whose result is float32's, and the times of all of them in words.

    Where none is exact, the first.
    """
    scale = exact.abs().max()
    errors = {name: float((route() - exact).abs().max() / scale) for name, route in routes.items()}
    seconds = _best_seconds(routes)
    allowed = [name for name in routes if errors[name] < FLOAT32_ERROR] or list(routes)[:1]
    said = ", ".join(
        f"{name} {1e3 * seconds[name]:.2f} ms" if name in allowed else f"{name} not exact ({errors[name]:.0e})"
        for name in routes
    )
    return min(allowed, key=lambda name: seconds[name]), said


def _best_seconds(routes: Mapping[str, Callable[[], Tensor]]) -> dict[str, float]:
    """The least time of each, turn by turn: what else the machine does then decides little."""
    best = dict.fromkeys(routes, float("inf"))
    for _ in range(TRIES):
        for name, route in routes.items():
            began = time.perf_counter()
            route()
            best[name] = min(best[name], time.perf_counter() - began)
    return best


@contextmanager
def one_thread() -> Iterator[None]:
    """Keeps torch to one thread, for steps so short that on a busy machine waiting for a second takes longer."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
