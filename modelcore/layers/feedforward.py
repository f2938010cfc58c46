"""The position-wise feed-forward network of a block."""

from __future__ import annotations

from torch import Tensor, nn

from modelcore.config import ModelConfig, StackName
from modelcore.layers.linear import Linear


class FeedForward(nn.Module):
    """contract(activation(expand x)); where gated, contract(activation(gate x) · expand x).

    Source: Vaswani et al. 2017, section 3.3; Shazeer 2020 (arXiv 2002.05202) for the gate.
    """

    def __init__(self, config: ModelConfig, stack_name: StackName) -> None:
        super().__init__()
        inner, bias = config.stack(stack_name).feedforward_width, config.feedforward_bias
        self.expand = Linear(config.width, inner, bias=bias)
        self.gate = Linear(config.width, inner, bias=bias) if config.gated else None
        self.contract = Linear(inner, config.width, bias=bias)
        self.activation = config.activation

    def forward(self, x_BNW: Tensor) -> Tensor:
        if self.gate is None:
            return self.contract(self.expand(x_BNW, self.activation))
        return self.contract(self.gate(x_BNW, self.activation) * self.expand(x_BNW))
