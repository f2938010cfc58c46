"""BLOOM: ALiBi in place of positions, normalised embeddings, projections fused head by head.

Source: Le Scao et al. 2022 (arXiv 2211.05100); layout of `BloomForCausalLM` in Hugging Face's transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelcore.checkpoints.config_file import LAYER_LIMIT, Keys
from modelcore.checkpoints.decoder_head import (
    head_aliases,
    head_entries,
    read_head,
    read_tokens,
    write_head,
    write_tokens,
)
from modelcore.checkpoints.mapping import Entry, Family, Interleaved, Shape, linear_entries, norm_entries
from modelcore.config import ModelConfig, StackConfig

_KNOWN_KEYS = {
    "vocab_size",
    "hidden_size",
    "n_embed",
    "n_layer",
    "num_hidden_layers",
    "n_head",
    "num_attention_heads",
    "layer_norm_epsilon",
    "apply_residual_connection_post_layernorm",
    "tie_word_embeddings",
    "seq_length",
    # Of training, or of how the outside implementation computes the same.
    "hidden_dropout",
    "attention_dropout",
    "pretraining_tp",
    "slow_but_exact",
    "attention_softmax_in_fp32",
    "bias_dropout_fusion",
    "masked_softmax_fusion",
    "offset_alibi",
    "skip_bias_add",
    "skip_bias_add_qkv",
}
_TOKENS = "transformer.word_embeddings.weight"
# No key tells it, and nothing but training has bounded it.
_TRAINED_POSITIONS = 2048
_EXPANSION = 4


def read_config(values: Mapping[str, Any], shapes: Mapping[str, Shape]) -> ModelConfig:
    """`config.json` as a ModelConfig. Raises: CheckpointError naming the key."""
    keys = Keys(values)
    keys.refuse_unknown(_KNOWN_KEYS)
    keys.require("apply_residual_connection_post_layernorm", False)
    vocabulary = keys.size("vocab_size", 250_880)
    width = keys.size("n_embed", keys.size("hidden_size", 64))
    return ModelConfig(
        vocabulary=vocabulary,
        positions=keys.size("seq_length", _TRAINED_POSITIONS),
        width=width,
        decoder=StackConfig(
            layers=keys.size("n_layer", keys.size("num_hidden_layers", 2, LAYER_LIMIT), LAYER_LIMIT),
            heads=keys.size("n_head", keys.size("num_attention_heads", 8)),
            feedforward_width=_EXPANSION * width,
        ),
        head=read_head(keys, shapes, "lm_head.weight", tied=True),
        embedding_norm=True,
        position_encoding="alibi",
        norm_epsilon=keys.number("layer_norm_epsilon", 1e-5),
        activation="gelu_tanh",
        **read_tokens(keys, vocabulary),
    )


def write_config(config: ModelConfig) -> dict[str, Any]:
    """The `config.json` of a model of this family."""
    stack = config.stack("decoder")
    return {
        "model_type": "bloom",
        **write_head(config, "BloomForCausalLM", "BloomModel"),
        "vocab_size": config.vocabulary,
        "seq_length": config.positions,
        "hidden_size": config.width,
        "n_layer": stack.layers,
        "n_head": stack.heads,
        "layer_norm_epsilon": config.norm_epsilon,
        **write_tokens(config),
    }


def entries(config: ModelConfig) -> list[Entry]:
    """The name table."""
    stack, width = config.stack("decoder"), config.width
    by_head = Interleaved(stack.heads)
    table = [
        Entry(_TOKENS, (config.vocabulary, width), ("tokens.weight",)),
        *norm_entries("transformer.word_embeddings_layernorm", "decoder_embedding.norm", width),
        *norm_entries("transformer.ln_f", "decoder.norm", width),
        *head_entries(config, "lm_head"),
    ]
    for layer in range(stack.layers):
        theirs, ours = f"transformer.h.{layer}", f"decoder.blocks.{layer}"
        attends = f"{ours}.self_attention"
        fused = (f"{attends}.query", f"{attends}.key", f"{attends}.value")
        inner, wide = f"{ours}.feedforward", stack.feedforward_width
        table += [
            *norm_entries(f"{theirs}.input_layernorm", f"{ours}.self_attention_residual.norm", width),
            *linear_entries(f"{theirs}.self_attention.query_key_value", fused, width, 3 * width, layout=by_head),
            *linear_entries(f"{theirs}.self_attention.dense", (f"{attends}.output",), width, width),
            *norm_entries(f"{theirs}.post_attention_layernorm", f"{ours}.feedforward_residual.norm", width),
            *linear_entries(f"{theirs}.mlp.dense_h_to_4h", (f"{inner}.expand",), width, wide),
            *linear_entries(f"{theirs}.mlp.dense_4h_to_h", (f"{inner}.contract",), wide, width),
        ]
    return table


def _with_prefix(name: str) -> str:
    """Files of the bare `BloomModel`, those of BLOOM itself among them, leave the prefix out; we add it."""
    bare = name.startswith(("word_embeddings.", "word_embeddings_layernorm.", "h.", "ln_f."))
    return f"transformer.{name}" if bare else name


FAMILY = Family(
    model_types=("bloom",),
    read_config=read_config,
    write_config=write_config,
    entries=entries,
    aliases=lambda config: head_aliases(config, "lm_head", _TOKENS),
    canonical=_with_prefix,
)
