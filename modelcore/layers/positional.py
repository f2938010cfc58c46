"""Positions that are added to token vectors: a learned table, or fixed sinusoids. And ALiBi's slopes."""

# P positions, N tokens, W width, H heads

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from modelcore.config import ModelConfig


class LearnedPositions(nn.Module):
    """One trained vector a position; position 0 reads row `offset`. Source: Radford et al. 2019 (GPT-2)."""

    def __init__(self, positions: int, width: int, offset: int = 0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(positions + offset, width))
        self.offset = offset

    def forward(self, positions: range | Tensor) -> Tensor:
        return _rows(self.weight[self.offset :], positions)


class SinusoidalPositions(nn.Module):
    """Fixed sines and cosines; nothing is stored in a checkpoint."""

    table_PW: Tensor

    def __init__(self, positions: int, width: int) -> None:
        super().__init__()
        # On the CPU even where the model is laid out on the meta device: the table is computed, not loaded.
        with torch.device("cpu"):
            self.register_buffer("table_PW", sinusoids(positions, width), persistent=False)

    def forward(self, positions: range | Tensor) -> Tensor:
        return _rows(self.table_PW, positions)


def _rows(table_PW: Tensor, positions: range | Tensor) -> Tensor:
    """Raises: ValueError past the end, where a slice may hold a single row, which would be taken for every token."""
    if not isinstance(positions, range):
        return table_PW[positions]
    if positions.stop > table_PW.shape[0]:
        raise ValueError(f"the text has {positions.stop} tokens; this model knows {table_PW.shape[0]} positions.")
    return table_PW[positions.start : positions.stop]


def count_positions(
    counted: range, starts_B: Tensor | None = None, documents_BK: Tensor | None = None
) -> range | Tensor:
    """The positions of the tokens of these indices, as they are, or (B, N) counted from each sequence's start.

    `starts` says where sequences begin after left padding; `documents` which text each token belongs to.
    """
    if documents_BK is not None:
        index_K = torch.arange(documents_BK.shape[1], device=documents_BK.device)
        begins_BK = torch.ones_like(documents_BK, dtype=torch.bool)
        begins_BK[:, 1:] = documents_BK[:, 1:] != documents_BK[:, :-1]
        first_BK = (index_K * begins_BK).cummax(dim=1).values
        if starts_B is not None:
            first_BK = first_BK.maximum(starts_B[:, None])
        return (index_K - first_BK).clamp(min=0)[:, counted.start : counted.stop]
    if starts_B is not None:
        index_N = torch.arange(counted.start, counted.stop, device=starts_B.device)
        return (index_N - starts_B[:, None]).clamp(min=0)
    return counted


def build_positions(config: ModelConfig, width: int) -> LearnedPositions | SinusoidalPositions | None:
    """What the configuration adds to token vectors for their positions; None where attention has them instead."""
    if config.position_encoding == "learned":
        return LearnedPositions(config.positions, width, config.position_offset)
    if config.position_encoding == "sinusoidal":
        return SinusoidalPositions(config.positions, width)
    return None


def sinusoids(positions: int, width: int) -> Tensor:
    """The paper's position vectors with all sines in the first half and all cosines in the second.

    Shapes: returns (positions, width) float32; with an odd width the sines have one column more.
    Source: Vaswani et al. 2017, section 3.5: angle = position / 10000^(2i / width). The paper
        interleaves sine and cosine; the halves are Marian's layout, the same up to a permutation
        of columns.
    """
    position_P1 = torch.arange(positions, dtype=torch.float64)[:, None]
    sine_i = torch.arange((width + 1) // 2, dtype=torch.float64)
    angle_Pi = position_P1 / 10000 ** (2 * sine_i / width)
    return torch.cat([angle_Pi.sin(), angle_Pi[:, : width // 2].cos()], dim=1).float()


def alibi_slopes(heads: int) -> Tensor:
    """How steeply each head's scores fall with distance, float32 (H,).

    A geometric series from 2^(-8/n); where the heads are no power of two, every other term of the next
    power's series fills up. Source: Press et al. 2022 (arXiv 2108.12409), 3, and its `get_slopes`.
    """
    power = 2 ** math.floor(math.log2(heads))
    series = [2 ** (-8 * (i + 1) / power) for i in range(power)]
    finer = [2 ** (-4 * (i + 1) / power) for i in range(2 * power)][::2]
    return torch.tensor(series + finer[: heads - power], dtype=torch.float32)
