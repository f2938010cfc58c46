"""Gemma 1, 2 and 3 (text): scaled embeddings, unit-offset RMSNorm; from 2 on normalised before and after.

Source: Gemma (arXiv 2403.08295); Gemma 2 (2408.00118); Gemma 3 (2503.19786); layouts of their
`ForCausalLM` classes in Hugging Face's transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelcore.checkpoints import rotary_decoder
from modelcore.checkpoints.config_file import ACTIVATION_NAMES, ACTIVATIONS, Keys
from modelcore.checkpoints.decoder_head import read_head, read_tokens, write_head
from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.mapping import Family, Shape
from modelcore.checkpoints.rotary_decoder import KNOWN_KEYS, Sizes
from modelcore.checkpoints.rotary_keys import read_layered_rotary, read_rotary, write_layered_rotary, write_rotary
from modelcore.config import Activation, ModelConfig

# What transformers assumes of each model type where config.json is silent.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "gemma": {
        "vocab_size": 256_000,
        "hidden_size": 3072,
        "intermediate_size": 24_576,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
        "head_dim": 256,
        "max_position_embeddings": 8192,
    },
    "gemma2": {
        "vocab_size": 256_000,
        "hidden_size": 2304,
        "intermediate_size": 9216,
        "num_hidden_layers": 26,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "max_position_embeddings": 8192,
        "sliding_window": 4096,
        "final_logit_softcapping": 30.0,
        "attn_logit_softcapping": 50.0,
    },
    "gemma3_text": {
        "vocab_size": 262_208,
        "hidden_size": 2304,
        "intermediate_size": 9216,
        "num_hidden_layers": 26,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "max_position_embeddings": 131_072,
        "sliding_window": 4096,
    },
}
_KEYS = {"attention_bias", "rms_norm_eps", "hidden_act", "hidden_activation", "use_bidirectional_attention"}
_LAYERED_KEYS = {
    "layer_types",
    "sliding_window",
    "query_pre_attn_scalar",
    "final_logit_softcapping",
    "attn_logit_softcapping",
    "sliding_window_pattern",
    "sliding_window_size",
    "rope_local_base_freq",
}
# How often a layer sees everything where no key tells.
_FULL_EVERY = {"gemma2": 2, "gemma3_text": 6}


def read_config(values: Mapping[str, Any], shapes: Mapping[str, Shape]) -> ModelConfig:
    """`config.json` as a ModelConfig. Raises: CheckpointError naming the key."""
    model_type = values["model_type"]
    keys = Keys(_DEFAULTS[model_type] | dict(values))
    keys.refuse_unknown(KNOWN_KEYS | _KEYS | (_LAYERED_KEYS if model_type in _FULL_EVERY else set()))
    keys.require("use_bidirectional_attention", False)
    sizes = Sizes.read(keys)
    biased = keys.flag("attention_bias", False)
    layered = _read_layered(keys, sizes, _FULL_EVERY[model_type]) if model_type in _FULL_EVERY else {}
    if model_type == "gemma3_text":
        keys.require("attn_logit_softcapping", None)
        rotary, window_rotary = read_layered_rotary(
            keys, sizes.positions, sizes.head_width, base=1_000_000.0, window_base=10_000.0
        )
        layered |= {"rotary": rotary, "window_rotary": window_rotary, "qk_norm": "head"}
    else:
        layered["rotary"] = read_rotary(keys, sizes.positions, sizes.head_width)
    softcap = keys.optional_positive("final_logit_softcapping")
    return ModelConfig(
        vocabulary=sizes.vocabulary,
        positions=sizes.positions,
        width=sizes.width,
        head=read_head(keys, shapes, "lm_head.weight", tied=True, softcap=softcap),
        embedding_scale=sizes.width**0.5,
        position_encoding="rotary",
        attention_bias=biased,
        attention_output_bias=biased,
        norm="rms",
        norm_epsilon=keys.number("rms_norm_eps", 1e-6),
        norm_bias=False,
        norm_unit_offset=True,
        activation=_read_activation(keys, model_type),
        gated=True,
        feedforward_bias=False,
        **({"decoder": sizes.stack([None] * sizes.layers)} | layered),
        **read_tokens(keys, sizes.vocabulary),
    )


def _read_layered(keys: Keys, sizes: Sizes, full_every: int) -> dict[str, Any]:
    """What Gemma 2 and 3 have in common: windows in most layers, four normalisations, a scale of their own."""
    keys.require("sliding_window_size", keys.values.get("sliding_window"))
    full_every = keys.size("sliding_window_pattern", full_every)
    windows = rotary_decoder.read_layer_windows(keys, sizes.layers, lambda layer: (layer + 1) % full_every != 0)
    return {
        "decoder": sizes.stack(windows),
        "norm_placement": "sandwich",
        "attention_scale": keys.positive("query_pre_attn_scalar", 256.0) ** -0.5,
        "softcap": keys.optional_positive("attn_logit_softcapping"),
    }


def _read_activation(keys: Keys, model_type: str) -> Activation:
    """The first files of Gemma 1 say "gelu" and mean its approximation, as their own code computed it."""
    name = "hidden_act" if model_type == "gemma" else "hidden_activation"
    other = keys.values.get("hidden_activation" if model_type == "gemma" else "hidden_act")
    activation: Activation = keys.choice(name, "gelu_pytorch_tanh", ACTIVATIONS)
    if model_type == "gemma" and activation == "gelu":
        activation = "gelu_tanh"
    if other is not None and ACTIVATIONS.get(str(other)) not in (activation, "gelu"):
        raise CheckpointError(f"config.json: hidden_act and hidden_activation disagree; {name} is what counts.")
    return activation


def write_config(config: ModelConfig) -> dict[str, Any]:
    """The `config.json` of the model type that has what the configuration asks for."""
    if config.norm_placement == "pre":
        model_type, name = "gemma", "Gemma"
    else:
        model_type, name = ("gemma3_text", "Gemma3") if config.qk_norm else ("gemma2", "Gemma2")
    bare = "Gemma3TextModel" if model_type == "gemma3_text" else f"{name}Model"
    values = {
        "model_type": model_type,
        **write_head(config, f"{name}ForCausalLM", bare),
        **rotary_decoder.write_sizes(config),
        "hidden_act" if model_type == "gemma" else "hidden_activation": ACTIVATION_NAMES[config.activation],
        "rms_norm_eps": config.norm_epsilon,
        "attention_bias": config.attention_bias,
    }
    if model_type == "gemma3_text":
        values |= write_layered_rotary(config.rotary, config.window_rotary)
    else:
        values |= write_rotary(config.rotary)
    if model_type != "gemma":
        scale = config.attention_scale or config.head_width(config.stack("decoder")) ** -0.5
        values |= {
            **rotary_decoder.write_layer_windows(config),
            "query_pre_attn_scalar": round(scale**-2),
            "final_logit_softcapping": config.head.softcap,
            "attn_logit_softcapping": config.softcap,
        }
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
