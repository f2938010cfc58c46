"""GPT-NeoX: partly rotary, attention and feed-forward in parallel or in turn, projections fused head by head.

Source: Black et al. 2022 (arXiv 2204.06745); layout of `GPTNeoXForCausalLM` in Hugging Face's transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelcore.checkpoints.config_file import ACTIVATION_NAMES, ACTIVATIONS, Keys
from modelcore.checkpoints.decoder_head import head_aliases, head_entries, read_head, read_tokens, write_head
from modelcore.checkpoints.mapping import Entry, Family, Interleaved, Shape, linear_entries, norm_entries
from modelcore.checkpoints.rotary_decoder import Sizes, write_sizes
from modelcore.checkpoints.rotary_keys import ROTARY_KEYS, RotaryDefaults, read_rotary, write_portion, write_rotary
from modelcore.config import ModelConfig

# What transformers assumes where config.json is silent.
_DEFAULTS: dict[str, Any] = {
    "vocab_size": 50_432,
    "hidden_size": 6144,
    "intermediate_size": 24_576,
    "num_hidden_layers": 44,
    "num_attention_heads": 64,
    "max_position_embeddings": 2048,
}
_KNOWN_KEYS = {
    *_DEFAULTS,
    *ROTARY_KEYS,
    "rotary_pct",
    "rotary_emb_base",
    "hidden_act",
    "layer_norm_eps",
    "use_parallel_residual",
    "attention_bias",
    "tie_word_embeddings",
    "attention_dropout",
    "hidden_dropout",
    "attention_probs_dropout_prob",
    "hidden_dropout_prob",
    "classifier_dropout",
}
_ROTARY = RotaryDefaults(portion=0.25)
# Its own names of what the other families call rope_theta and partial_rotary_factor.
_ROTARY_NAMES = {"rotary_emb_base": "rope_theta", "rotary_pct": "partial_rotary_factor"}
_TOKENS = "gpt_neox.embed_in.weight"


def read_config(values: Mapping[str, Any], shapes: Mapping[str, Shape]) -> ModelConfig:
    """`config.json` as a ModelConfig. Raises: CheckpointError naming the key."""
    keys = Keys(_DEFAULTS | dict(values))
    keys.refuse_unknown(_KNOWN_KEYS)
    sizes = Sizes.read(keys)
    rotary_keys = Keys({_ROTARY_NAMES.get(key, key): value for key, value in keys.values.items()})
    biased = keys.flag("attention_bias", True)
    return ModelConfig(
        vocabulary=sizes.vocabulary,
        positions=sizes.positions,
        width=sizes.width,
        decoder=sizes.stack([None] * sizes.layers),
        head=read_head(keys, shapes, "embed_out.weight", tied=False),
        position_encoding="rotary",
        rotary=read_rotary(rotary_keys, sizes.positions, sizes.head_width, _ROTARY),
        attention_bias=biased,
        attention_output_bias=biased,
        norm_epsilon=keys.number("layer_norm_eps", 1e-5),
        parallel=keys.flag("use_parallel_residual", True),
        activation=keys.choice("hidden_act", "gelu", ACTIVATIONS),
        **read_tokens(keys, sizes.vocabulary),
    )


def write_config(config: ModelConfig) -> dict[str, Any]:
    """The `config.json` of a model of this family."""
    head_width = config.head_width(config.stack("decoder"))
    sizes, rotary = write_sizes(config), write_rotary(config.rotary)
    return {
        "model_type": "gpt_neox",
        **write_head(config, "GPTNeoXForCausalLM", "GPTNeoXModel"),
        **{key: sizes[key] for key in sizes if key not in ("num_key_value_heads", "head_dim")},
        "rope_scaling": rotary["rope_scaling"],
        "rotary_emb_base": rotary["rope_theta"],
        "rotary_pct": write_portion(config.rotary, head_width),
        "hidden_act": ACTIVATION_NAMES[config.activation],
        "layer_norm_eps": config.norm_epsilon,
        "use_parallel_residual": config.parallel,
        "attention_bias": config.attention_bias,
    }


def entries(config: ModelConfig) -> list[Entry]:
    """The name table."""
    stack, width, bias = config.stack("decoder"), config.width, config.attention_bias
    by_head = Interleaved(stack.heads)
    table = [
        Entry(_TOKENS, (config.vocabulary, width), ("tokens.weight",)),
        *norm_entries("gpt_neox.final_layer_norm", "decoder.norm", width),
        *head_entries(config, "embed_out"),
    ]
    for layer in range(stack.layers):
        theirs, ours = f"gpt_neox.layers.{layer}", f"decoder.blocks.{layer}"
        attends = f"{ours}.self_attention"
        fused = (f"{attends}.query", f"{attends}.key", f"{attends}.value")
        inner, wide = f"{ours}.feedforward", stack.feedforward_width
        table += [
            *norm_entries(f"{theirs}.input_layernorm", f"{ours}.self_attention_residual.norm", width),
            *norm_entries(f"{theirs}.post_attention_layernorm", f"{ours}.feedforward_residual.norm", width),
            *linear_entries(f"{theirs}.attention.query_key_value", fused, width, 3 * width, bias=bias, layout=by_head),
            *linear_entries(f"{theirs}.attention.dense", (f"{attends}.output",), width, width, bias=bias),
            *linear_entries(f"{theirs}.mlp.dense_h_to_4h", (f"{inner}.expand",), width, wide),
            *linear_entries(f"{theirs}.mlp.dense_4h_to_h", (f"{inner}.contract",), wide, width),
        ]
    return table


def _canonical(name: str) -> str:
    """Adds the prefix that files of the bare model leave out, and gives the head its name on disk."""
    if name.startswith(("embed_in.", "layers.", "final_layer_norm.")):
        return f"gpt_neox.{name}"
    return "embed_out.weight" if name == "lm_head.weight" else name


FAMILY = Family(
    model_types=("gpt_neox",),
    read_config=read_config,
    write_config=write_config,
    entries=entries,
    aliases=lambda config: head_aliases(config, "embed_out", _TOKENS),
    is_ignored=lambda name: name.endswith((".attention.bias", ".attention.masked_bias", "rotary_emb.inv_freq")),
    canonical=_canonical,
)
