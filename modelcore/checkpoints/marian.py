"""Marian: the original Transformer, a post-norm encoder-decoder with sinusoidal positions.

Source: Vaswani et al. 2017; Junczys-Dowmunt et al. 2018; layout of `MarianMTModel` in Hugging
Face's transformers, which keeps a bias over the logits and computes the positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from modelcore.checkpoints.config_file import ACTIVATIONS, LAYER_LIMIT, Keys
from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.mapping import Entry, Family, Reshaped, Shape, linear_entries, norm_entries
from modelcore.config import STACK_NAMES, HeadConfig, ModelConfig, StackConfig, StackName
from modelcore.layers.positional import sinusoids

# The table of positions is computed, so no stored shape bounds it.
POSITION_LIMIT = 65_536

_KNOWN_KEYS = {
    "vocab_size",
    "decoder_vocab_size",
    "max_position_embeddings",
    "d_model",
    "num_hidden_layers",
    "encoder_layers",
    "encoder_attention_heads",
    "encoder_ffn_dim",
    "decoder_layers",
    "decoder_attention_heads",
    "decoder_ffn_dim",
    "activation_function",
    "scale_embedding",
    "share_encoder_decoder_embeddings",
    "tie_word_embeddings",
    "dropout",
    "attention_dropout",
    "activation_dropout",
    "encoder_layerdrop",
    "decoder_layerdrop",
    "classifier_dropout",
    "classif_dropout",
    "static_position_embeddings",
    "normalize_before",
    "normalize_embedding",
    "add_final_layer_norm",
    "add_bias_logits",
}


def read_config(values: Mapping[str, Any], shapes: Mapping[str, Shape]) -> ModelConfig:
    """`config.json` as a ModelConfig. Raises: CheckpointError naming the key."""
    keys = Keys(values)
    keys.refuse_unknown(_KNOWN_KEYS)
    vocabulary = keys.size("vocab_size", 58101)
    width = keys.size("d_model", 1024)
    for key, only in (
        ("share_encoder_decoder_embeddings", True),
        ("tie_word_embeddings", True),
        ("static_position_embeddings", True),
        ("normalize_before", False),
        ("normalize_embedding", False),
        ("add_final_layer_norm", False),
        ("add_bias_logits", False),
    ):
        keys.require(key, only)
    if values.get("decoder_vocab_size") is not None:
        keys.require("decoder_vocab_size", vocabulary)
    start = keys.token("decoder_start_token_id")
    if start is None:
        raise CheckpointError("config.json: decoder_start_token_id is missing; the decoder needs a first token.")

    def stack(name: str) -> StackConfig:
        return StackConfig(
            keys.size(f"{name}_layers", 12, LAYER_LIMIT),
            keys.size(f"{name}_attention_heads", 16),
            keys.size(f"{name}_ffn_dim", 4096),
        )

    return ModelConfig(
        vocabulary=vocabulary,
        positions=keys.size("max_position_embeddings", 1024, POSITION_LIMIT),
        width=width,
        encoder=stack("encoder"),
        decoder=stack("decoder"),
        position_encoding="sinusoidal",
        norm_placement="post",
        final_norm=False,
        activation=keys.choice("activation_function", "gelu", ACTIVATIONS),
        embedding_scale=width**0.5 if keys.flag("scale_embedding", False) else 1.0,
        head=HeadConfig(bias=True),
        start_token=start,
        end_token=keys.token("eos_token_id"),
        pad_token=keys.token("pad_token_id"),
    )


def write_config(config: ModelConfig) -> dict[str, Any]:
    """The `config.json` of a model of this family."""
    stacks: dict[str, int] = {}
    for name in STACK_NAMES:
        stack = config.stack(name)
        stacks |= {
            f"{name}_layers": stack.layers,
            f"{name}_attention_heads": stack.heads,
            f"{name}_ffn_dim": stack.feedforward_width,
        }
    return {
        "architectures": ["MarianMTModel"],
        "model_type": "marian",
        "is_encoder_decoder": True,
        "vocab_size": config.vocabulary,
        "max_position_embeddings": config.positions,
        "d_model": config.width,
        **stacks,
        "activation_function": {"gelu_tanh": "gelu_new"}.get(config.activation, config.activation),
        "scale_embedding": config.embedding_scale != 1.0,
        "share_encoder_decoder_embeddings": True,
        "tie_word_embeddings": True,
        "decoder_start_token_id": config.start_token,
        "pad_token_id": config.pad_token,
        "eos_token_id": config.end_token,
        "forced_eos_token_id": config.end_token,
    }


def entries(config: ModelConfig) -> list[Entry]:
    """The name table."""
    return [
        Entry("model.shared.weight", (config.vocabulary, config.width), ("tokens.weight",)),
        Entry("final_logits_bias", (1, config.vocabulary), ("head.bias",), Reshaped((config.vocabulary,))),
        *_stack(config, "encoder", {"self_attention": "self_attn"}),
        *_stack(config, "decoder", {"self_attention": "self_attn", "cross_attention": "encoder_attn"}),
    ]


def _stack(config: ModelConfig, name: StackName, attentions: dict[str, str]) -> list[Entry]:
    width, stack = config.width, config.stack(name)
    table = []
    for layer in range(stack.layers):
        theirs, ours = f"model.{name}.layers.{layer}", f"{name}.blocks.{layer}"
        for our_part, their_part in attentions.items():
            for our_linear, their_linear in (
                ("query", "q_proj"),
                ("key", "k_proj"),
                ("value", "v_proj"),
                ("output", "out_proj"),
            ):
                table += linear_entries(
                    f"{theirs}.{their_part}.{their_linear}", (f"{ours}.{our_part}.{our_linear}",), width, width
                )
            table += norm_entries(f"{theirs}.{their_part}_layer_norm", f"{ours}.{our_part}_residual.norm", width)
        table += [
            *linear_entries(f"{theirs}.fc1", (f"{ours}.feedforward.expand",), width, stack.feedforward_width),
            *linear_entries(f"{theirs}.fc2", (f"{ours}.feedforward.contract",), stack.feedforward_width, width),
            *norm_entries(f"{theirs}.final_layer_norm", f"{ours}.feedforward_residual.norm", width),
        ]
    return table


def _constant(name: str, config: ModelConfig) -> Tensor | None:
    """Old files repeat the sinusoids, which every reader computes."""
    is_positions = name in ("model.encoder.embed_positions.weight", "model.decoder.embed_positions.weight")
    return sinusoids(config.positions, config.width) if is_positions else None


FAMILY = Family(
    model_types=("marian",),
    read_config=read_config,
    write_config=write_config,
    entries=entries,
    aliases=lambda config: dict.fromkeys(
        ("lm_head.weight", "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"),
        "model.shared.weight",
    ),
    constant=_constant,
)
