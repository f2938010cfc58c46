"""Llama, Mistral, Qwen 2 and Qwen 3: pre-norm decoders with rotary positions, RMSNorm and a gated network.

Source: Touvron et al. 2023 (arXiv 2302.13971); Mistral 7B (2310.06825); Qwen2 (2407.10671); Qwen3 (2505.09388);
layouts of their `ForCausalLM` classes in Hugging Face's transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelcore.checkpoints import rotary_decoder
from modelcore.checkpoints.config_file import ACTIVATION_NAMES, ACTIVATIONS, Keys
from modelcore.checkpoints.decoder_head import read_head, read_tokens, write_head
from modelcore.checkpoints.mapping import Family, Shape
from modelcore.checkpoints.rotary_decoder import KNOWN_KEYS, Sizes
from modelcore.checkpoints.rotary_keys import read_rotary, write_rotary
from modelcore.config import ModelConfig

_SIZES = {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32}
_QWEN = {
    **_SIZES,
    "vocab_size": 151_936,
    "intermediate_size": 22_016,
    "num_key_value_heads": 32,
    "max_position_embeddings": 32_768,
    "use_sliding_window": False,
    "sliding_window": 4096,
    "max_window_layers": 28,
}
# What transformers assumes of each model type where config.json is silent.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "llama": {**_SIZES, "vocab_size": 32_000, "intermediate_size": 11_008, "max_position_embeddings": 2048},
    "mistral": {
        **_SIZES,
        "vocab_size": 32_000,
        "intermediate_size": 14_336,
        "num_key_value_heads": 8,
        "max_position_embeddings": 131_072,
        "sliding_window": 4096,
    },
    "qwen2": _QWEN,
    "qwen3": {**_QWEN, "head_dim": 128},
}
_QWEN_KEYS = {"use_sliding_window", "sliding_window", "max_window_layers", "layer_types", "use_mrope"}
_KEYS = {
    "llama": {"attention_bias", "mlp_bias", "rope_interleaved"},
    "mistral": {"sliding_window"},
    "qwen2": _QWEN_KEYS,
    "qwen3": {*_QWEN_KEYS, "attention_bias"},
}
# What a model type has that no key tells.
_CHOICES: dict[str, dict[str, Any]] = {
    "llama": {},
    "mistral": {},
    "qwen2": {"attention_bias": True},
    "qwen3": {"qk_norm": "head"},
}
_CLASSES = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}


def read_config(values: Mapping[str, Any], shapes: Mapping[str, Shape]) -> ModelConfig:
    """`config.json` as a ModelConfig. Raises: CheckpointError naming the key."""
    model_type = values["model_type"]
    keys = Keys(_DEFAULTS[model_type] | dict(values))
    keys.refuse_unknown(KNOWN_KEYS | _KEYS[model_type] | {"hidden_act", "rms_norm_eps"})
    for key in ("rope_interleaved", "use_mrope"):
        keys.require(key, False)
    sizes = Sizes.read(keys)
    biased = keys.flag("attention_bias", False)
    choices: dict[str, Any] = {"attention_bias": biased, "attention_output_bias": biased, **_CHOICES[model_type]}
    return ModelConfig(
        vocabulary=sizes.vocabulary,
        positions=sizes.positions,
        width=sizes.width,
        decoder=sizes.stack(_read_windows(keys, sizes.layers)),
        head=read_head(keys, shapes, "lm_head.weight", tied=False),
        position_encoding="rotary",
        rotary=read_rotary(keys, sizes.positions, sizes.head_width),
        norm="rms",
        norm_epsilon=keys.number("rms_norm_eps", 1e-6),
        norm_bias=False,
        activation=keys.choice("hidden_act", "silu", ACTIVATIONS),
        gated=True,
        feedforward_bias=keys.flag("mlp_bias", False),
        **choices,
        **read_tokens(keys, sizes.vocabulary),
    )


def _read_windows(keys: Keys, layers: int) -> list[int | None]:
    if "use_sliding_window" not in keys.values:
        return [rotary_decoder.read_window(keys)] * layers
    if not keys.flag("use_sliding_window", False):
        keys = Keys({**keys.values, "sliding_window": None})
        return rotary_decoder.read_layer_windows(keys, layers, lambda layer: False)
    first = keys.values.get("max_window_layers")
    first = 0 if first == 0 else keys.size("max_window_layers")
    return rotary_decoder.read_layer_windows(keys, layers, lambda layer: layer >= first)


def write_config(config: ModelConfig) -> dict[str, Any]:
    """The `config.json` of the model type that has what the configuration asks for."""
    stack = config.stack("decoder")
    windowed = any(pattern.window for pattern in stack.patterns)
    if config.qk_norm:
        model_type = "qwen3"
    elif config.attention_bias and not config.attention_output_bias:
        model_type = "qwen2"
    else:
        model_type = "mistral" if windowed else "llama"
    values = {
        "model_type": model_type,
        **write_head(config, f"{_CLASSES[model_type]}ForCausalLM", f"{_CLASSES[model_type]}Model"),
        **rotary_decoder.write_sizes(config),
        **write_rotary(config.rotary),
        "hidden_act": ACTIVATION_NAMES[config.activation],
        "rms_norm_eps": config.norm_epsilon,
    }
    if model_type == "mistral":
        values["sliding_window"] = rotary_decoder.write_layer_windows(config)["sliding_window"]
    if model_type in ("qwen2", "qwen3"):
        values |= {"use_sliding_window": windowed, **rotary_decoder.write_layer_windows(config)}
    if model_type in ("llama", "qwen3"):
        values["attention_bias"] = config.attention_output_bias
    if model_type == "llama":
        values["mlp_bias"] = config.feedforward_bias
    return values


FAMILY = Family(
    model_types=tuple(_DEFAULTS),
    read_config=read_config,
    write_config=write_config,
    entries=rotary_decoder.entries,
    aliases=rotary_decoder.aliases,
    is_ignored=rotary_decoder.is_ignored,
    canonical=rotary_decoder.with_prefix,
)
