"""OLMo 1, 2 and 3: LayerNorm without parameters at first, later RMSNorm of what each sublayer gives.

Source: OLMo (arXiv 2402.00838); OLMo 2 (2501.00656); layouts of their `ForCausalLM` classes in
Hugging Face's transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelcore.checkpoints import rotary_decoder
from modelcore.checkpoints.config_file import ACTIVATION_NAMES, ACTIVATIONS, Keys
from modelcore.checkpoints.decoder_head import read_head, read_tokens, write_head
from modelcore.checkpoints.mapping import Family, Shape
from modelcore.checkpoints.rotary_decoder import KNOWN_KEYS, Sizes
from modelcore.checkpoints.rotary_keys import read_layered_rotary, read_rotary, write_layered_rotary, write_rotary
from modelcore.config import ModelConfig

# What transformers assumes of all three where config.json is silent.
_DEFAULTS: dict[str, Any] = {
    "vocab_size": 50_304,
    "hidden_size": 4096,
    "intermediate_size": 11_008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "max_position_embeddings": 2048,
}
_KEYS: dict[str, set[str]] = {
    "olmo": {"clip_qkv"},
    "olmo2": {"rms_norm_eps"},
    "olmo3": {"rms_norm_eps", "sliding_window", "layer_types"},
}
_CLASSES = {"olmo": "Olmo", "olmo2": "Olmo2", "olmo3": "Olmo3"}
# OLMo 1's is fixed in its code.
_EPSILON = 1e-5
_OLMO3_BASE = 500_000.0
_OLMO3_FULL_EVERY = 4


def read_config(values: Mapping[str, Any], shapes: Mapping[str, Shape]) -> ModelConfig:
    """`config.json` as a ModelConfig. Raises: CheckpointError naming the key."""
    model_type = values["model_type"]
    keys = Keys(_DEFAULTS | dict(values))
    keys.refuse_unknown(KNOWN_KEYS | _KEYS[model_type] | {"hidden_act", "attention_bias"})
    sizes = Sizes.read(keys)
    biased = keys.flag("attention_bias", False)
    choices: dict[str, Any] = {"decoder": sizes.stack([None] * sizes.layers)}
    if model_type == "olmo":
        choices |= {"norm": "layer", "norm_weight": False, "clip_qkv": keys.optional_positive("clip_qkv")}
    else:
        choices |= {"norm": "rms", "norm_placement": "output", "qk_norm": "projection"}
    if model_type == "olmo3":
        keys = Keys({"sliding_window": 4096, **keys.values})
        windows = rotary_decoder.read_layer_windows(
            keys, sizes.layers, lambda layer: (layer + 1) % _OLMO3_FULL_EVERY != 0
        )
        base = keys.positive("rope_theta", _OLMO3_BASE)
        rotary, window_rotary = read_layered_rotary(
            keys, sizes.positions, sizes.head_width, base=base, window_base=base
        )
        choices |= {"decoder": sizes.stack(windows), "rotary": rotary, "window_rotary": window_rotary}
    else:
        choices["rotary"] = read_rotary(keys, sizes.positions, sizes.head_width)
    return ModelConfig(
        vocabulary=sizes.vocabulary,
        positions=sizes.positions,
        width=sizes.width,
        head=read_head(keys, shapes, "lm_head.weight", tied=False),
        position_encoding="rotary",
        attention_bias=biased,
        attention_output_bias=biased,
        norm_epsilon=keys.number("rms_norm_eps", _EPSILON),
        norm_bias=False,
        activation=keys.choice("hidden_act", "silu", ACTIVATIONS),
        gated=True,
        feedforward_bias=False,
        **choices,
        **read_tokens(keys, sizes.vocabulary),
    )


def write_config(config: ModelConfig) -> dict[str, Any]:
    """The `config.json` of the model type that has what the configuration asks for."""
    windowed = any(pattern.window for pattern in config.stack("decoder").patterns)
    model_type = "olmo" if config.norm == "layer" else "olmo3" if windowed else "olmo2"
    values = {
        "model_type": model_type,
        **write_head(config, f"{_CLASSES[model_type]}ForCausalLM", f"{_CLASSES[model_type]}Model"),
        **rotary_decoder.write_sizes(config),
        "hidden_act": ACTIVATION_NAMES[config.activation],
        "attention_bias": config.attention_bias,
    }
    if model_type == "olmo":
        values["clip_qkv"] = config.clip_qkv
    else:
        values["rms_norm_eps"] = config.norm_epsilon
    if model_type == "olmo3":
        values |= rotary_decoder.write_layer_windows(config)
        values |= write_layered_rotary(config.rotary, config.window_rotary)
    else:
        values |= write_rotary(config.rotary)
    return values


FAMILY = Family(
    model_types=tuple(_KEYS),
    read_config=read_config,
    write_config=write_config,
    entries=rotary_decoder.entries,
    aliases=rotary_decoder.aliases,
    is_ignored=rotary_decoder.is_ignored,
    canonical=rotary_decoder.with_prefix,
)
