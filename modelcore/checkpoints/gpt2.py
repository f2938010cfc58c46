"""GPT-2: a pre-norm decoder with learned positions, biases and tied embeddings.

Source: Radford et al. 2019; layout of `GPT2LMHeadModel` in Hugging Face's transformers, whose
linear weights are stored as (input, output).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelcore.checkpoints.config_file import ACTIVATIONS, LAYER_LIMIT, Keys
from modelcore.checkpoints.mapping import Entry, Family, Shape, linear_entries, norm_entries
from modelcore.config import ModelConfig, StackConfig

_KNOWN_KEYS = {
    "vocab_size",
    "n_positions",
    "n_ctx",
    "n_embd",
    "n_layer",
    "n_head",
    "n_inner",
    "activation_function",
    "layer_norm_epsilon",
    "resid_pdrop",
    "embd_pdrop",
    "attn_pdrop",
    "scale_attn_weights",
    "scale_attn_by_inverse_layer_idx",
    "reorder_and_upcast_attn",
    "add_cross_attention",
    "tie_word_embeddings",
    "summary_type",
    "summary_use_proj",
    "summary_activation",
    "summary_proj_to_labels",
    "summary_first_dropout",
}


def read_config(values: Mapping[str, Any], shapes: Mapping[str, Shape]) -> ModelConfig:
    """`config.json` as a ModelConfig. Raises: CheckpointError naming the key."""
    keys = Keys(values)
    keys.refuse_unknown(_KNOWN_KEYS)
    keys.require("scale_attn_weights", True)
    keys.require("scale_attn_by_inverse_layer_idx", False)
    keys.require("add_cross_attention", False)
    keys.require("tie_word_embeddings", True)
    width = keys.size("n_embd", 768)
    return ModelConfig(
        vocabulary=keys.size("vocab_size", 50257),
        positions=keys.size("n_positions", 1024),
        width=width,
        decoder=StackConfig(
            keys.size("n_layer", 12, LAYER_LIMIT), keys.size("n_head", 12), keys.size("n_inner", 4 * width)
        ),
        position_encoding="learned",
        norm_placement="pre",
        norm_epsilon=keys.number("layer_norm_epsilon", 1e-5),
        activation=keys.choice("activation_function", "gelu_new", ACTIVATIONS),
        end_token=keys.token("eos_token_id"),
    )


def write_config(config: ModelConfig) -> dict[str, Any]:
    """The `config.json` of a model of this family."""
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "vocab_size": config.vocabulary,
        "n_positions": config.positions,
        "n_embd": config.width,
        "n_layer": config.stack("decoder").layers,
        "n_head": config.stack("decoder").heads,
        "n_inner": config.stack("decoder").feedforward_width,
        "activation_function": {"gelu_tanh": "gelu_new"}.get(config.activation, config.activation),
        "layer_norm_epsilon": config.norm_epsilon,
        "bos_token_id": config.end_token,
        "eos_token_id": config.end_token,
        "tie_word_embeddings": True,
    }


def entries(config: ModelConfig) -> list[Entry]:
    """The name table."""
    width, inner = config.width, config.stack("decoder").feedforward_width
    table = [
        Entry("transformer.wte.weight", (config.vocabulary, width), ("tokens.weight",)),
        Entry("transformer.wpe.weight", (config.positions, width), ("decoder_embedding.positions.weight",)),
        *norm_entries("transformer.ln_f", "decoder.norm", width),
    ]
    for layer in range(config.stack("decoder").layers):
        theirs, ours = f"transformer.h.{layer}", f"decoder.blocks.{layer}"
        heads = tuple(f"{ours}.self_attention.{part}" for part in ("query", "key", "value"))
        table += [
            *norm_entries(f"{theirs}.ln_1", f"{ours}.self_attention_residual.norm", width),
            *linear_entries(f"{theirs}.attn.c_attn", heads, width, 3 * width, transposed=True),
            *linear_entries(f"{theirs}.attn.c_proj", (f"{ours}.self_attention.output",), width, width, transposed=True),
            *norm_entries(f"{theirs}.ln_2", f"{ours}.feedforward_residual.norm", width),
            *linear_entries(f"{theirs}.mlp.c_fc", (f"{ours}.feedforward.expand",), width, inner, transposed=True),
            *linear_entries(f"{theirs}.mlp.c_proj", (f"{ours}.feedforward.contract",), inner, width, transposed=True),
        ]
    return table


def _with_prefix(name: str) -> str:
    """Checkpoints of the bare `GPT2Model` leave the prefix out; we add it."""
    return name if name.startswith(("transformer.", "lm_head.")) else f"transformer.{name}"


FAMILY = Family(
    model_types=("gpt2",),
    read_config=read_config,
    write_config=write_config,
    entries=entries,
    aliases=lambda config: {"lm_head.weight": "transformer.wte.weight"},
    is_ignored=lambda name: name.endswith((".attn.bias", ".attn.masked_bias")),
    canonical=_with_prefix,
)
