"""Rotary positions: pairs of a head's dimensions turned by angles that grow with the position."""

# B batch, H heads, N tokens, D head width, T pairs of dimensions that are turned

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from modelcore.config import DynamicScaling, LinearScaling, Llama3Scaling, LongScaling, Rotary, YarnScaling


class Angles(NamedTuple):
    """Cosine and sine of N positions' angles, float32 [B or 1, 1, N, T]."""

    cosine: Tensor
    sine: Tensor

    def turn(self, x_BHND: Tensor) -> Tensor:
        """Queries or keys turned, dimension i with i + T; those beyond 2 T stay."""
        pairs = self.cosine.shape[-1]
        cosine, sine = (table.to(x_BHND.dtype) for table in self)
        first, second, rest = x_BHND.split([pairs, pairs, x_BHND.shape[-1] - 2 * pairs], dim=-1)
        return torch.cat([first * cosine - second * sine, second * cosine + first * sine, rest], dim=-1)


class RotaryPositions:
    """Angles of positions, computed in float32, as every trained model has had them."""

    def __init__(self, rotary: Rotary, head_width: int) -> None:
        self.rotary = rotary
        self.width = rotary.width or head_width

    def angles(self, count: int, length: int, device: torch.device, starts_B: Tensor | None = None) -> Angles:
        """Of the last `count` of `length` positions; `starts` says where each sequence begins after left padding."""
        position = torch.arange(length - count, length, device=device, dtype=torch.float32)[None, None, :, None]
        if starts_B is not None:
            position = (position - starts_B.view(-1, 1, 1, 1)).clamp(min=0)
        angle = position * frequencies(self.rotary, self.width, length).to(device)
        factor = attention_factor(self.rotary)
        return Angles(angle.cos() * factor, angle.sin() * factor)


def attention_factor(rotary: Rotary) -> float:
    scaling = rotary.scaling
    return scaling.attention_factor if isinstance(scaling, (YarnScaling, LongScaling)) else 1.0


def frequencies(rotary: Rotary, width: int, length: int) -> Tensor:
    """Radians a token for each pair, float32 (T,); `length` counts for the scalings that depend on it.

    Rounded as the models were trained, in float32 from the start: at position 10,000 an exact value
    would be off by 1e-3 from what a checkpoint knows.
    Source: Su et al. 2021, 3.4; the scalings' own sources stand with them in modelcore.config.
    """
    scaling, exponent_width = rotary.scaling, rotary.exponent_width or width
    exponent = torch.arange(0, width, 2, dtype=torch.float32) / exponent_width
    if isinstance(scaling, DynamicScaling):
        stretched = scaling.factor * max(length, scaling.original_positions) / scaling.original_positions
        base = rotary.base * (stretched - (scaling.factor - 1)) ** (exponent_width / (exponent_width - 2))
        return 1.0 / base**exponent
    plain = rotary.base**exponent
    if isinstance(scaling, LinearScaling):
        return 1.0 / plain / scaling.factor
    if isinstance(scaling, LongScaling):
        factors = scaling.long_factors if length > scaling.original_positions else scaling.short_factors
        return 1.0 / (torch.tensor(factors, dtype=torch.float32) * plain)
    if isinstance(scaling, YarnScaling):
        kept = _yarn_kept(scaling, rotary.base, width)
        return 1.0 / (scaling.factor * plain) * (1 - kept) + 1.0 / plain * kept
    if isinstance(scaling, Llama3Scaling):
        return _llama3(1.0 / plain, scaling)
    return 1.0 / plain


def _yarn_kept(scaling: YarnScaling, base: float, width: int) -> Tensor:
    """Which share of each frequency is kept: 1 for those that turn often within the original length, 0 for the slow."""

    def pair_that_turns(times: float) -> float:
        return width * math.log(scaling.original_positions / (times * 2 * math.pi)) / (2 * math.log(base))

    low, high = pair_that_turns(scaling.beta_fast), pair_that_turns(scaling.beta_slow)
    if scaling.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, width - 1)
    if low == high:
        high += 0.001
    return 1 - ((torch.arange(width // 2, dtype=torch.float32) - low) / (high - low)).clamp(0, 1)


def _llama3(plain: Tensor, scaling: Llama3Scaling) -> Tensor:
    wavelength = 2 * math.pi / plain
    longest = scaling.original_positions / scaling.low_frequency_factor
    shortest = scaling.original_positions / scaling.high_frequency_factor
    span = scaling.high_frequency_factor - scaling.low_frequency_factor
    kept = (scaling.original_positions / wavelength - scaling.low_frequency_factor) / span
    between = (1 - kept) * plain / scaling.factor + kept * plain
    slowed = torch.where(wavelength > longest, plain / scaling.factor, plain)
    return torch.where((wavelength >= shortest) & (wavelength <= longest), between, slowed)
