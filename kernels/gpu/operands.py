"""How kernels find the rows of a head in memory: strides that travel with their pointer, and bounds of loads."""

# mypy: disable-error-code="no-untyped-def"
# Device functions take Triton's own values, which have no Python types.
from __future__ import annotations

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

# i_ index, o_ offsets, m_ mask, p_ pointer, b_ block; blocks are [q queries, k keys, d width]

LOG2E = tl.constexpr(1.4426950408889634)
LN2 = tl.constexpr(0.6931471805599453)
WIDEST = 256


class Heads(NamedTuple):
    """A tensor [B, H, rows, width] as one kernel argument: its memory and its strides."""

    memory: Tensor
    batch: int
    head: int
    row: int
    column: int


def heads_of(x_BHND: Tensor) -> Heads:
    """Sizes of 1 get stride 0, so that what all sequences or all heads share is read by all of them."""
    strides = [0 if size == 1 else stride for size, stride in zip(x_BHND.shape[:2], x_BHND.stride()[:2], strict=True)]
    return Heads(x_BHND, *strides, *x_BHND.stride()[2:])


def normaliser(lse_BHQ: Tensor) -> Tensor:
    """log2 of each row's sum; +inf for a row that sees no key, so that all its weights are 0."""
    lse_BHQ = lse_BHQ.float()
    return torch.where(lse_BHQ == -torch.inf, torch.inf, lse_BHQ * LOG2E.value).contiguous()


def block_width(width: int) -> int:
    """The power of two that holds a head; 64 at least.

    A 32-wide product after another one reads illegal memory on sm_90 (triton-lang/triton#10573, 3.6 and 3.7).
    """
    return max(triton.next_power_of_2(width), 64)


def check_operands(q_BHQD: Tensor, *others: Tensor) -> None:
    """Raises: ValueError for what the kernels do not compute in, and for heads too wide for a tile to stay on chip."""
    if q_BHQD.dtype not in (torch.float16, torch.bfloat16, torch.float32):
        raise ValueError(
            f"implementation 'triton' takes float16, bfloat16 or float32, got {q_BHQD.dtype}; "
            "'reference' takes every dtype"
        )
    width = max(x.shape[-1] for x in (q_BHQD, *others))
    if width > WIDEST:
        raise ValueError(f"implementation 'triton' takes heads up to {WIDEST} wide, got {width}; 'torch' takes any")


@triton.jit
def head_at(x, i_batch, i_head):
    """Where a head begins; both indices in 64 bits, for tensors beyond 2^31 elements."""
    return x.memory + i_batch * x.batch + i_head * x.head


@triton.jit
def load_tile(
    x,
    i_batch,
    i_head,
    first,
    stop,
    ROWS: tl.constexpr,
    WIDTH: tl.constexpr,
    BLOCK_D: tl.constexpr,
    MASKED: tl.constexpr,
):
    """Consecutive rows of one head, [rows, d]; zero past the head's width, and past `stop` where MASKED.

    Where the first row is takes 64 bits; from there on 32 do, which no loop has to work out again.
    """
    o_rows, o_d = tl.arange(0, ROWS), tl.arange(0, BLOCK_D)
    p_first = head_at(x, i_batch, i_head) + tl.cast(first, tl.int64) * x.row
    p_rows = p_first + (o_rows[:, None] * x.row + o_d[None, :] * x.column)
    if MASKED:
        return tl.load(p_rows, mask=(first + o_rows < stop)[:, None] & (o_d < WIDTH)[None, :], other=0.0)
    elif WIDTH != BLOCK_D:
        return tl.load(p_rows, mask=(o_d < WIDTH)[None, :], other=0.0)
    else:
        return tl.load(p_rows)


@triton.jit
def gather_rows(x, i_batch, i_head, o_rows, WIDTH: tl.constexpr, BLOCK_D: tl.constexpr):
    """Any rows of one head, [rows, d]; zero past the head's width."""
    o_d = tl.arange(0, BLOCK_D)
    p_rows = head_at(x, i_batch, i_head) + o_rows.to(tl.int64)[:, None] * x.row + o_d[None, :] * x.column
    return tl.load(p_rows, mask=(o_d < WIDTH)[None, :], other=0.0)


@triton.jit
def store_rows(x, i_batch, i_head, o_rows, stop, b_x, WIDTH: tl.constexpr, BLOCK_D: tl.constexpr):
    """b_x [rows, d] in the dtype of the tensor."""
    o_d = tl.arange(0, BLOCK_D)
    p_rows = head_at(x, i_batch, i_head) + o_rows.to(tl.int64)[:, None] * x.row + o_d[None, :] * x.column
    m_rows = (o_rows < stop)[:, None] & (o_d < WIDTH)[None, :]
    tl.store(p_rows, b_x.to(x.memory.dtype.element_ty), mask=m_rows)


@triton.jit
def load_vector(p_rows, first, stop, other: tl.constexpr, ROWS: tl.constexpr, MASKED: tl.constexpr):
    """One number for each of consecutive rows, [rows]; `other` past `stop` where MASKED."""
    o_rows = first + tl.arange(0, ROWS)
    if MASKED:
        return tl.load(p_rows + o_rows, mask=o_rows < stop, other=other)
    else:
        return tl.load(p_rows + o_rows)


@triton.jit
def load_normaliser(p_normaliser, i_pair, first, sp, stop, ROWS: tl.constexpr, MASKED: tl.constexpr):
    """What `normaliser` gave for rows of one pair of batch and head, [q]; +inf past `stop` where MASKED."""
    return load_vector(p_normaliser + i_pair * sp.queries, first, stop, float("inf"), ROWS, MASKED)
