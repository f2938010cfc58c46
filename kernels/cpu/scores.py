"""Units of log2, the GEMM under the scores, and how a call is cut into chunks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor

from kernels.cpu.matmul import Backend, fastest_exact, onednn_answers, onednn_linear

# N pairs of batch and key/value head, R query heads of each, Q queries, K keys, D head width

LOG2E = math.log2(math.e)
LN2 = math.log(2)

# Stands for -inf: 2 ** HIDDEN is 0, and unlike -inf it survives HIDDEN * 0 and HIDDEN - HIDDEN.
HIDDEN = -1e30

# Scores held at once, 4 MiB of float32: more leaves the cache, less starves the GEMM.
CHUNK_SCORES = 1 << 20

# Enough rows to feed the GEMM; with more, a causal chunk computes too much above its diagonal.
CHUNK_ROWS = (64, 256)


def per_key_head(x_BHQD: Tensor, key_heads: int) -> Tensor:
    """[B, H, ...] as [N, R, ...]: the R query heads that share a key head become rows of one GEMM."""
    batch, heads = x_BHQD.shape[:2]
    return x_BHQD.reshape(batch * key_heads, heads // key_heads, *x_BHQD.shape[2:])


def pairs_at_once(pairs: int, scores_of_a_pair: int, at_most: int = CHUNK_SCORES) -> Iterator[slice]:
    """Small maps share one batched GEMM; large ones go pair by pair."""
    step = min(max(at_most // scores_of_a_pair, 1), pairs)
    return (slice(start, start + step) for start in range(0, pairs, step))


def rows_at_once(scores_of_a_row: int) -> int:
    return min(max(CHUNK_SCORES // scores_of_a_row, CHUNK_ROWS[0]), CHUNK_ROWS[1])


def spans(whole: range, step: int) -> Iterator[range]:
    return (range(start, min(start + step, whole.stop)) for start in range(whole.start, whole.stop, step))


def aligned(span: range, step: int, within: range) -> range:
    """The span widened to multiples of step, counted from the start of `within`, and cut to it.

    oneDNN keeps a compiled primitive for each shape: exact causal bounds would fill hundreds of MB.
    """
    start = max(span.start - (span.start - within.start) % step, within.start)
    stop = min(span.stop + (within.start - span.stop) % step, within.stop)
    return range(start, max(start, stop))


def log2_normaliser(lse_NRQ: Tensor, dtype: torch.dtype) -> Tensor:
    """What to subtract from log2 scores to get log2 probabilities. -inf, a row without keys, turns around."""
    return (lse_NRQ.to(dtype) * LOG2E).masked_fill(lse_NRQ == -math.inf, -HIDDEN)


def compute_dtype(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)


# The product that score_backend times: queries and keys of a chunk, and the width of a head.
TIMED = (128, 2048, 64)


@cache
def score_backend() -> Backend:
    """oneDNN where it makes five chunks of scores while torch's default makes four, which it writes where it is told.

    oneDNN asks for new memory each time, so that it must be clearly faster to be so in use.
    """
    if not onednn_answers():
        return Backend("torch", "this torch has no operator for oneDNN's linear layer")
    generator = torch.Generator().manual_seed(0)
    q, k = (torch.randn(count, TIMED[2], generator=generator) for count in TIMED[:2])
    out = torch.empty(TIMED[:2])
    routes = {
        "onednn": lambda: [onednn_linear(q, k) for _ in range(5)][-1],
        "torch": lambda: [torch.mm(q, k.T, out=out) for _ in range(4)][-1],
    }
    name, times = fastest_exact(routes, q.double() @ k.double().T)
    return Backend("onednn" if name == "onednn" else "torch", f"{times}, for five and for four chunks of scores")


def gemm(a_NMD: Tensor, b_NKD: Tensor, scratch: Tensor) -> Tensor:
    """a b^T for each pair, in the scratch memory. One large pair may go through oneDNN, which has no batched entry."""
    pairs, rows, cols = a_NMD.shape[0], a_NMD.shape[1], b_NKD.shape[1]
    large = pairs == 1 and rows * cols >= CHUNK_SCORES // 8
    if large and a_NMD.dtype == torch.float32 and a_NMD.device.type == "cpu" and score_backend().name == "onednn":
        # Rows apart in memory, as heads after tokens leave them, are a thousand times slower here.
        return onednn_linear(a_NMD[0], b_NKD[0].contiguous())[None]
    out = scratch[: pairs * rows * cols].view(pairs, rows, cols)
    return torch.bmm(a_NMD, b_NKD.transpose(1, 2), out=out)
