"""Rotary positions in a `config.json`: as transformers 4 wrote them, and as transformers 5 does.

    4: "rope_theta": 10000.0, "rope_scaling": {"type": "linear", "factor": 2.0}, "partial_rotary_factor": 0.5
    5: "rope_parameters": {"rope_theta": 10000.0, "rope_type": "linear", "factor": 2.0, "partial_rotary_factor": 0.5}
    5, where layers that see a window have their own: {"full_attention": {…}, "sliding_attention": {…}}

Source: `modeling_rope_utils` of Hugging Face's transformers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from modelcore.checkpoints.config_file import Keys
from modelcore.checkpoints.error import CheckpointError
from modelcore.config import (
    DynamicScaling,
    LinearScaling,
    Llama3Scaling,
    LongScaling,
    Rotary,
    Scaling,
    YarnScaling,
)

ROTARY_KEYS = {
    "rope_theta",
    "rope_scaling",
    "rope_parameters",
    "partial_rotary_factor",
    "original_max_position_embeddings",
}

# What each type reads besides the keys that all may have.
_PARAMETERS: dict[str, set[str]] = {
    "default": set(),
    "linear": {"factor"},
    "dynamic": {"factor"},
    "yarn": {"factor", "beta_fast", "beta_slow", "attention_factor", "mscale", "mscale_all_dim", "truncate"},
    "longrope": {"factor", "short_factor", "long_factor", "attention_factor"},
    "llama3": {"factor", "low_freq_factor", "high_freq_factor"},
}
_COMMON = {"rope_type", "type", "rope_theta", "partial_rotary_factor", "original_max_position_embeddings"}
_ODD_WIDTHS = {"default", "linear"}
# Phi-3's first name for what became longrope.
_OLD_TYPES = {"su": "longrope"}


@dataclass(frozen=True)
class RotaryDefaults:
    """What a model type assumes where config.json is silent.

    `portion` of a head's width is turned; where it is None, all of it is, whatever config.json says.
    """

    base: float = 10_000.0
    portion: float | None = None
    original_positions: int | None = None


def read_rotary(keys: Keys, positions: int, head_width: int, defaults: RotaryDefaults = RotaryDefaults()) -> Rotary:
    """One rotary for all layers. Raises: CheckpointError naming the key."""
    name = "rope_scaling" if keys.values.get("rope_scaling") else "rope_parameters"
    return _read(keys, keys.values.get(name) or {}, name, positions, head_width, defaults)


def read_layered_rotary(
    keys: Keys, positions: int, head_width: int, *, base: float, window_base: float
) -> tuple[Rotary, Rotary | None]:
    """That of layers that see everything, and that of layers that see a window, None where it is the same.

    transformers 4 kept the second base apart and scaled only the first. Raises: CheckpointError naming the key.
    """
    keys.require("partial_rotary_factor", 1.0)
    layered = keys.values.get("rope_parameters")
    if layered is None:
        base = keys.positive("rope_theta", base)
        window_base = keys.positive("rope_local_base_freq", window_base)
        layered = {"full_attention": keys.values.get("rope_scaling")}
    if not isinstance(layered, dict) or not set(layered) <= {"full_attention", "sliding_attention"}:
        raise CheckpointError("config.json: rope_parameters must hold full_attention and sliding_attention, no more.")

    def read(name: str, base: float) -> Rotary:
        parameters = layered.get(name) or {}
        return _read(Keys({}), parameters, f"rope_parameters.{name}", positions, head_width, RotaryDefaults(base))

    full, window = read("full_attention", base), read("sliding_attention", window_base)
    return full, None if window == full else window


def write_rotary(rotary: Rotary) -> dict[str, Any]:
    """In the spelling of transformers 4, which 5 reads too; the portion is for the family to write."""
    return {"rope_theta": rotary.base, "rope_scaling": _write_scaling(rotary.scaling)}


def write_layered_rotary(rotary: Rotary, window_rotary: Rotary | None) -> dict[str, Any]:
    """In the spelling of transformers 5, the only one that can tell the scaling of both kinds of layers."""
    kinds = {"full_attention": rotary, "sliding_attention": window_rotary or rotary}
    return {
        "rope_parameters": {
            name: {"rope_theta": kind.base, **(_write_scaling(kind.scaling) or {"rope_type": "default"})}
            for name, kind in kinds.items()
        }
    }


def write_portion(rotary: Rotary, head_width: int) -> float:
    """The share of a head's width that is turned, such that rounding it down gives the same number again."""
    width = rotary.exponent_width or rotary.width or head_width
    exact = width / head_width
    return exact if int(head_width * exact) == width else (width + 0.5) / head_width


