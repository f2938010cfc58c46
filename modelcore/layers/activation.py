"""The activations that a configuration may name."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from modelcore.config import Activation

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "relu": F.relu,
    "silu": F.silu,
    "tanh": torch.tanh,
}


# From so many values on ours is faster than torch's; and so many at once, two MiB, stay in the cache.
GELU_TANH_FROM, GELU_TANH_AT_ONCE = 1 << 17, 1 << 19

# gelu_tanh(x) = x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)), the same function as with tanh.
GELU_LINEAR = 2 * math.sqrt(2 / math.pi)
GELU_CUBIC = GELU_LINEAR * 0.044715


def activate_(activation: Activation, x: Tensor) -> Tensor:
    """The activation of x in its place. Not differentiable."""
    return IN_PLACE[activation](x)


def _gelu_tanh_(x: Tensor) -> Tensor:
    """torch's vectorised tanh takes four times as long as its sigmoid, which says the same."""
    if x.device.type != "cpu" or x.dtype != torch.float32 or x.numel() < GELU_TANH_FROM or not x.is_contiguous():
        return torch.ops.aten.gelu_(x, approximate="tanh")
    scratch = x.new_empty(min(x.numel(), GELU_TANH_AT_ONCE))
    for part in x.view(-1).split(GELU_TANH_AT_ONCE):
        gate = torch.mul(part, part, out=scratch[: part.numel()])
        part.mul_(gate.mul_(GELU_CUBIC).add_(GELU_LINEAR).mul_(part).sigmoid_())
    return x


IN_PLACE: dict[Activation, Callable[[Tensor], Tensor]] = {
    "gelu": torch.ops.aten.gelu_,
    "gelu_tanh": _gelu_tanh_,
    "quick_gelu": lambda x: x.mul_(torch.sigmoid(1.702 * x)),
    "relu": torch.relu_,
    "silu": lambda x: F.silu(x, inplace=True),
    "tanh": torch.tanh_,
}
