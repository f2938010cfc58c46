"""What the families share that grew out of Llama: names, sizes, windows.

    model.embed_tokens | model.layers.L.{input_layernorm, self_attn, post_attention_layernorm, mlp}
    | model.norm | lm_head

Source: `LlamaForCausalLM` in Hugging Face's transformers, and what Gemma 2, OLMo 2 and Qwen 3 add to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelcore.checkpoints.config_file import LAYER_LIMIT, Keys
from modelcore.checkpoints.decoder_head import head_aliases, head_entries, write_tokens
from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.mapping import Entry, linear_entries, norm_entries
from modelcore.checkpoints.rotary_keys import ROTARY_KEYS
from modelcore.config import Experts, ModelConfig, Pattern, StackConfig

TOKENS = "model.embed_tokens.weight"

_SIZE_KEYS = {
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "max_position_embeddings",
}
# Of training, or of how the outside implementation computes the same.
_IDLE_KEYS = {
    "attention_dropout",
    "resid_pdrop",
    "embd_pdrop",
    "hidden_dropout",
    "pretraining_tp",
    "cache_implementation",
    "router_aux_loss_coef",
    "router_jitter_noise",
    "output_router_logits",
}
_LAYER_TYPES = ("full_attention", "sliding_attention")

KNOWN_KEYS = _SIZE_KEYS | _IDLE_KEYS | ROTARY_KEYS | {"tie_word_embeddings"}


@dataclass(frozen=True)
class Sizes:
    """The sizes under Llama's keys."""

    vocabulary: int
    positions: int
    width: int
    layers: int
    heads: int
    key_heads: int
    head_width: int
    feedforward_width: int

    @classmethod
    def read(cls, keys: Keys) -> Sizes:
        """Raises: CheckpointError naming the key."""
        width, heads = keys.size("hidden_size"), keys.size("num_attention_heads")
        return cls(
            vocabulary=keys.size("vocab_size"),
            positions=keys.size("max_position_embeddings"),
            width=width,
            layers=keys.size("num_hidden_layers", limit=LAYER_LIMIT),
            heads=heads,
            key_heads=keys.size("num_key_value_heads", heads),
            head_width=keys.size("head_dim", max(1, width // heads)),
            feedforward_width=keys.size("intermediate_size"),
        )

    def stack(self, windows: Sequence[int | None], experts: Experts | None = None) -> StackConfig:
        """`windows`: of each layer, None where it sees everything."""
        patterns = tuple(Pattern(window=window) for window in windows)
        return StackConfig(
            layers=self.layers,
            heads=self.heads,
            feedforward_width=self.feedforward_width,
            key_heads=None if self.key_heads == self.heads else self.key_heads,
            head_width=None if self.head_width * self.heads == self.width else self.head_width,
            patterns=patterns if len(set(windows)) > 1 else patterns[: windows[0] is not None],
            experts=experts,
        )


def read_window(keys: Keys) -> int | None:
    """How many of the last keys are seen; None: all of them."""
    return None if keys.values.get("sliding_window") is None else keys.size("sliding_window")


def read_layer_windows(keys: Keys, layers: int, sees_window: Callable[[int], bool]) -> list[int | None]:
    """The window of each layer, by layer_types, or where there are none by what the family assumes of a layer."""
    types = keys.values.get("layer_types")
    if types is None:
        types = ["sliding_attention" if sees_window(layer) else "full_attention" for layer in range(layers)]
    if not isinstance(types, list) or len(types) < layers or not set(map(str, types)) <= set(_LAYER_TYPES):
        raise CheckpointError(
            f"config.json: layer_types must name one of {', '.join(_LAYER_TYPES)} for each of {layers} layers."
        )
    window = read_window(keys)
    if window is None and "sliding_attention" in types[:layers]:
        raise CheckpointError("config.json: layer_types asks for windows, but sliding_window gives no size.")
    return [window if kind == "sliding_attention" else None for kind in types[:layers]]


def write_sizes(config: ModelConfig) -> dict[str, Any]:
    """Sizes and special tokens under Llama's keys."""
    stack = config.stack("decoder")
    return {
        "vocab_size": config.vocabulary,
        "hidden_size": config.width,
        "intermediate_size": stack.feedforward_width,
        "num_hidden_layers": stack.layers,
        "num_attention_heads": stack.heads,
        "num_key_value_heads": stack.key_head_count,
        "head_dim": config.head_width(stack),
        "max_position_embeddings": config.positions,
        **write_tokens(config),
    }


def write_layer_windows(config: ModelConfig) -> dict[str, Any]:
    """layer_types and sliding_window: one size for all; other patterns are found out when the file is read back."""
    stack = config.stack("decoder")
    windows = [stack.pattern(layer).window for layer in range(stack.layers)]
    return {
        "layer_types": ["sliding_attention" if window else "full_attention" for window in windows],
        "sliding_window": next((window for window in windows if window), None),
    }


PartEntries = Callable[[ModelConfig, str, str], list[Entry]]


def attention_entries(config: ModelConfig, theirs: str, ours: str) -> list[Entry]:
    """Queries, keys, values and output apart."""
    stack, bias = config.stack("decoder"), config.attention_bias
    inner, key_inner = stack.heads * config.head_width(stack), stack.key_head_count * config.head_width(stack)
    return [
        *linear_entries(f"{theirs}.self_attn.q_proj", (f"{ours}.query",), config.width, inner, bias=bias),
        *linear_entries(f"{theirs}.self_attn.k_proj", (f"{ours}.key",), config.width, key_inner, bias=bias),
        *linear_entries(f"{theirs}.self_attn.v_proj", (f"{ours}.value",), config.width, key_inner, bias=bias),
        *linear_entries(
            f"{theirs}.self_attn.o_proj", (f"{ours}.output",), inner, config.width, bias=config.attention_output_bias
        ),
    ]


def feedforward_entries(config: ModelConfig, theirs: str, ours: str) -> list[Entry]:
    """The gated network: down(activation(gate x) · up x)."""
    width, inner, bias = config.width, config.stack("decoder").feedforward_width, config.feedforward_bias
    return [
        *linear_entries(f"{theirs}.mlp.gate_proj", (f"{ours}.gate",), width, inner, bias=bias),
        *linear_entries(f"{theirs}.mlp.up_proj", (f"{ours}.expand",), width, inner, bias=bias),
        *linear_entries(f"{theirs}.mlp.down_proj", (f"{ours}.contract",), inner, width, bias=bias),
    ]


# Which of our normalisations each of theirs is, by where a block is normalised.
_NORMS = {
    "pre": {
        "input_layernorm": "self_attention_residual.norm",
        "post_attention_layernorm": "feedforward_residual.norm",
    },
    "sandwich": {
        "input_layernorm": "self_attention_residual.norm",
        "post_attention_layernorm": "self_attention_residual.output_norm",
        "pre_feedforward_layernorm": "feedforward_residual.norm",
        "post_feedforward_layernorm": "feedforward_residual.output_norm",
    },
    "output": {
        "post_attention_layernorm": "self_attention_residual.output_norm",
        "post_feedforward_layernorm": "feedforward_residual.output_norm",
    },
}


def entries(
    config: ModelConfig,
    attention: PartEntries = attention_entries,
    feedforward: PartEntries = feedforward_entries,
) -> list[Entry]:
    """The name table."""

    def norm(theirs: str, ours: str, width: int) -> list[Entry]:
        return norm_entries(theirs, ours, width, bias=config.norm == "layer") if config.norm_weight else []

    stack = config.stack("decoder")
    table = [
        Entry(TOKENS, (config.vocabulary, config.width), ("tokens.weight",)),
        *norm("model.norm", "decoder.norm", config.width),
        *head_entries(config, "lm_head"),
    ]
    per_head = config.qk_norm == "head"
    for layer in range(stack.layers):
        theirs, ours = f"model.layers.{layer}", f"decoder.blocks.{layer}"
        table += attention(config, theirs, f"{ours}.self_attention")
        if config.qk_norm:
            for name, part, heads in (
                ("q_norm", "query_norm", stack.heads),
                ("k_norm", "key_norm", stack.key_head_count),
            ):
                width = config.head_width(stack) * (1 if per_head else heads)
                table += norm(f"{theirs}.self_attn.{name}", f"{ours}.self_attention.{part}", width)
        table += feedforward(config, theirs, f"{ours}.feedforward")
        for name, part in _NORMS.get(config.norm_placement, {}).items():
            table += norm(f"{theirs}.{name}", f"{ours}.{part}", config.width)
    return table


def aliases(config: ModelConfig) -> Mapping[str, str]:
    return head_aliases(config, "lm_head", TOKENS)


def with_prefix(name: str) -> str:
    """Files of the bare model leave the prefix out; we add it."""
    return f"model.{name}" if name.startswith(("embed_tokens.", "layers.", "norm.", "final_layernorm.")) else name


def is_ignored(name: str) -> bool:
    """Frequencies that old files repeat, and that follow from the configuration."""
    return name.endswith("rotary_emb.inv_freq")
