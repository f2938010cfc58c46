"""Phi 3: Llama's blocks with their projections fused, and rotary positions stretched frequency by frequency.

Source: Phi-3 (Abdin et al. 2024, arXiv 2404.14219); layout of `Phi3ForCausalLM` in Hugging Face's transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelcore.checkpoints import rotary_decoder
from modelcore.checkpoints.config_file import ACTIVATION_NAMES, ACTIVATIONS, Keys
from modelcore.checkpoints.decoder_head import read_head, read_tokens, write_head
from modelcore.checkpoints.mapping import Entry, Family, Shape, SideBySide, linear_entries
from modelcore.checkpoints.rotary_decoder import KNOWN_KEYS, Sizes
from modelcore.checkpoints.rotary_keys import RotaryDefaults, read_rotary, write_portion, write_rotary
from modelcore.config import LongScaling, ModelConfig

# What transformers assumes where config.json is silent.
_DEFAULTS: dict[str, Any] = {
    "vocab_size": 32_064,
    "hidden_size": 3072,
    "intermediate_size": 8192,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "max_position_embeddings": 4096,
}
_ONLY = {
    "attention_bias": False,
    "mlp_bias": False,
    "lm_head_bias": False,
    "full_attn_mod": 1,
    "interpolate_factor": 1,
}
_ROTARY = RotaryDefaults(portion=1.0, original_positions=4096)


def read_config(values: Mapping[str, Any], shapes: Mapping[str, Shape]) -> ModelConfig:
    """`config.json` as a ModelConfig. Raises: CheckpointError naming the key."""
    keys = Keys(_DEFAULTS | dict(values))
    keys.refuse_unknown(KNOWN_KEYS | {"hidden_act", "rms_norm_eps", "sliding_window"} | set(_ONLY))
    for key, only in _ONLY.items():
        keys.require(key, only)
    sizes = Sizes.read(keys)
    return ModelConfig(
        vocabulary=sizes.vocabulary,
        positions=sizes.positions,
        width=sizes.width,
        decoder=sizes.stack([rotary_decoder.read_window(keys)] * sizes.layers),
        head=read_head(keys, shapes, "lm_head.weight", tied=False),
        position_encoding="rotary",
        rotary=read_rotary(keys, sizes.positions, sizes.head_width, _ROTARY),
        attention_bias=False,
        attention_output_bias=False,
        norm="rms",
        norm_epsilon=keys.number("rms_norm_eps", 1e-5),
        norm_bias=False,
        activation=keys.choice("hidden_act", "silu", ACTIVATIONS),
        gated=True,
        feedforward_bias=False,
        **read_tokens(keys, sizes.vocabulary),
    )


def write_config(config: ModelConfig) -> dict[str, Any]:
    """The `config.json` of a model of this family."""
    head_width, scaling = config.head_width(config.stack("decoder")), config.rotary.scaling
    values = {
        "model_type": "phi3",
        **write_head(config, "Phi3ForCausalLM", "Phi3Model"),
        **rotary_decoder.write_sizes(config),
        **write_rotary(config.rotary),
        "partial_rotary_factor": write_portion(config.rotary, head_width),
        "hidden_act": ACTIVATION_NAMES[config.activation],
        "rms_norm_eps": config.norm_epsilon,
        "sliding_window": rotary_decoder.write_layer_windows(config)["sliding_window"],
    }
    if isinstance(scaling, LongScaling):
        values["original_max_position_embeddings"] = scaling.original_positions
    return values


def _attention_entries(config: ModelConfig, theirs: str, ours: str) -> list[Entry]:
    stack = config.stack("decoder")
    inner, key_inner = stack.heads * config.head_width(stack), stack.key_head_count * config.head_width(stack)
    fused, parts = SideBySide((inner, key_inner, key_inner)), (f"{ours}.query", f"{ours}.key", f"{ours}.value")
    return [
        *linear_entries(
            f"{theirs}.self_attn.qkv_proj", parts, config.width, inner + 2 * key_inner, bias=False, layout=fused
        ),
        *linear_entries(f"{theirs}.self_attn.o_proj", (f"{ours}.output",), inner, config.width, bias=False),
    ]


def _feedforward_entries(config: ModelConfig, theirs: str, ours: str) -> list[Entry]:
    width, inner = config.width, config.stack("decoder").feedforward_width
    fused = (f"{ours}.gate", f"{ours}.expand")
    return [
        *linear_entries(f"{theirs}.mlp.gate_up_proj", fused, width, 2 * inner, bias=False),
        *linear_entries(f"{theirs}.mlp.down_proj", (f"{ours}.contract",), inner, width, bias=False),
    ]


def entries(config: ModelConfig) -> list[Entry]:
    """The name table."""
    return rotary_decoder.entries(config, _attention_entries, _feedforward_entries)


FAMILY = Family(
    model_types=("phi3",),
    read_config=read_config,
    write_config=write_config,
    entries=entries,
    aliases=rotary_decoder.aliases,
    is_ignored=rotary_decoder.is_ignored,
    canonical=rotary_decoder.with_prefix,
)
