"""A padded batch without its padding: what is computed for each token alone is computed for real tokens only."""

# B batch, N tokens with padding, T tokens that are kept, W any width

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

# Where padding is less than this share, leaving it out takes longer than computing it.
WORTH = 0.1


class Packing:
    """The tokens of a batch that are kept, one after the other. Attention alone needs them apart again."""

    def __init__(self, kept_BN: Tensor) -> None:
        self._shape = kept_BN.shape
        self.places_T = kept_BN.flatten().nonzero().squeeze(1)

    @classmethod
    def of(cls, lengths_B: Tensor | None, tokens: int) -> Packing | None:
        """None where it would not be worth it."""
        if lengths_B is None or int(lengths_B.sum()) > (1 - WORTH) * tokens * len(lengths_B):
            return None
        return cls(torch.arange(tokens, device=lengths_B.device) < lengths_B[:, None])

    @property
    def tokens(self) -> int:
        """Of each text, padding included."""
        return self._shape[1]

    def pack(self, x_BNW: Tensor) -> Tensor:
        """(1, T, W)"""
        return rows(x_BNW, self.places_T)

    def unpack(self, x_1TW: Tensor) -> Tensor:
        """(B, N, W), with zeros for what was left out."""
        x_TW = x_1TW.squeeze(0)
        unpacked: Tensor = _Scatter.apply(x_TW, self.places_T, self._shape.numel())
        return unpacked.view(*self._shape, -1)


def packed(x_BNW: Tensor, packing: Packing | None) -> Tensor:
    return x_BNW if packing is None else packing.pack(x_BNW)


def rows(x_BNW: Tensor, places_T: Tensor) -> Tensor:
    """(1, T, W): so many rows of a batch, counted through it, none twice."""
    picked: Tensor = _Gather.apply(x_BNW.flatten(0, 1), places_T)
    return picked[None]


class _Gather(torch.autograd.Function):
    """torch's own gradient of it adds, as if a row could be taken twice, on one thread."""

    @staticmethod
    def forward(ctx: Any, x_NW: Tensor, places_T: Tensor) -> Tensor:
        ctx.places_T, ctx.count = places_T, len(x_NW)
        return x_NW.index_select(0, places_T)

    @staticmethod
    def backward(ctx: Any, d_TW: Tensor) -> tuple[Tensor, None]:
        return d_TW.new_zeros(ctx.count, d_TW.shape[1]).index_copy_(0, ctx.places_T, d_TW), None


class _Scatter(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_TW: Tensor, places_T: Tensor, count: int) -> Tensor:
        ctx.places_T = places_T
        return x_TW.new_zeros(count, x_TW.shape[1]).index_copy_(0, places_T, x_TW)

    @staticmethod
    def backward(ctx: Any, d_NW: Tensor) -> tuple[Tensor, None, None]:
        return d_NW.index_select(0, ctx.places_T), None, None
