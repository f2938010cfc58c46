"""The shapes and masks that every kernel is tested with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from kernels.spec import AttentionSpec
from kernels.spec.random_blocks import draw_random_blocks
from tests.kernels import float64


@dataclass(eq=False)  # so that what was worked out for a case can be kept by it
class Case:
    """Random operands for one mask and one shape, and the truth about them."""

    name: str
    queries: int
    keys: int
    heads: int = 2
    groups: int = 2
    batch: int = 1
    width: int = 16
    value_width: int | None = None  # that of the keys
    masks: dict = field(default_factory=dict)
    dtype: torch.dtype = torch.float32

    @cached_property
    def operands(self) -> tuple[Tensor, Tensor, Tensor]:
        """q, k, v with heads after tokens in memory, as a projection leaves them, so not contiguous."""
        generator = torch.Generator().manual_seed(len(self.name))
        value_width = self.value_width or self.width
        sides = (
            (self.queries, self.heads, self.width),
            (self.keys, self.groups, self.width),
            (self.keys, self.groups, value_width),
        )
        return tuple(
            torch.randn(self.batch, *side, generator=generator).to(self.dtype).transpose(1, 2) for side in sides
        )

    @cached_property
    def spec(self) -> AttentionSpec:
        masks = {name: torch.tensor(rule) if isinstance(rule, list) else rule for name, rule in self.masks.items()}
        return AttentionSpec(scale=2 * self.width**-0.5, **masks)

    @cached_property
    def truth(self) -> float64.Truth:
        return float64.attention(*self.operands, self.spec)

    def __str__(self) -> str:
        return self.name


BANDS = [
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
    Case("one query of each text, grouped, windowed, padding on both sides", 1, 129, heads=4, groups=2, batch=3,
         masks={"causal": True, "window": 40, "key_starts": [0, 100, 129], "key_lengths": [129, 120, 129]}),
    Case("one query, one key head, all keys", 1, 63, heads=4, groups=1, batch=2, masks={"key_lengths": [63, 9]}),
    Case("more queries than keys: rows without keys", 129, 40, masks={"causal": True}),
    Case("rows without keys, windowed", 70, 33, masks={"causal": True, "window": 8}),
    Case("cross attention", 63, 17),
    Case("symmetric window", 129, 129, masks={"window": 17}),
    Case("symmetric window, more keys than queries", 33, 65, masks={"window": 9}),
    Case("symmetric window, more queries than keys", 65, 33, masks={"window": 9}),
    Case("left padding", 63, 63, batch=3, masks={"causal": True, "key_starts": [0, 13, 63]}),
    Case("causal, padding on both sides", 129, 129, heads=4, groups=2, batch=3,
         masks={"causal": True, "key_starts": [3, 128, 70], "key_lengths": [100, 129, 60]}),
    Case("padding on both sides, windowed", 33, 63, batch=2,
         masks={"window": 20, "key_starts": [9, 0], "key_lengths": [50, 63]}),
]  # fmt: skip


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def bits(*shape: int, sets: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 2**sets, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.int32)


PATTERNS = [
    Case("prefix", 63, 63, masks={"causal": True, "prefix": 20}),
    Case("prefix, windowed and left padded", 40, 63, batch=2,
         masks={"causal": True, "prefix": 7, "window": 5, "key_starts": [0, 6]}),
    Case("stride alone", 63, 63, masks={"causal": True, "stride": 8}),
    Case("stride and window", 33, 65, heads=2, masks={"causal": True, "stride": 8, "window": 8}),
    Case("symmetric stride", 63, 63, masks={"stride": 5, "window": 2}),
    Case("first tokens global", 63, 63, batch=2, masks={"window": 4, "global_tokens": 2, "key_starts": [0, 5]}),
    Case("global tokens of each text, causal", 63, 65, batch=2,
         masks={"causal": True, "window": 3, "global_tokens": [[0, 40], [17, 17]]}),
    Case("global tokens of all texts", 63, 63, masks={"window": 6, "global_tokens": [0, 1, 40]}),
    Case("window in blocks", 63, 63, masks={"window": 1, "block": 8}),
    Case("big bird", 129, 129, heads=2, groups=1,
         masks={"window": 1, "block": 16, "global_tokens": [0, 128], "random_blocks": draw_random_blocks(9, 2, 3)}),
    Case("random blocks of each head, causal, rows without keys", 40, 33, heads=4, groups=2, batch=2,
         masks={"causal": True, "block": 8, "random_blocks": draw_random_blocks(5, 1, 5, heads=4)}),
    Case("documents", 33, 33, batch=2, masks={"causal": True, "documents": [[0] * 20 + [1] * 13, [4, 2, 2] * 11]}),
    Case("documents, windowed, last queries", 20, 63, masks={"window": 6, "documents": [[0] * 50 + [1] * 13]}),
]  # fmt: skip

BIASES = [
    Case("alibi", 63, 63, masks={"causal": True, "alibi_slopes": [0.5, 0.0625]}),
    Case("alibi, left padding", 63, 63, batch=2,
         masks={"causal": True, "alibi_slopes": [0.5, 0.0625], "key_starts": [0, 40]}),
    Case("symmetric alibi, more keys than queries", 20, 65, heads=4, groups=2, batch=2,
         masks={"alibi_slopes": [0.5, 0.25, 0.125, 0.0625]}),
    Case("t5 encoder, padded keys", 63, 63, batch=2,
         masks={"t5_bias": numbers(16, 2), "t5_max_distance": 40, "key_lengths": [63, 20]}),
    Case("t5 decoder, more keys than queries", 20, 129, heads=2, groups=1,
         masks={"t5_bias": numbers(16, 2), "t5_bidirectional": False, "causal": True}),
    Case("any bias, some of it -inf", 33, 40, heads=4, groups=2, batch=2,
         masks={"bias": numbers(1, 4, 33, 40).masked_fill(numbers(33, 40, seed=1) > 1, -torch.inf)}),
    Case("sinks", 63, 63, masks={"causal": True, "sinks": [1.0, -2.0]}),
    Case("sinks, window, softcap, grouped", 63, 63, heads=4, groups=2,
         masks={"causal": True, "window": 17, "softcap": 3.0, "sinks": [1.0, -2.0, 0.0, 4.0]}),
    Case("sinks, rows without keys", 65, 33, masks={"causal": True, "sinks": [1.0, 3.0]}),
    Case("one query, alibi, t5, sinks, windowed, grouped, padding on both sides", 1, 129, heads=4, groups=2, batch=3,
         masks={"causal": True, "alibi_slopes": [0.5, 0.25, 0.125, 0.0625], "t5_bias": numbers(16, 4),
                "t5_bidirectional": False, "sinks": [0.0, 1.0, -1.0, 2.0], "window": 100,
                "key_starts": [0, 50, 129], "key_lengths": [129, 120, 129]}),
    Case("one query, symmetric alibi, all keys", 1, 63, masks={"alibi_slopes": [0.5, 0.0625], "sinks": [0.0, 9.0]}),
    Case("t5, softcap, sinks, prefix, documents", 33, 33, batch=2,
         masks={"causal": True, "softcap": 2.0, "t5_bias": numbers(8, 2), "t5_bidirectional": False,
                "t5_max_distance": 20, "sinks": [0.5, 1.5], "prefix": 6, "documents": [[0] * 33, [0] * 15 + [1] * 18]}),
]  # fmt: skip

PRODUCTS = [
    Case("relative keys", 63, 63, masks={"relative_keys": numbers(9, 16)}),
    Case("relative keys, causal, one token", 1, 1, masks={"causal": True, "relative_keys": numbers(9, 16)}),
    Case("relative keys of each head, causal, left padding", 129, 129, heads=4, groups=2, batch=2,
         masks={"causal": True, "relative_keys": numbers(4, 5, 16), "key_starts": [0, 70]}),
    Case("relative keys, one for all distances", 20, 33, masks={"relative_keys": numbers(1, 16)}),
    Case("relative keys further than the text", 20, 33, masks={"relative_keys": numbers(2, 301, 16)}),
    Case("relative keys, one query in a window", 1, 129,
         masks={"causal": True, "window": 40, "relative_keys": numbers(33, 16)}),
    Case("relative keys, rows without keys, softcap", 65, 33, heads=4, groups=1,
         masks={"causal": True, "softcap": 2.0, "relative_keys": numbers(7, 16), "sinks": [0.0, 1.0, -1.0, 2.0]}),
    Case("relative keys, prefix, stride, t5, edges", 33, 63, batch=2, heads=4, groups=2,
         masks={"causal": True, "prefix": 3, "stride": 4, "relative_keys": numbers(11, 16), "t5_bias": numbers(8, 4),
                "edge_queries": bits(1, 4, 33, sets=2), "edge_keys": bits(1, 4, 63, sets=2, seed=1),
                "edge_scale": [0.5, 2.0]}),
    Case("relative keys, documents, windowed", 63, 63, batch=2,
         masks={"window": 9, "relative_keys": numbers(2, 13, 16), "documents": [[0] * 40 + [1] * 23, [3, 5, 5] * 21]}),
    Case("additive", 63, 63, masks={"additive": numbers(2, 16)}),
    Case("additive, causal, one token", 1, 1, masks={"causal": True, "additive": numbers(2, 16)}),
    Case("additive, cross attention, padded keys, grouped", 33, 65, heads=4, groups=2, batch=3,
         masks={"additive": numbers(4, 16), "key_lengths": [65, 20, 0]}),
    Case("additive, causal, rows without keys", 129, 40, masks={"causal": True, "additive": numbers(2, 16)}),
    Case("additive, softcap, sinks, alibi, window", 63, 63, heads=4, groups=1,
         masks={"causal": True, "window": 17, "softcap": 2.0, "additive": numbers(4, 16),
                "sinks": [0.0, 1.0, -1.0, 2.0], "alibi_slopes": [0.5, 0.25, 0.125, 0.0625]}),
    Case("additive, global tokens, edges", 33, 33, batch=2,
         masks={"window": 4, "global_tokens": [0, 20], "additive": numbers(2, 16), "edge_bias": [-torch.inf, 0.5],
                "edge_queries": bits(2, 1, 33, sets=2), "edge_keys": bits(1, 2, 33, sets=2, seed=1)}),
]  # fmt: skip

WIDTHS = [
    Case("narrow values", 63, 63, value_width=8, masks={"causal": True}),
    Case("wide values, grouped", 63, 65, heads=4, groups=2, batch=2, value_width=24, masks={"key_lengths": [65, 0]}),
    Case("narrow values, one query, grouped", 1, 129, heads=4, groups=2, value_width=8, masks={"causal": True}),
    Case("wide values, rows without keys, sinks", 129, 40, value_width=24,
         masks={"causal": True, "window": 9, "sinks": [0.0, 1.0]}),
    Case("narrow values, relative keys, documents", 63, 63, value_width=1,
         masks={"relative_keys": numbers(5, 16), "documents": [[0] * 30 + [1] * 33]}),
    Case("narrow values, additive", 33, 33, value_width=8, masks={"causal": True, "additive": numbers(2, 16)}),
]  # fmt: skip

EDITS = [
    Case("head gate", 63, 63, masks={"causal": True, "head_gate": [0.0, 1.5]}),
    Case("edges knocked out", 31, 33, batch=2, heads=4, groups=2,
         masks={"causal": True, "edge_queries": bits(2, 4, 31, sets=2), "edge_keys": bits(2, 4, 33, sets=2, seed=1),
                "edge_bias": [-torch.inf, 0.7]}),
    Case("rows knocked out", 20, 20, masks={"edge_queries": bits(1, 2, 20, sets=1), "sinks": [0.0, 1.0],
                "edge_keys": torch.ones(1, 1, 20, dtype=torch.int32), "edge_bias": [-torch.inf]}),
    Case("edges scaled, some to nothing", 33, 33, heads=4, groups=2,
         masks={"window": 9, "edge_queries": bits(1, 1, 33, sets=3), "edge_keys": bits(1, 4, 33, sets=3, seed=1),
                "edge_bias": [0.0, -1.0], "edge_scale": [0.5, 0.0, 3.0], "alibi_slopes": [0.5, 0.25, 0.125, 0.0625],
                "sinks": [0.0, 1.0, 2.0, 3.0], "head_gate": [1.0, 2.0, 0.5, 1.0]}),
]  # fmt: skip

CASES = BANDS + PATTERNS + BIASES + PRODUCTS + WIDTHS + EDITS


def in_dtype(name: str, dtype: torch.dtype) -> Case:
    return next(replace(case, dtype=dtype) for case in CASES if case.name == name)
