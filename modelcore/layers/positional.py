"""How a token's position reaches the model: a learned table, or fixed sinusoids."""

# P positions, N tokens, W model width

from __future__ import annotations

import torch
from torch import Tensor, nn

from modelcore.config import ModelConfig


class LearnedPositions(nn.Module):
    """One trained vector a position; `build` or a checkpoint fills them. Source: Radford et al. 2019 (GPT-2)."""

    def __init__(self, positions: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(positions, width))

    def forward(self, count: int) -> Tensor:
        return self.weight[:count]


class SinusoidalPositions(nn.Module):
    """Fixed sines and cosines; nothing is stored in a checkpoint."""

    table_PW: Tensor

    def __init__(self, positions: int, width: int) -> None:
        super().__init__()
        # On the CPU even where the model is laid out on the meta device: the table is computed, not loaded.
        with torch.device("cpu"):
            self.register_buffer("table_PW", sinusoids(positions, width), persistent=False)

    def forward(self, count: int) -> Tensor:
        return self.table_PW[:count]


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


def build_positions(config: ModelConfig) -> LearnedPositions | SinusoidalPositions:
    """The position module that the configuration names."""
    if config.position_encoding == "learned":
        return LearnedPositions(config.positions, config.width)
    return SinusoidalPositions(config.positions, config.width)
