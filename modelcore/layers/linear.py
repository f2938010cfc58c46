"""The linear layer, and how the weights of a model that only runs lie in memory.

packed     in oneDNN's blocks: fastest for several rows. A loaded model is packed when it first reads so many that
           oneDNN is the faster library for them; it then stays so, for fewer rows and for more.
by input   all outputs of input 0, then of input 1 …: fastest for the one row of a token that is written,
           when memory is the limit, and nearly as fast as packed for many. `modelcore.layers.writing` lays it out so.
"""

# x [..., inputs], weight [outputs, inputs], bias [outputs]

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kernels.cpu.matmul import matmul_backend, onednn_linear, onednn_pack
from modelcore.config import Activation
from modelcore.layers.activation import ACTIVATIONS, activate_
from modelcore.layers.row_product import RowProduct, lies_by_input

# Below this many weights torch's shorter way to its product wins over oneDNN's faster product.
FEW_WEIGHTS = 1 << 17

# From so many rows on a weight is packed: it is then about a third faster at 8 rows, and a tenth at 64.
MANY_ROWS = 8


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None, activation: Activation | None = None) -> Tensor:
    """activation(x Wᵀ + b), by the backend that is fastest here; the weight may be packed.

    Differentiable. Where a gradient is wanted, or tensors are not float32 on the CPU, torch's own product is taken.
    """
    if _is_one_row(x, weight, bias):
        y = RowProduct(weight, bias)(x)
    elif _is_for_onednn(x, weight, bias):
        y = onednn_linear(x, weight, bias)
    else:
        y = F.linear(x, weight.to_dense() if weight.is_mkldnn else weight, bias)
    return y if activation is None else _activated(y, activation)


def _activated(y: Tensor, activation: Activation) -> Tensor:
    # oneDNN would apply some of them itself, but takes longer for it than torch does in place.
    return ACTIVATIONS[activation](y) if y.requires_grad else activate_(activation, y)


def _is_for_onednn(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    if x.dtype != torch.float32 or weight.dtype != torch.float32 or x.device.type != "cpu":
        return False
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (x, weight, bias)):
        return False
    if weight.is_mkldnn:
        return True
    has_no_gaps = weight.is_contiguous() or weight.t().is_contiguous()
    return has_no_gaps and _gains(weight, x.numel() // x.shape[-1])


def _is_one_row(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    if x.numel() != x.shape[-1] or weight.is_mkldnn or not lies_by_input(weight):
        return False
    return x.device.type == "cpu" and not (torch.is_grad_enabled() and any(t.requires_grad for t in (x, weight)))


def _gains(weight: Tensor, rows: int) -> bool:
    return weight.numel() >= FEW_WEIGHTS and matmul_backend(rows).name == "onednn"


def laid_out(weight: Tensor) -> Tensor:
    """A weight as it was read, without gaps: by input where it was stored so, else by output; a copy if need be."""
    if weight.dim() == 2 and weight.stride(0) == 1 and weight.shape[0] > 1:
        return weight.t().contiguous().t()
    return weight.contiguous()


class Linear(nn.Linear):
    """y = activation(x Wᵀ + b), as every product of a model with its own weights is computed.

    The weight of a model that only runs is packed when it first meets many rows, unless the model was laid out for
    writing. Whatever changes it, unpacks it first: another device or dtype, loading, training. A state dict holds
    it plain.
    """

    writes = False
    row: RowProduct | None = None

    def reset_parameters(self) -> None:
        # Random numbers without memory cost a loaded model's frame more time than all the rest of it.
        if not self.weight.is_meta:
            super().reset_parameters()

    def forward(self, x: Tensor, activation: Activation | None = None) -> Tensor:
        if self.row is not None and x.numel() == self.in_features and self.row.serves(self.weight, self.bias):
            y = self.row(x)
            return y if activation is None else _activated(y, activation)
        if not self.writes and not self.weight.is_mkldnn and self._is_worth_packing(x):
            self.pack()
        return linear(x, self.weight, self.bias, activation)

    def _is_worth_packing(self, x: Tensor) -> bool:
        if self.training or self.weight.requires_grad or x.numel() < MANY_ROWS * self.in_features:
            return False
        return _is_for_onednn(x, self.weight, self.bias)

    @torch.inference_mode(False)
    def pack(self) -> None:
        """The weight in oneDNN's blocks, in its place; both are in memory for a moment."""
        self.weight = nn.Parameter(onednn_pack(self.weight.detach().contiguous()), requires_grad=False)

    def unpack(self) -> None:
        weight = self.weight
        if weight.is_mkldnn:
            self.weight = nn.Parameter(weight.detach().to_dense(), requires_grad=weight.requires_grad)

    def train(self, mode: bool = True) -> Linear:
        if mode:
            self.unpack()
        return super().train(mode)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Linear:
        self.unpack()
        return super()._apply(fn, recurse)

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.weight.is_mkldnn:
            destination[prefix + "weight"] = self.weight.to_dense()

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self.unpack()
        super()._load_from_state_dict(*args, **kwargs)
