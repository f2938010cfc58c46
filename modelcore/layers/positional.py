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
        if isinstance(positions, range):
            return self.weight[positions.start + self.offset : positions.stop + self.offset]
        return self.weight[positions + self.offset]


class SinusoidalPositions(nn.Module):
    """Fixed sines and cosines; nothing is stored in a checkpoint."""

    table_PW: Tensor

    def __init__(self, positions: int, width: int) -> None:
        super().__init__()
        # On the CPU even where the model is laid out on the meta device: the table is computed, not loaded.
        with torch.device("cpu"):
            self.register_buffer("table_PW", sinusoids(positions, width), persistent=False)

    def forward(self, positions: range | Tensor) -> Tensor:
        return (
            self.table_PW[positions.start : positions.stop]
            if isinstance(positions, range)
            else self.table_PW[positions]
        )


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
