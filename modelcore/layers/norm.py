"""Normalisation, and where a residual branch puts it."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from modelcore.config import ModelConfig


class Residual(nn.Module):
    """One sublayer's normalisation and residual sum.

    post-norm: LayerNorm(x + Sublayer(x))    Source: Vaswani et al. 2017, section 3.1
    pre-norm:  x + Sublayer(LayerNorm(x))    Source: Radford et al. 2019
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.width, eps=config.norm_epsilon)
        self.pre = config.norm_placement == "pre"

    def forward(self, x_BNW: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        if self.pre:
            return x_BNW + sublayer(self.norm(x_BNW))
        return self.norm(x_BNW + sublayer(x_BNW))
