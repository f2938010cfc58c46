"""One small decoder for each way to attend, with weights so large that an error in any of them shows."""

from __future__ import annotations

from dataclasses import replace

import torch

from modelcore.config import (
    DynamicScaling,
    HeadConfig,
    LongScaling,
    ModelConfig,
    Pattern,
    Rotary,
    StackConfig,
    YarnScaling,
)
from modelcore.models.build import Transformer, build

STACK = StackConfig(layers=3, heads=4, feedforward_width=40)
PLAIN = ModelConfig(vocabulary=61, positions=64, width=32, decoder=STACK, position_encoding="none")
ROTARY = replace(PLAIN, position_encoding="rotary")


def windowed(*windows: int | None) -> StackConfig:
    return replace(STACK, patterns=tuple(Pattern(window=window) for window in windows))


def _patterned(pattern: Pattern) -> ModelConfig:
    return replace(ROTARY, decoder=replace(STACK, patterns=(pattern,)))


DECODERS = {
    "no positions": PLAIN,
    "learned": replace(PLAIN, position_encoding="learned", position_offset=2),
    "sinusoidal": replace(PLAIN, position_encoding="sinusoidal"),
    "alibi": replace(PLAIN, position_encoding="alibi"),
    "t5": replace(PLAIN, position_encoding="t5", t5_buckets=8, t5_max_distance=16),
    "relative keys": replace(PLAIN, position_encoding="relative_keys", relative_distance=5),
    "rotary": replace(ROTARY, rotary=Rotary(width=4)),
    "dynamic": replace(ROTARY, rotary=Rotary(scaling=DynamicScaling(2.0, 12))),
    "yarn": replace(ROTARY, rotary=Rotary(scaling=YarnScaling(4.0, 8, attention_factor=1.2))),
    "longrope": replace(
        ROTARY, rotary=Rotary(scaling=LongScaling((1.0, 1.1, 1.2, 1.3), (1.0, 2.0, 3.0, 5.0), 12, attention_factor=1.1))
    ),
    "two rotaries": replace(
        ROTARY,
        decoder=windowed(5, None, 5),
        window_rotary=Rotary(100.0),
        rotary=Rotary(scaling=DynamicScaling(2.0, 12)),
    ),
    "grouped queries": replace(ROTARY, decoder=replace(STACK, key_heads=2)),
    "windows": replace(ROTARY, decoder=windowed(5, None, 1)),
    "windows with alibi": replace(PLAIN, position_encoding="alibi", decoder=windowed(5, 6, 7)),
    "windows with t5": replace(
        PLAIN, position_encoding="t5", t5_buckets=8, t5_max_distance=16, decoder=windowed(5, 6, 7)
    ),
    "windows with sinks": replace(ROTARY, decoder=windowed(5, 6, 7), sinks=True),
    "sinks": replace(ROTARY, sinks=True),
    "softcaps": replace(ROTARY, softcap=2.0, head=HeadConfig(softcap=3.0)),
    "normalised queries": replace(ROTARY, qk_norm="head", decoder=replace(STACK, key_heads=2)),
    "normalised projections": replace(ROTARY, qk_norm="projection", norm="rms"),
    "additive": replace(PLAIN, score="additive"),
    "multiplicative": replace(PLAIN, score="multiplicative"),
    "parallel": replace(ROTARY, parallel=True, shared_norm=True, clip_qkv=0.5),
    "blocks of a window": _patterned(Pattern(window=2, block=4)),
    "strides": _patterned(Pattern(window=3, stride=5)),
    "global tokens": _patterned(Pattern(window=3, global_tokens=2)),
    "prefix": _patterned(Pattern(prefix=9)),
    "random blocks": _patterned(Pattern(window=1, random_blocks=2, block=4, seed=5)),
}


def build_peaked(config: ModelConfig) -> Transformer:
    """In eval mode; its attention is peaked."""
    torch.manual_seed(7)
    model = build(config).eval().requires_grad_(False)
    for weight in model.parameters():
        weight.add_(torch.randn(weight.shape) * 0.15)
    return model


def draw_ids(count: int) -> torch.Tensor:
    """(1, count), the same each time."""
    return torch.randint(0, PLAIN.vocabulary, (1, count), generator=torch.Generator().manual_seed(2))
