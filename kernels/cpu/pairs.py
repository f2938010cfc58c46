"""Where fields per sequence and per head lie among the pairs of batch and key head that chunks run over."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

# B batch, H query heads, G key/value heads, N = B x G pairs, R query heads of a pair


class Pairs:
    """Pair n is key head n % G of sequence n // G; query head h is r = h % R of key head h // R."""

    def __init__(self, batch: int, key_heads: int, shared: int, device: torch.device) -> None:
        self.count, self.device = batch * key_heads, device
        self.shape = (key_heads, shared)

    @cached_property
    def sequence_N(self) -> Tensor:
        return torch.arange(self.count, device=self.device) // self.shape[0]

    @cached_property
    def key_head_N(self) -> Tensor:
        return torch.arange(self.count, device=self.device) % self.shape[0]

    def of_sequence(self, field_B: Tensor, pairs: slice) -> Tensor:
        """[B or 1, ...] as [n or 1, ...]."""
        return field_B if field_B.shape[0] == 1 else field_B[self.sequence_N[pairs]]

    def of_head(self, field_H: Tensor, pairs: slice) -> Tensor:
        """[H or 1, ...] as [n, R, ...] or [1, 1, ...]."""
        if field_H.shape[0] == 1:
            return field_H[None]
        return field_H.unflatten(0, self.shape)[self.key_head_N[pairs]]

    def of_both(self, field_BH: Tensor, pairs: slice) -> Tensor:
        """[B or 1, H or 1, ...] as [n or 1, R or 1, ...]."""
        batch, heads = field_BH.shape[:2]
        if heads == 1:
            return self.of_sequence(field_BH, pairs)
        sequence = self.sequence_N[pairs] if batch > 1 else torch.zeros_like(self.sequence_N[pairs])
        return field_BH.unflatten(1, self.shape)[sequence, self.key_head_N[pairs]]
