"""GPT-2: a pre-norm decoder with learned positions, biases and, as a rule, tied embeddings.

Source: Radford et al. 2019; layout of `GPT2LMHeadModel` in Hugging Face's transformers, whose
linear weights are stored as (input, output).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelcore.checkpoints.config_file import ACTIVATION_NAMES, ACTIVATIONS, LAYER_LIMIT, Keys
from modelcore.checkpoints.decoder_head import head_aliases, head_entries, read_head, write_head
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
_TOKENS = "transformer.wte.weight"


def read_config(values: Mapping[str, Any], shapes: Mapping[str, Shape]) -> ModelConfig:
    """`config.json` as a ModelConfig. Raises: CheckpointError naming the key."""
    keys = Keys(values)
    keys.refuse_unknown(_KNOWN_KEYS)
    keys.require("add_cross_attention", False)
    width, vocabulary = keys.size("n_embd", 768), keys.size("vocab_size", 50257)
    scaled, by_layer = keys.flag("scale_attn_weights", True), keys.flag("scale_attn_by_inverse_layer_idx", False)
    return ModelConfig(
        vocabulary=vocabulary,
        positions=keys.size("n_positions", 1024),
        width=width,
        decoder=StackConfig(
            keys.size("n_layer", 12, LAYER_LIMIT), keys.size("n_head", 12), keys.size("n_inner", 4 * width)
        ),
        head=read_head(keys, shapes, "lm_head.weight", tied=True),
        position_encoding="learned",
        # Divided by the layer, plain products are scaled ones whose scale is 1.
        score="scaled_dot" if scaled or by_layer else "dot",
        attention_scale=1.0 if by_layer and not scaled else None,
        scale_by_layer=by_layer,
        norm_placement="pre",
        norm_epsilon=keys.number("layer_norm_epsilon", 1e-5),
        activation=keys.choice("activation_function", "gelu_new", ACTIVATIONS),
        end_token=keys.token("eos_token_id", vocabulary),
    )


def write_config(config: ModelConfig) -> dict[str, Any]:
    """The `config.json` of a model of this family."""
    stack = config.stack("decoder")
    scaled = config.attention_scale in (None, config.head_width(stack) ** -0.5)
    return {
        "model_type": "gpt2",
        **write_head(config, "GPT2LMHeadModel", "GPT2Model"),
        "vocab_size": config.vocabulary,
        "n_positions": config.positions,
        "n_embd": config.width,
        "n_layer": stack.layers,
        "n_head": stack.heads,
        "n_inner": stack.feedforward_width,
        "activation_function": ACTIVATION_NAMES[config.activation],
        "layer_norm_epsilon": config.norm_epsilon,
        "scale_attn_weights": config.score == "scaled_dot" and scaled,
        "scale_attn_by_inverse_layer_idx": config.scale_by_layer,
        "bos_token_id": config.end_token,
        "eos_token_id": config.end_token,
    }


def entries(config: ModelConfig) -> list[Entry]:
    """The name table."""
    width, inner = config.width, config.stack("decoder").feedforward_width
    table = [
        Entry(_TOKENS, (config.vocabulary, width), ("tokens.weight",)),
        Entry("transformer.wpe.weight", (config.positions, width), ("decoder_embedding.positions.weight",)),
        *norm_entries("transformer.ln_f", "decoder.norm", width),
        *head_entries(config, "lm_head"),
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
    return f"transformer.{name}" if name.startswith(("wte.", "wpe.", "h.", "ln_f.")) else name


FAMILY = Family(
    model_types=("gpt2",),
    read_config=read_config,
    write_config=write_config,
    entries=entries,
    aliases=lambda config: head_aliases(config, "lm_head", _TOKENS),
    is_ignored=lambda name: name.endswith((".attn.bias", ".attn.masked_bias")),
    canonical=_with_prefix,
)
