"""The linear layer."""

from __future__ import annotations

from torch import nn


class Linear(nn.Linear):
    """y = x W^T + b, as every product of a model with its own weights is computed.

    Shapes: x [..., inputs] -> [..., outputs]; weight [outputs, inputs], bias [outputs].
    """
