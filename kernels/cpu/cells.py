"""The cells of a pooled map: which of them a chunk touches, and what of the chunk each of them gets."""

from __future__ import annotations

import torch
from torch import Tensor

from kernels.cpu.scores import HIDDEN

# N pairs of batch and key/value head, R query heads of each, Q queries, K keys


def cells_of(part: range, whole: range, cell: int) -> slice:
    """The cells of `whole` that `part` lies in."""
    return slice((part.start - whole.start) // cell, -((whole.start - part.stop) // cell))


def by_cell(tile_NRQK: Tensor, cell: int, rule: str) -> Tensor:
    """Reduce every cell of a tile by "amax" or "sum"; rows first, which runs along contiguous memory."""
    height, width = (min(cell, size) for size in tile_NRQK.shape[-2:])
    short = (0, -tile_NRQK.shape[-1] % width, 0, -tile_NRQK.shape[-2] % height)
    if any(short):
        tile_NRQK = torch.nn.functional.pad(tile_NRQK, short, value=HIDDEN if rule == "amax" else 0.0)
    over_rows = getattr(tile_NRQK.unflatten(-2, (-1, height)), rule)(-2).unflatten(-1, (-1, width))
    if rule == "sum" and over_rows.is_floating_point():
        return over_rows @ over_rows.new_ones(width)  # three times as fast as a sum over few columns
    return getattr(over_rows, rule)(-1)