def _read(
    keys: Keys, parameters: Any, within: str, positions: int, head_width: int, defaults: RotaryDefaults
) -> Rotary:
    """`parameters` are the inner object; `keys` the whole, where an older file keeps what is not there."""
    if not isinstance(parameters, dict):
        raise CheckpointError(f"config.json: {within} must be an object of settings, not {parameters!r:.40}.")
    inner = Keys(parameters, f"{within}.")
    kind = parameters.get("rope_type") or parameters.get("type") or "default"
    kind = _OLD_TYPES.get(kind, kind) if isinstance(kind, str) else kind
    if not isinstance(kind, str) or kind not in _PARAMETERS:
        raise CheckpointError(
            f"config.json: {within} of the type {kind!r:.40} is not supported; known are {', '.join(_PARAMETERS)}."
        )
    inner.refuse_unknown(_COMMON | _PARAMETERS[kind])
    exponent_width = _read_width(keys, inner, head_width, defaults)
    # Dimensions are turned in pairs: of an odd number asked for, one more is.
    width = exponent_width + exponent_width % 2
    if width > head_width or (width != exponent_width and kind not in _ODD_WIDTHS):
        raise CheckpointError(
            f"config.json: {within} of the type {kind!r} cannot turn {exponent_width} of the head width {head_width}; "
            "choose an even number."
        )
    scaling = _read_scaling(kind, inner, positions, _read_original(keys, inner, positions, defaults), width // 2)
    base = inner.positive("rope_theta", keys.positive("rope_theta", defaults.base))
    if (kind == "yarn" and base <= 1) or (kind == "dynamic" and exponent_width == 2):
        raise CheckpointError(
            f"config.json: {within} of the type {kind!r} cannot stretch {exponent_width} dimensions of base {base}."
        )
    odd = exponent_width if exponent_width != width else None
    return Rotary(base, None if width == head_width else width, scaling, odd)


def _read_width(keys: Keys, inner: Keys, head_width: int, defaults: RotaryDefaults) -> int:
    """How many of a head's dimensions are turned."""
    if defaults.portion is None:
        keys.require("partial_rotary_factor", 1.0)
        inner.require("partial_rotary_factor", 1.0)
    portion = inner.positive("partial_rotary_factor", keys.positive("partial_rotary_factor", defaults.portion or 1.0))
    if portion > 1 or int(head_width * portion) < 2:
        raise CheckpointError(
            f"config.json: partial_rotary_factor {portion} of the head width {head_width} cannot be turned; "
            "the factor is at most 1, and 2 dimensions are the least."
        )
    return int(head_width * portion)


def _read_original(keys: Keys, inner: Keys, positions: int, defaults: RotaryDefaults) -> int:
    """The positions first learned; what an older file says beside the inner object counts more."""
    original = inner.size("original_max_position_embeddings", positions)
    if defaults.original_positions or keys.values.get("original_max_position_embeddings"):
        original = keys.size("original_max_position_embeddings", defaults.original_positions)
    if original < 2:
        raise CheckpointError("config.json: original_max_position_embeddings must be at least 2.")
    return original


def _read_scaling(kind: str, keys: Keys, positions: int, original: int, pairs: int) -> Scaling | None:
    if kind == "default":
        return None
    if kind == "linear":
        return LinearScaling(keys.positive("factor"))
    if kind == "dynamic":
        keys.require("original_max_position_embeddings", positions)
        return DynamicScaling(keys.positive("factor"), positions)
    if kind == "llama3":
        low, high = keys.positive("low_freq_factor"), keys.positive("high_freq_factor")
        return Llama3Scaling(keys.positive("factor"), low, high, original)
    factor = keys.positive("factor", positions / original)
    if kind == "longrope":
        growth = math.sqrt(1 + math.log(factor) / math.log(original)) if factor > 1 else 1.0
        short, long = (_read_factors(keys, key, pairs) for key in ("short_factor", "long_factor"))
        return LongScaling(short, long, original, keys.positive("attention_factor", growth))
    return YarnScaling(
        factor,
        original,
        keys.positive("beta_fast", 32.0),
        keys.positive("beta_slow", 1.0),
        keys.positive("attention_factor", _yarn_growth(factor, keys)),
        keys.flag("truncate", True),
    )


def _read_factors(keys: Keys, key: str, pairs: int) -> tuple[float, ...]:
    factors = keys.values.get(key)
    if not isinstance(factors, list) or len(factors) != pairs:
        raise CheckpointError(
            f"config.json: {keys.within}{key} must list {pairs} numbers, one for each pair of dimensions that turns."
        )
    return tuple(Keys({key: factor}, keys.within).positive(key) for factor in factors)


def _yarn_growth(factor: float, keys: Keys) -> float:
    """How much longer queries and keys become. Source: YaRN (arXiv 2309.00071), 3.4; mscale: DeepSeek-V2's code."""

    def growth(share: float) -> float:
        return 1.0 if factor <= 1 else 0.1 * share * math.log(factor) + 1.0

    over, under = keys.optional_positive("mscale"), keys.optional_positive("mscale_all_dim")
    return growth(over) / growth(under) if over and under else growth(1.0)


def _write_scaling(scaling: Scaling | None) -> dict[str, Any] | None:
    if isinstance(scaling, LinearScaling):
        return {"rope_type": "linear", "factor": scaling.factor}
    if isinstance(scaling, DynamicScaling):
        return {"rope_type": "dynamic", "factor": scaling.factor}
    if isinstance(scaling, Llama3Scaling):
        return {
            "rope_type": "llama3",
            "factor": scaling.factor,
            "low_freq_factor": scaling.low_frequency_factor,
            "high_freq_factor": scaling.high_frequency_factor,
            "original_max_position_embeddings": scaling.original_positions,
        }
    if isinstance(scaling, YarnScaling):
        return {
            "rope_type": "yarn",
            "factor": scaling.factor,
            "beta_fast": scaling.beta_fast,
            "beta_slow": scaling.beta_slow,
            "attention_factor": scaling.attention_factor,
            "truncate": scaling.truncate,
            "original_max_position_embeddings": scaling.original_positions,
        }
    if isinstance(scaling, LongScaling):
        return {
            "rope_type": "longrope",
            "short_factor": list(scaling.short_factors),
            "long_factor": list(scaling.long_factors),
            "attention_factor": scaling.attention_factor,
            "original_max_position_embeddings": scaling.original_positions,
        }
    return None
