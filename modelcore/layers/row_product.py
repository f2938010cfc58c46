"""One row times a weight that lies by input: what a token that is written costs in every linear layer."""

# x [..., inputs] of one row, weight [outputs, inputs], bias [outputs]
# P parts, I inputs of one part, O outputs

from __future__ import annotations

import torch
from torch import Tensor


def lies_by_input(weight: Tensor) -> bool:
    """Whether all outputs of an input lie side by side; another layer's may lie between one input's and the next's."""
    return weight.stride(0) == 1 and weight.stride(1) >= weight.shape[0]


class RowProduct:
    """x Wᵀ + b: each thread takes a run of inputs, which is a run of memory, and all outputs; the parts are added.

    MKL's own product of one row with a matrix runs on one thread, and oneDNN's waits for its slowest. The weight is
    cut once: doing it anew took as long for each product of a small model as the product.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        """The weight is one that `lies_by_input`."""
        outputs, inputs = weight.shape
        self._parts = next(n for n in range(torch.get_num_threads(), 0, -1) if inputs % n == 0)
        self._weight, self._bias = weight, bias
        self._place = weight.data_ptr()
        self._weight_PIO = weight.t().view(self._parts, -1, outputs)

    def serves(self, weight: Tensor, bias: Tensor | None) -> bool:
        """Whether these are still what was cut, and learn nothing: loading, another device or dtype give others."""
        if weight is not self._weight or bias is not self._bias or weight.data_ptr() != self._place:
            return False
        return not (weight.requires_grad and torch.is_grad_enabled())

    def __call__(self, x: Tensor) -> Tensor:
        y = torch.bmm(x.reshape(self._parts, 1, -1), self._weight_PIO).sum(0)
        if self._bias is not None:
            y += self._bias
        return y.view(*x.shape[:-1], y.shape[-1])
