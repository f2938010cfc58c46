"""Memory that one tensor after another passes through while a model is loaded."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class Scratch:
    """As much memory as the largest of the tensors needs, which overwrite each other.

    Beside saving the time to clear pages anew, it keeps the allocator from being left with a gap for each
    tensor, into which the next does not fit: a quarter of a model's size.
    """

    def __init__(self) -> None:
        self._bytes = torch.empty(0, dtype=torch.uint8)

    def room(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Uninitialised, and valid until the next call."""
        size_bytes = math.prod(shape) * dtype.itemsize
        if self._bytes.numel() < size_bytes:
            self._bytes = torch.empty(size_bytes, dtype=torch.uint8)
        return self._bytes[:size_bytes].view(dtype).view(shape)

    def contiguous(self, tensor: Tensor) -> Tensor:
        """The tensor, or a copy in the scratch where its order in memory is another."""
        return tensor if tensor.is_contiguous() else self.room(tuple(tensor.shape), tensor.dtype).copy_(tensor)
