"""Attention with all pooled maps, on the CPU beside eager maps and torch's fused kernel; then the GPU's figures."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from kernels import dispatch
from kernels.spec import AttentionSpec
from tests.benchmarks import kernels_gpu
from tests.benchmarks.figures import Figure, interleaved

# B batch, H heads, N tokens, D width of a head, R and C rows and columns of cells

HEADS, WIDTH, CELLS = 12, 64, 256
SPEC = AttentionSpec(WIDTH**-0.5, causal=True)

# Tokens: how many times faster than eager maps, and how often each is measured.
SPEED_UP = {1024: (4, 15), 2048: (5, 9), 4096: (6, 7), 8192: (7, 3)}
SDPA_AT, SDPA_RATIO = 4096, 1.3
MEMORY_AT, MEMORY_RATIO = 8192, 40
NEEDED_GB = 9  # by eager maps at 8,192 tokens


def figures() -> Iterator[Figure]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield from _speed()
    finally:
        torch.set_num_threads(threads)
    yield _memory()
    yield from kernels_gpu.figures()


def _speed() -> Iterator[Figure]:
    """CPU seconds of one thread, so that what else the machine does costs all three alike."""
    yield Figure("kernels.matrix_products", dispatch.chosen("cpu").reason)
    for tokens, (times, rounds) in SPEED_UP.items():
        name = f"kernels.cpu.{tokens}"
        if tokens >= MEMORY_AT and _available_gb() < NEEDED_GB:
            yield Figure(f"{name}.against_eager", skipped=f"eager maps need {NEEDED_GB} GB of free memory")
            continue
        q, k, v = _operands(tokens)
        ours_s, eager_s, sdpa_s = interleaved(
            rounds,
            lambda q=q, k=k, v=v: _cpu_seconds(lambda: _ours(q, k, v)),
            lambda q=q, k=k, v=v: _cpu_seconds(lambda: _eager(q, k, v)),
            lambda q=q, k=k, v=v: _cpu_seconds(lambda: scaled_dot_product_attention(q, k, v, is_causal=True)),
        )
        yield Figure(
            f"{name}.against_eager",
            f"{eager_s / ours_s:.2f} x faster: {1e3 * ours_s:.0f} and {1e3 * eager_s:.0f} ms",
            f">= {times} x faster",
            eager_s >= times * ours_s,
        )
        goal = f"<= {SDPA_RATIO} x" if tokens == SDPA_AT else ""
        yield Figure(
            f"{name}.against_sdpa_alone",
            f"{ours_s / sdpa_s:.2f} x its time, {1e3 * sdpa_s:.0f} ms",
            goal,
            ours_s <= SDPA_RATIO * sdpa_s if goal else None,
        )
        yield _share_of_limit(name, tokens, ours_s)


def _share_of_limit(name: str, tokens: int, seconds: float) -> Figure:
    """What the visible pairs cost at the rates of one product and one exponential, measured here and now."""
    pairs = HEADS * tokens * (tokens + 1) / 2
    rows, cols = 128, 1024
    (q, k), block = torch.randn(2, cols, WIDTH), torch.empty(rows, cols)
    product_s, exponential_s = interleaved(
        9,
        lambda: _cpu_seconds(lambda: [torch.mm(q[:rows], k.T, out=block) for _ in range(50)]) / 50,
        lambda: _cpu_seconds(lambda: [torch.exp2(block, out=block) for _ in range(50)]) / 50,
    )
    limit_s = pairs * (2 * product_s + exponential_s) / (rows * cols)
    rate = 2 * rows * cols * WIDTH / product_s / 1e9
    return Figure(
        f"{name}.share_of_limit",
        f"{limit_s / seconds:.0%} of two products and an exponential a pair ({rate:.0f} GFLOP/s,"
        f" {rows * cols / exponential_s / 1e9:.1f} G/s)",
    )


def _memory() -> Figure:
    name = f"kernels.cpu.{MEMORY_AT}.memory"
    if _available_gb() < NEEDED_GB:
        return Figure(name, skipped=f"eager maps need {NEEDED_GB} GB of free memory")
    ours, eager = (_peak_in_child(which) for which in ("ours", "eager"))
    return Figure(
        name,
        f"{ours / 2**20:.0f} MiB, eager {eager / 2**20:.0f} MiB: 1/{eager / ours:.0f}",
        f"<= 1/{MEMORY_RATIO} of eager's",
        MEMORY_RATIO * ours <= eager,
    )


def _ours(q: Tensor, k: Tensor, v: Tensor) -> object:
    return dispatch.attend_and_pool(q, k, v, SPEC, q.shape[2] // CELLS)


def _eager(q_BHND: Tensor, k_BHND: Tensor, v_BHND: Tensor) -> object:
    """Attention as eager models write it, and its map pooled: rows first, which is torch's quickest way."""
    tokens = q_BHND.shape[2]
    hidden = torch.ones(tokens, tokens, dtype=torch.bool).triu(1)
    scores = (q_BHND @ k_BHND.mT) * SPEC.scale
    scores = scores.masked_fill(hidden, -torch.inf)
    map_BHNN = scores.softmax(-1)
    del scores
    strips = map_BHNN.unflatten(-2, (CELLS, -1))
    maximum = strips.amax(-2).unflatten(-1, (CELLS, -1)).amax(-1)
    total = strips.sum(-2).unflatten(-1, (CELLS, -1)).sum(-1)
    return map_BHNN @ v_BHND, maximum, total


def _operands(tokens: int) -> Tensor:
    return torch.randn(3, 1, HEADS, tokens, WIDTH, generator=torch.Generator().manual_seed(0))


def _cpu_seconds(action: Callable[[], object]) -> float:
    began = time.process_time()
    action()
    return time.process_time() - began


def _available_gb() -> float:
    """Source: man 5 proc_meminfo."""
    line = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable"))
    return int(line.split()[1]) / 1e6


def _peak_in_child(which: str) -> int:
    """Bytes that resident memory rose by in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.kernels", which]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _risen(which: str) -> int:
    q, k, v = _operands(MEMORY_AT)
    short = (x[:, :, :512] for x in (q, k, v))
    _ours(*short)  # what is loaded once is no part of a call
    before = _resident("VmRSS")
    (_ours if which == "ours" else _eager)(q, k, v)
    return _resident("VmHWM") - before


def _resident(field: str) -> int:
    """Source: man 5 proc_pid_status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(field)).split()[1])


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(_risen(sys.argv[1])))
