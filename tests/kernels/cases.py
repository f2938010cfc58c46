"""The shapes and masks that every kernel is tested with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from kernels.spec import AttentionSpec
from tests.kernels import float64


@dataclass
class Case:
    """Random operands for one mask and one shape, and the truth about them."""

    name: str
    queries: int
    keys: int
    heads: int = 2
    groups: int = 2
    batch: int = 1
    width: int = 16
    masks: dict = field(default_factory=dict)
    dtype: torch.dtype = torch.float32

    @cached_property
    def operands(self) -> tuple[Tensor, Tensor, Tensor]:
        """q, k, v with heads after tokens in memory, as a projection leaves them, so not contiguous."""
        generator = torch.Generator().manual_seed(len(self.name))
        sides = ((self.queries, self.heads), (self.keys, self.groups), (self.keys, self.groups))
        return tuple(
            torch.randn(self.batch, tokens, heads, self.width, generator=generator).to(self.dtype).transpose(1, 2)
            for tokens, heads in sides
        )

    @cached_property
    def spec(self) -> AttentionSpec:
        masks = dict(self.masks)
        if "key_lengths" in masks:
            masks["key_lengths"] = torch.tensor(masks["key_lengths"])
        return AttentionSpec(scale=2 * self.width**-0.5, **masks)

    @cached_property
    def truth(self) -> float64.Truth:
        return float64.attention(*self.operands, self.spec)

    def __str__(self) -> str:
        return self.name


CASES = [
    Case("one token", 1, 1, masks={"causal": True}),
    Case("full", 63, 63),
    Case("causal", 129, 129, masks={"causal": True}),
    Case("causal, one head width", 16, 16, heads=1, groups=1, width=24, masks={"causal": True}),
    Case("window", 129, 129, masks={"causal": True, "window": 17}),
    Case("window of one", 63, 63, masks={"causal": True, "window": 1}),
    Case("window wider than the text", 20, 20, masks={"causal": True, "window": 500}),
    Case("padded keys, one row set empty", 33, 63, batch=3, masks={"key_lengths": [63, 40, 0]}),
    Case("causal, padded keys", 63, 63, batch=2, masks={"causal": True, "key_lengths": [20, 63]}),
    Case("softcap", 63, 63, masks={"softcap": 1.5}),
    Case("softcap, causal window", 65, 65, masks={"softcap": 3.0, "causal": True, "window": 9}),
    Case("four query heads a key head", 63, 63, heads=4, groups=1, masks={"causal": True}),
    Case("two query heads a key head, windowed", 63, 63, heads=4, groups=2, batch=2,
         masks={"causal": True, "window": 5}),
    Case("more keys than queries", 20, 129, masks={"causal": True}),
    Case("one query, many keys", 1, 129, masks={"causal": True}),
    Case("one query in a window", 1, 129, masks={"causal": True, "window": 40}),
    Case("more queries than keys: rows without keys", 129, 40, masks={"causal": True}),
    Case("rows without keys, windowed", 70, 33, masks={"causal": True, "window": 8}),
    Case("cross attention", 63, 17),
]  # fmt: skip


def in_dtype(name: str, dtype: torch.dtype) -> Case:
    return next(replace(case, dtype=dtype) for case in CASES if case.name == name)
