"""Normalisation, and where a residual branch puts it."""

# N tokens, W width of what is normalised

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modelcore.config import ModelConfig


class RMSNorm(nn.Module):
    """x / √(mean(x²) + ε) · weight, computed in float32. Source: Zhang and Sennrich 2019 (arXiv 1910.07467), 3."""

    def __init__(self, width: int, epsilon: float, *, weight: bool = True, unit_offset: bool = False) -> None:
        super().__init__()
        start = torch.zeros if unit_offset else torch.ones
        self.weight = nn.Parameter(start(width)) if weight else None
        self.epsilon = epsilon
        self.unit_offset = unit_offset

    def forward(self, x_NW: Tensor) -> Tensor:
        exact = x_NW.float() if x_NW.dtype in (torch.float16, torch.bfloat16) else x_NW
        normed = exact * torch.rsqrt(exact.square().mean(-1, keepdim=True) + self.epsilon)
        if self.weight is not None:
            normed = normed * (1.0 + self.weight if self.unit_offset else self.weight)
        return normed.to(x_NW.dtype)


def build_norm(config: ModelConfig, width: int | None = None) -> nn.Module:
    """The kind of normalisation that the configuration names, of the residual stream or of another width."""
    width = width or config.width
    if config.norm == "rms":
        return RMSNorm(width, config.norm_epsilon, weight=config.norm_weight, unit_offset=config.norm_unit_offset)
    return nn.LayerNorm(width, config.norm_epsilon, elementwise_affine=config.norm_weight, bias=config.norm_bias)


class Residual(nn.Module):
    """One sublayer's normalisation and residual sum; `modelcore.config.NormPlacement` has the formulas."""

    def __init__(self, config: ModelConfig, *, has_norm: bool = True) -> None:
        super().__init__()
        placement = config.norm_placement
        self.post = placement == "post"
        self.norm = build_norm(config) if has_norm and placement != "output" else nn.Identity()
        self.output_norm = build_norm(config) if placement in ("sandwich", "output") else nn.Identity()
        self.dropout = config.dropout

    def forward(self, x_BNW: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        if self.post:
            return self.norm(x_BNW + self.drop(sublayer(x_BNW)))
        return x_BNW + self.drop(self.output_norm(sublayer(self.norm(x_BNW))))

    def drop(self, x_BNW: Tensor) -> Tensor:
        """Dropout of what a sublayer adds, in training. Source: Vaswani et al. 2017, 5.4."""
        return F.dropout(x_BNW, self.dropout) if self.training and self.dropout else x_BNW
