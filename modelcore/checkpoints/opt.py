"""OPT: learned positions from the table's third row on; pre-norm or post-norm; tokens that may be narrower.

Source: Zhang et al. 2022 (arXiv 2205.01068); layout of `OPTForCausalLM` in Hugging Face's transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelcore.checkpoints.config_file import ACTIVATION_NAMES, ACTIVATIONS, LAYER_LIMIT, Keys
from modelcore.checkpoints.decoder_head import (
    head_aliases,
    head_entries,
    read_head,
    read_tokens,
    write_head,
    write_tokens,
)
from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.mapping import Entry, Family, Shape, linear_entries, norm_entries
from modelcore.config import ModelConfig, StackConfig

_KNOWN_KEYS = {
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "ffn_dim",
    "max_position_embeddings",
    "do_layer_norm_before",
    "word_embed_proj_dim",
    "num_attention_heads",
    "activation_function",
    "enable_bias",
    "layer_norm_elementwise_affine",
    "tie_word_embeddings",
    "learned_embeddings",
    "scale_embeddings",
    "dropout",
    "attention_dropout",
    "activation_dropout",
    "layerdrop",
}
_TOKENS = "model.decoder.embed_tokens.weight"
# The table's first rows belong to no position.
_POSITION_OFFSET = 2


def read_config(values: Mapping[str, Any], shapes: Mapping[str, Shape]) -> ModelConfig:
    """`config.json` as a ModelConfig. Raises: CheckpointError naming the key."""
    keys = Keys(values)
    keys.refuse_unknown(_KNOWN_KEYS)
    keys.require("learned_embeddings", True)
    keys.require("scale_embeddings", False)
    width, vocabulary = keys.size("hidden_size", 768), keys.size("vocab_size", 50272)
    narrow = keys.size("word_embed_proj_dim", width)
    head = read_head(keys, shapes, "lm_head.weight", tied=True, **({} if narrow == width else _PROJECTED))
    if narrow != width and not head.tied:
        raise CheckpointError(
            f"config.json: word_embed_proj_dim {narrow} beside hidden_size {width} is supported only with a head "
            "that is tied to the tokens."
        )
    pre = keys.flag("do_layer_norm_before", True)
    affine, biased = keys.flag("layer_norm_elementwise_affine", True), keys.flag("enable_bias", True)
    return ModelConfig(
        vocabulary=vocabulary,
        positions=keys.size("max_position_embeddings", 2048),
        width=width,
        decoder=StackConfig(
            keys.size("num_hidden_layers", 12, LAYER_LIMIT),
            keys.size("num_attention_heads", 12),
            keys.size("ffn_dim", 3072),
        ),
        head=head,
        embedding_width=None if narrow == width else narrow,
        position_encoding="learned",
        position_offset=_POSITION_OFFSET,
        attention_bias=biased,
        attention_output_bias=biased,
        norm_placement="pre" if pre else "post",
        norm_bias=affine,
        norm_weight=affine,
        final_norm=pre and not keys.flag("_remove_final_layer_norm", False),
        activation=keys.choice("activation_function", "relu", ACTIVATIONS),
        feedforward_bias=biased,
        **read_tokens(keys, vocabulary),
    )


# The hidden states go back to the tokens' width before they meet the tokens.
_PROJECTED: dict[str, Any] = {"transform": True, "transform_bias": False}


def write_config(config: ModelConfig) -> dict[str, Any]:
    """The `config.json` of a model of this family."""
    stack, pre = config.stack("decoder"), config.norm_placement == "pre"
    return {
        "model_type": "opt",
        **write_head(config, "OPTForCausalLM", "OPTModel"),
        "vocab_size": config.vocabulary,
        "hidden_size": config.width,
        "num_hidden_layers": stack.layers,
        "num_attention_heads": stack.heads,
        "ffn_dim": stack.feedforward_width,
        "max_position_embeddings": config.positions,
        "word_embed_proj_dim": config.token_width,
        "do_layer_norm_before": pre,
        "_remove_final_layer_norm": pre and not config.final_norm,
        "enable_bias": config.feedforward_bias,
        "layer_norm_elementwise_affine": config.norm_weight,
        "activation_function": ACTIVATION_NAMES[config.activation],
        **write_tokens(config),
    }


def entries(config: ModelConfig) -> list[Entry]:
    """The name table."""
    stack, width, narrow = config.stack("decoder"), config.width, config.token_width
    rows, inner, bias = config.positions + config.position_offset, stack.feedforward_width, config.feedforward_bias

    def norm(theirs: str, ours: str) -> list[Entry]:
        return norm_entries(theirs, ours, width) if config.norm_weight else []

    decoder = "model.decoder"
    table = [
        Entry(_TOKENS, (config.vocabulary, narrow), ("tokens.weight",)),
        Entry(f"{decoder}.embed_positions.weight", (rows, width), ("decoder_embedding.positions.weight",)),
        *(norm(f"{decoder}.final_layer_norm", "decoder.norm") if config.final_norm else []),
        *head_entries(config, "lm_head"),
    ]
    if narrow != width:
        table += linear_entries(f"{decoder}.project_in", ("decoder_embedding.projection",), narrow, width, bias=False)
        table += linear_entries(f"{decoder}.project_out", ("head.transform",), width, narrow, bias=False)
    for layer in range(stack.layers):
        theirs, ours = f"{decoder}.layers.{layer}", f"decoder.blocks.{layer}"
        for name, part in (("q_proj", "query"), ("k_proj", "key"), ("v_proj", "value"), ("out_proj", "output")):
            table += linear_entries(
                f"{theirs}.self_attn.{name}", (f"{ours}.self_attention.{part}",), width, width, bias=bias
            )
        table += [
            *norm(f"{theirs}.self_attn_layer_norm", f"{ours}.self_attention_residual.norm"),
            *linear_entries(f"{theirs}.fc1", (f"{ours}.feedforward.expand",), width, inner, bias=bias),
            *linear_entries(f"{theirs}.fc2", (f"{ours}.feedforward.contract",), inner, width, bias=bias),
            *norm(f"{theirs}.final_layer_norm", f"{ours}.feedforward_residual.norm"),
        ]
    return table


def _with_prefix(name: str) -> str:
    """Files of the bare `OPTModel` leave "model." out; we add it."""
    return f"model.{name}" if name.startswith("decoder.") else name


FAMILY = Family(
    model_types=("opt",),
    read_config=read_config,
    write_config=write_config,
    entries=entries,
    aliases=lambda config: head_aliases(config, "lm_head", _TOKENS),
    canonical=_with_prefix,
)
