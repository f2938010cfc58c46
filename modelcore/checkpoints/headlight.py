"""Our own layout, for what no family of Hugging Face's can say: `ModelConfig`'s fields, our parameters' names.

    config.json        {"model_type": "headlight", "vocabulary": 512, "width": 64, "decoder": {"layers": 2, …}, …}
    model.safetensors  decoder.blocks.0.self_attention.query.weight, …

A field that is left out has its default; one that `ModelConfig` has not is refused by its name. Which scaling of
rotary positions is meant stands beside its fields, as "kind".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import torch

from modelcore.checkpoints.config_file import LAYER_LIMIT
from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.mapping import Entry, Family, Shape
from modelcore.config import (
    DynamicScaling,
    LinearScaling,
    Llama3Scaling,
    LongScaling,
    ModelConfig,
    Scaling,
    YarnScaling,
)
from modelcore.models.build import build

MODEL_TYPE = "headlight"
# What stands beside the fields, and changes no forward pass.
_BESIDE = {"model_type", "dtype"}
_SCALINGS: dict[str, type[Scaling]] = {
    "linear": LinearScaling,
    "dynamic": DynamicScaling,
    "yarn": YarnScaling,
    "llama3": Llama3Scaling,
    "long": LongScaling,
}
# Far above any model; no product of them overflows, and a table that is computed, not stored, fits into memory.
_LIMITS = {
    "vocabulary": 1 << 24,
    "feedforward_width": 1 << 20,
    "relative_distance": 1 << 20,
    "classes": 1 << 20,
    "layers": LAYER_LIMIT,
    "heads": 1 << 12,
    "count": 1 << 12,
    "channels": 1 << 10,
}
_LIMIT = 1 << 16
# Token ids, seeds, and lengths that no parameter's shape depends on.
_FREE = {"start_token", "end_token", "pad_token", "seed", "original_positions", "window", "stride", "block", "prefix"}
_FREE_LIMIT = (1 << 31) - 1


def read_config(values: Mapping[str, Any], shapes: Mapping[str, Shape]) -> ModelConfig:
    """`config.json` as a ModelConfig. Raises: CheckpointError naming the field."""
    told = {name: value for name, value in values.items() if name not in _BESIDE}
    config: ModelConfig = _read_object(ModelConfig, told, "")
    return config


def write_config(config: ModelConfig) -> dict[str, Any]:
    """Every field, defaults too, so that a default which changes later changes no stored model."""
    told: dict[str, Any] = _written(config)
    return {"model_type": MODEL_TYPE, **told}


def entries(config: ModelConfig) -> list[Entry]:
    """The name table: each parameter under its own name."""
    computed = config.position_encoding in ("sinusoidal", "alibi")
    with torch.device("meta"):
        # Without tables that are computed: they are not stored, and a false config.json could ask for huge ones.
        model = build(replace(config, position_encoding="none") if computed else config)
    return [Entry(name, tuple(tensor.shape), (name,)) for name, tensor in model.state_dict().items()]


def _written(value: Any) -> Any:
    if not is_dataclass(value):
        return list(value) if isinstance(value, tuple) and not any(map(is_dataclass, value)) else _written_items(value)
    told = {field.name: _written(getattr(value, field.name)) for field in fields(value)}
    kind = next((name for name, scaling in _SCALINGS.items() if type(value) is scaling), None)
    return told if kind is None else {"kind": kind, **told}


def _written_items(value: Any) -> Any:
    return [_written(one) for one in value] if isinstance(value, tuple) else value


def _read_object(kind: type[Any], values: Any, within: str) -> Any:
    """A dataclass out of a JSON object; `within` is the way to it, as in "decoder."."""
    if not isinstance(values, dict):
        raise CheckpointError(f"config.json: {within.rstrip('.')} must be an object, not {_shown(values)}.")
    known = {field.name for field in fields(kind)}
    unknown = sorted(values.keys() - known)
    if unknown:
        raise CheckpointError(
            f"config.json: {_shown(within + unknown[0])} is an unknown setting that may change what the model "
            "computes; remove it if it does not."
        )
    hints = get_type_hints(kind)
    read = {name: _read(hints[name], value, f"{within}{name}") for name, value in values.items()}
    try:
        return kind(**read)
    except (TypeError, ValueError) as error:
        told = f"{within.rstrip('.')} lacks a field" if isinstance(error, TypeError) else str(error)
        raise CheckpointError(f"config.json: {told}") from error


def _read(kind: Any, value: Any, name: str) -> Any:
    """A value of the kind that the field's type tells. Raises: CheckpointError."""
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    if value is None and NoneType in kinds:
        return None
    kinds = tuple(one for one in kinds if one is not NoneType)
    if set(kinds) == set(_SCALINGS.values()):
        return _read_scaling(value, name)
    (kind,) = kinds
    if is_dataclass(kind):
        return _read_object(kind, value, f"{name}.")  # type: ignore[arg-type]
    if get_origin(kind) is tuple:
        if not isinstance(value, list) or len(value) > LAYER_LIMIT:
            raise CheckpointError(f"config.json: {name} must be a list of at most {LAYER_LIMIT:,}.")
        return tuple(_read(get_args(kind)[0], one, f"{name}[{index}]") for index, one in enumerate(value))
    if get_origin(kind) is Literal:
        if not isinstance(value, str) or value not in get_args(kind):
            allowed = ", ".join(map(str, get_args(kind)))
            raise CheckpointError(f"config.json: {name} {_shown(value)} is not supported; known are {allowed}.")
        return value
    return _read_number(kind, value, name)


def _read_scaling(value: Any, name: str) -> Any:
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in _SCALINGS:
        raise CheckpointError(f"config.json: {name}.kind must be one of {', '.join(_SCALINGS)}.")
    return _read_object(_SCALINGS[kind], {key: one for key, one in value.items() if key != "kind"}, f"{name}.")


def _read_number(kind: Any, value: Any, name: str) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is bool and isinstance(value, bool):
        return value
    if kind is float and is_number and abs(value) < 1e30 and math.isfinite(value):
        return float(value)
    field = name.rpartition(".")[2]
    limit = _FREE_LIMIT if field in _FREE else _LIMITS.get(field, _LIMIT)
    if kind is int and isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= limit:
        return value
    wanted = {bool: "true or false", float: "a finite number"}.get(kind, f"a whole number from 0 to {limit:,}")
    raise CheckpointError(f"config.json: {name} must be {wanted}, not {_shown(value)}.")


def _shown(value: Any) -> str:
    text = repr(value) if not isinstance(value, bool) and value is not None else str(value).lower()
    return text if len(text) <= 60 else text[:57] + "…"


FAMILY = Family(model_types=(MODEL_TYPE,), read_config=read_config, write_config=write_config, entries=entries)
