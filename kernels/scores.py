"""Masked log2 scores inside Triton kernels: the device functions that every kernel is made of.

Imported only where Triton is: on a machine with a CUDA device, and by tests.
"""

# mypy: disable-error-code="no-untyped-def"
# Device functions take Triton's own values, which have no Python types.
from __future__ import annotations

import math
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.spec import AttentionSpec

# i_ index, o_ offsets, m_ mask, p_ pointer, b_ block; blocks are [q queries, k keys, d width]

LOG2E = tl.constexpr(math.log2(math.e))
LN2 = tl.constexpr(math.log(2))


class Blocks(NamedTuple):
    """Queries and keys of one tile, and the warps that share it."""

    queries: int
    keys: int
    num_warps: int = 4
    num_stages: int = 2


class Scoring(NamedTuple):
    """An AttentionSpec as kernel arguments; two factors, because tanh wants its argument doubled."""

    factor: float
    softcap_log2: float
    window: int
    key_lengths: Tensor
    flags: dict[str, bool]


def scoring(spec: AttentionSpec, like: Tensor) -> Scoring:
    if spec.softcap is None:
        factor, softcap_log2 = spec.scale * LOG2E.value, 0.0
    else:
        factor, softcap_log2 = 2 * LOG2E.value * spec.scale / spec.softcap, spec.softcap * LOG2E.value
    lengths = spec.key_lengths
    flags = {
        "CAUSAL": spec.causal,
        "HAS_WINDOW": spec.window is not None,
        "HAS_SOFTCAP": spec.softcap is not None,
        "HAS_LENGTHS": lengths is not None,
    }
    # A kernel wants some pointer even where the flag keeps it from looking.
    return Scoring(factor, softcap_log2, spec.window or 0, like if lengths is None else lengths.long(), flags)


def block_width(width: int) -> int:
    """The power of two that holds a head; 64 at least.

    A 32-wide product after another one reads illegal memory on sm_90 (triton-lang/triton#10573, 3.6 and 3.7).
    """
    return max(triton.next_power_of_2(width), 64)


def check_dtype(x: Tensor) -> None:
    """Raises: ValueError for what the kernels do not compute in."""
    if x.dtype not in (torch.float16, torch.bfloat16, torch.float32):
        raise ValueError(
            f"implementation 'triton' takes float16, bfloat16 or float32, got {x.dtype}; 'reference' takes every dtype"
        )


@triton.jit
def load_rows(p_head, o_rows, stop, stride_row, stride_width, WIDTH: tl.constexpr, BLOCK_D: tl.constexpr):
    """Rows of one head, [rows, d]; zero past `stop` and past the head's width."""
    o_d = tl.arange(0, BLOCK_D)
    p_rows = p_head + o_rows.to(tl.int64)[:, None] * stride_row + o_d[None, :] * stride_width
    return tl.load(p_rows, mask=(o_rows < stop)[:, None] & (o_d < WIDTH)[None, :], other=0.0)


@triton.jit
def load_normaliser(p_lse, o_q, stop):
    """log2 of each row's sum, [q]; +inf past `stop`, so that padding weighs 0 even where nothing is masked."""
    return tl.load(p_lse + o_q, mask=o_q < stop, other=float("inf")) * LOG2E


@triton.jit
def log2_scores(b_q, b_k, factor, softcap_log2, HAS_SOFTCAP: tl.constexpr):
    """Scores in units of log2, [q, k]; tanh(x) = 1 - 2 / (exp(2x) + 1)."""
    b_s = tl.dot(b_q, tl.trans(b_k), input_precision="ieee") * factor
    if HAS_SOFTCAP:
        b_s = softcap_log2 * (1.0 - 2.0 / (tl.exp2(b_s) + 1.0))
    return b_s


@triton.jit
def visible(o_q, o_k, offset, window, key_stop, CAUSAL: tl.constexpr, HAS_WINDOW: tl.constexpr):
    """Which pairs are seen, [q, k]. offset is K - Q; key_stop ends the keys, or the padding-free part."""
    m_seen = (o_k < key_stop)[None, :]
    if CAUSAL:
        position = o_q[:, None] + offset
        m_seen = m_seen & (o_k[None, :] <= position)
        if HAS_WINDOW:
            m_seen = m_seen & (o_k[None, :] > position - window)
    return m_seen


@triton.jit
def key_bounds(
    first,
    last,
    offset,
    window,
    key_start,
    key_stop,
    CAUSAL: tl.constexpr,
    HAS_WINDOW: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """Where rows first..last look, and where every one of them sees everything, in blocks from key_start.

    start      inner_start        inner_stop     stop
      |  masked  |    no mask needed   |  masked  |
    """
    start, inner_start, inner_stop, stop = key_start, key_start, key_stop, key_stop
    if CAUSAL:
        stop = tl.minimum(tl.maximum(last + offset + 1, key_start), key_stop)
        inner_stop = tl.minimum(tl.maximum(first + offset + 1, key_start), key_stop)
        if HAS_WINDOW:
            start = tl.minimum(tl.maximum(first + offset - window + 1, key_start), stop)
            inner_start = tl.minimum(tl.maximum(last + offset - window + 1, key_start), stop)
    start = key_start + (start - key_start) // BLOCK_K * BLOCK_K
    inner_start = key_start + (inner_start - key_start + BLOCK_K - 1) // BLOCK_K * BLOCK_K
    inner_stop = key_start + (inner_stop - key_start) // BLOCK_K * BLOCK_K
    return start, inner_start, tl.maximum(inner_start, inner_stop), stop


@triton.jit
def keys_of(p_key_lengths, i_batch, keys, HAS_LENGTHS: tl.constexpr):
    """How many keys of this sequence are no padding."""
    if HAS_LENGTHS:
        length = tl.load(p_key_lengths + i_batch)
        return tl.minimum(tl.maximum(length, 0), keys).to(tl.int32)
    else:
        return keys
