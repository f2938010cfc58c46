"""Mixtral: Mistral's blocks with a mixture of experts in place of each feed-forward network.

Source: Jiang et al. 2024 (arXiv 2401.04088); layout of `MixtralForCausalLM` in Hugging Face's transformers,
which stores each expert's matrices apart: w1 the gate, w2 back to the width, w3 the expansion.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelcore.checkpoints import rotary_decoder
from modelcore.checkpoints.config_file import ACTIVATION_NAMES, ACTIVATIONS, Keys
from modelcore.checkpoints.decoder_head import read_head, read_tokens, write_head
from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.mapping import Entry, Family, Shape, Slot, linear_entries
from modelcore.checkpoints.rotary_decoder import KNOWN_KEYS, Sizes
from modelcore.checkpoints.rotary_keys import RotaryDefaults, read_rotary, write_rotary
from modelcore.config import Experts, ModelConfig

# What transformers assumes where config.json is silent.
_DEFAULTS: dict[str, Any] = {
    "vocab_size": 32_000,
    "hidden_size": 4096,
    "intermediate_size": 14_336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "max_position_embeddings": 131_072,
}
_ROTARY = RotaryDefaults(base=1_000_000.0)


def read_config(values: Mapping[str, Any], shapes: Mapping[str, Shape]) -> ModelConfig:
    """`config.json` as a ModelConfig. Raises: CheckpointError naming the key."""
    keys = Keys(_DEFAULTS | dict(values))
    keys.refuse_unknown(
        KNOWN_KEYS | {"hidden_act", "rms_norm_eps", "sliding_window", "num_local_experts", "num_experts_per_tok"}
    )
    sizes = Sizes.read(keys)
    experts = Experts(
        count=keys.size("num_local_experts", 8),
        active=keys.size("num_experts_per_tok", 2),
    )
    # Asked before the name table is made, which a false config.json could make endless.
    last = f"model.layers.{sizes.layers - 1}.block_sparse_moe.experts.{experts.count - 1}.w1.weight"
    if last not in shapes:
        raise CheckpointError(f"{last} is missing from the weights, though config.json asks for it.")
    return ModelConfig(
        vocabulary=sizes.vocabulary,
        positions=sizes.positions,
        width=sizes.width,
        decoder=sizes.stack([rotary_decoder.read_window(keys)] * sizes.layers, experts),
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
    """The `config.json` of a model of this family. Raises: CheckpointError if it has no experts."""
    experts = config.stack("decoder").experts
    if experts is None:
        raise CheckpointError("a mixtral checkpoint is one of experts; without decoder.experts save it as llama.")
    return {
        "model_type": "mixtral",
        **write_head(config, "MixtralForCausalLM", "MixtralModel"),
        **rotary_decoder.write_sizes(config),
        **write_rotary(config.rotary),
        "hidden_act": ACTIVATION_NAMES[config.activation],
        "rms_norm_eps": config.norm_epsilon,
        "sliding_window": rotary_decoder.write_layer_windows(config)["sliding_window"],
        "num_local_experts": experts.count,
        "num_experts_per_tok": experts.active,
    }


def _expert_entries(config: ModelConfig, theirs: str, ours: str) -> list[Entry]:
    stack, width = config.stack("decoder"), config.width
    inner, count = stack.feedforward_width, stack.experts.count if stack.experts else 0
    table = linear_entries(f"{theirs}.block_sparse_moe.gate", (f"{ours}.router",), width, count, bias=False)
    for index in range(count):
        expert, slot = f"{theirs}.block_sparse_moe.experts.{index}", Slot(index, count)
        table += [
            Entry(f"{expert}.w1.weight", (inner, width), (f"{ours}.gate",), slot=slot),
            Entry(f"{expert}.w2.weight", (width, inner), (f"{ours}.contract",), slot=slot),
            Entry(f"{expert}.w3.weight", (inner, width), (f"{ours}.expand",), slot=slot),
        ]
    return table


def entries(config: ModelConfig) -> list[Entry]:
    """The name table."""
    return rotary_decoder.entries(config, feedforward=_expert_entries)


FAMILY = Family(
    model_types=("mixtral",),
    read_config=read_config,
    write_config=write_config,
    entries=entries,
    aliases=rotary_decoder.aliases,
    is_ignored=rotary_decoder.is_ignored,
    canonical=rotary_decoder.with_prefix,
)
