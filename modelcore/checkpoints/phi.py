"""Phi 1 and 2: attention and feed-forward in parallel, reading one LayerNorm; partly rotary, biases everywhere.

Source: Phi-1.5 (Li et al. 2023, arXiv 2309.05463); layout of `PhiForCausalLM` in Hugging Face's transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelcore.checkpoints.config_file import ACTIVATION_NAMES, ACTIVATIONS, Keys
from modelcore.checkpoints.decoder_head import head_entries, read_head, read_tokens, write_head
from modelcore.checkpoints.mapping import Entry, Family, Shape, linear_entries, norm_entries
from modelcore.checkpoints.rotary_decoder import (
    KNOWN_KEYS,
    TOKENS,
    Sizes,
    aliases,
    is_ignored,
    with_prefix,
    write_sizes,
)
from modelcore.checkpoints.rotary_keys import RotaryDefaults, read_rotary, write_portion, write_rotary
from modelcore.config import ModelConfig

# What transformers assumes where config.json is silent.
_DEFAULTS: dict[str, Any] = {
    "vocab_size": 51_200,
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 24,
    "num_attention_heads": 32,
    "max_position_embeddings": 2048,
}
_ROTARY = RotaryDefaults(portion=0.5)


def read_config(values: Mapping[str, Any], shapes: Mapping[str, Shape]) -> ModelConfig:
    """`config.json` as a ModelConfig. Raises: CheckpointError naming the key."""
    keys = Keys(_DEFAULTS | dict(values))
    keys.refuse_unknown(KNOWN_KEYS | {"hidden_act", "layer_norm_eps", "qk_layernorm"})
    sizes = Sizes.read(keys)
    keys.require("head_dim", sizes.width // sizes.heads)
    return ModelConfig(
        vocabulary=sizes.vocabulary,
        positions=sizes.positions,
        width=sizes.width,
        decoder=sizes.stack([None] * sizes.layers),
        head=read_head(keys, shapes, "lm_head.weight", tied=False, bias=True),
        position_encoding="rotary",
        rotary=read_rotary(keys, sizes.positions, sizes.head_width, _ROTARY),
        qk_norm="head" if keys.flag("qk_layernorm", False) else None,
        norm_epsilon=keys.number("layer_norm_eps", 1e-5),
        parallel=True,
        shared_norm=True,
        activation=keys.choice("hidden_act", "gelu_new", ACTIVATIONS),
        **read_tokens(keys, sizes.vocabulary),
    )


def write_config(config: ModelConfig) -> dict[str, Any]:
    """The `config.json` of a model of this family."""
    head_width = config.head_width(config.stack("decoder"))
    return {
        "model_type": "phi",
        **write_head(config, "PhiForCausalLM", "PhiModel"),
        **write_sizes(config),
        **write_rotary(config.rotary),
        "partial_rotary_factor": write_portion(config.rotary, head_width),
        "hidden_act": ACTIVATION_NAMES[config.activation],
        "layer_norm_eps": config.norm_epsilon,
        "qk_layernorm": config.qk_norm is not None,
    }


def entries(config: ModelConfig) -> list[Entry]:
    """The name table."""
    stack, width = config.stack("decoder"), config.width
    inner, head_width = stack.feedforward_width, config.head_width(stack)
    attended, keyed = stack.heads * head_width, stack.key_head_count * head_width
    table = [
        Entry(TOKENS, (config.vocabulary, width), ("tokens.weight",)),
        *norm_entries("model.final_layernorm", "decoder.norm", width),
        *head_entries(config, "lm_head"),
    ]
    for layer in range(stack.layers):
        theirs, ours = f"model.layers.{layer}", f"decoder.blocks.{layer}"
        attention, attends = f"{theirs}.self_attn", f"{ours}.self_attention"
        table += [
            *norm_entries(f"{theirs}.input_layernorm", f"{ours}.self_attention_residual.norm", width),
            *linear_entries(f"{attention}.q_proj", (f"{attends}.query",), width, attended),
            *linear_entries(f"{attention}.k_proj", (f"{attends}.key",), width, keyed),
            *linear_entries(f"{attention}.v_proj", (f"{attends}.value",), width, keyed),
            *linear_entries(f"{attention}.dense", (f"{attends}.output",), attended, width),
            *linear_entries(f"{theirs}.mlp.fc1", (f"{ours}.feedforward.expand",), width, inner),
            *linear_entries(f"{theirs}.mlp.fc2", (f"{ours}.feedforward.contract",), inner, width),
        ]
        if config.qk_norm:
            table += norm_entries(f"{attention}.q_layernorm", f"{attends}.query_norm", head_width)
            table += norm_entries(f"{attention}.k_layernorm", f"{attends}.key_norm", head_width)
    return table


FAMILY = Family(
    model_types=("phi",),
    read_config=read_config,
    write_config=write_config,
    entries=entries,
    aliases=aliases,
    is_ignored=is_ignored,
    canonical=with_prefix,
)
