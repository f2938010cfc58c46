"""What of config.json transformers may see: what describes a model, and nothing that loads or runs anything."""

from __future__ import annotations

import math
from typing import Any

from modelcore.checkpoints.error import CheckpointError

# How a forward pass runs and what it returns is ours to say.
DROPPED = frozenset(
    [
        "attn_implementation",
        "auto_map",
        "custom_pipelines",
        "device_map",
        "dtype",
        "experts_implementation",
        "fusion_config",
        "kernel_config",
        "name_or_path",
        "output_attentions",
        "output_hidden_states",
        "return_dict",
        "torch_dtype",
        "torchscript",
        "transformers_weights",
        "trust_remote_code",
        "use_cache",
        "use_kernels",
    ]
)

# What would change the weights, or fetch a part of the model from elsewhere.
REFUSED = {
    "quantization_config": "quantised weights are not supported; save the model in float32, float16 or bfloat16",
    "compression_config": "compressed weights are not supported; save the model in float32, float16 or bfloat16",
    "pruned_heads": "pruned heads are not supported; save the model as it is after pruning",
    "backbone": "a part of the model that is only named is not supported; its settings must stand in config.json",
    "use_timm_backbone": "a backbone from the timm library is not supported",
    "use_pretrained_backbone": "a backbone that has to be downloaded is not supported",
}

# Far above any model; keep a false config.json from building without end.
SIZE_LIMIT = 1 << 31
COUNT_LIMIT = 4096
DEPTH_LIMIT = 8


# How transformers writes a float that JSON lacks: {"__float__": "Infinity"}.
SPECIAL_FLOAT = "__float__"


def cleaned(values: dict[str, Any], reserved: frozenset[str] = frozenset(), depth: int = 0) -> dict[str, Any]:
    """A copy of config.json without what is ours to say, in nested objects as well.

    A key with a leading underscore is transformers' own bookkeeping; one of them names code to be run. A
    `reserved` one, what a configuration is able to do, would be replaced by the value.
    Raises: CheckpointError naming the key of a setting that is refused, or of a size that no model has.
    """
    if depth > DEPTH_LIMIT:
        raise CheckpointError(f"config.json is nested more than {DEPTH_LIMIT} deep.")
    kept: dict[str, Any] = {}
    for name, value in values.items():
        key = str(name)
        if key in REFUSED and value:
            raise CheckpointError(f"config.json: {key}: {REFUSED[key]}.")
        if key.endswith("_config") and key not in reserved and isinstance(value, str):
            raise CheckpointError(f"config.json: {key}: {REFUSED['backbone']}.")
        if key.startswith("_") or key in DROPPED or key in REFUSED or key in reserved:
            continue
        _require_possible(key, value)
        kept[key] = _cleaned_value(value, reserved, depth)
    return kept


def _cleaned_value(value: Any, reserved: frozenset[str], depth: int) -> Any:
    if isinstance(value, dict) and list(value) == [SPECIAL_FLOAT]:
        return {"Infinity": math.inf, "-Infinity": -math.inf}.get(value[SPECIAL_FLOAT], math.nan)
    if isinstance(value, dict):
        return cleaned(value, reserved, depth + 1)
    return [_cleaned_value(item, reserved, depth) for item in value] if isinstance(value, list) else value


def _require_possible(key: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        return
    counts = any(word in key for word in ("layers", "n_layer", "blocks", "depth", "experts", "heads"))
    if abs(value) > (COUNT_LIMIT if counts else SIZE_LIMIT):
        raise CheckpointError(f"config.json: {key} is {value:,}; no model has as many.")
