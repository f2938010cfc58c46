"""Normalisation, and where a residual branch puts it."""

# N tokens, W width of what is normalised

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modelcore.config import ModelConfig


class LayerNorm(nn.LayerNorm):
    """(x - mean) / √(variance + ε) · weight + bias. Source: Ba et al. 2016 (arXiv 1607.06450), 3."""

    def __init__(
        self, width: int, epsilon: float, *, weight: bool = True, bias: bool = True, unit_offset: bool = False
    ) -> None:
        super().__init__(width, epsilon, elementwise_affine=weight, bias=bias)
        self.unit_offset = unit_offset and weight
        if self.unit_offset:
            nn.init.zeros_(self.weight)

    def forward(self, x_NW: Tensor) -> Tensor:
        weight = 1.0 + self.weight if self.unit_offset else self.weight
        return torch.layer_norm(x_NW, self.normalized_shape, weight, self.bias, self.eps)


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
    weight, offset = config.norm_weight, config.norm_unit_offset
    if config.norm == "rms":
        return RMSNorm(width, config.norm_epsilon, weight=weight, unit_offset=offset)
    return LayerNorm(width, config.norm_epsilon, weight=weight, bias=config.norm_bias, unit_offset=offset)


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
