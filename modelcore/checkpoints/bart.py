"""BART, mBART and Marian: the original Transformer's encoder-decoder, whose parts differ by a few fields.

    marian  post-norm, sinusoidal positions
    bart    post-norm, learned positions from row 2 on, the embeddings normalised
    mbart   the same, pre-norm

Source: Vaswani et al. 2017; Junczys-Dowmunt et al. 2018 (Marian); Lewis et al. 2019 (arXiv 1910.13461); Liu et
al. 2020 (2001.08210); layout of the classes of these names in Hugging Face's transformers, which keep a bias
over the logits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from modelcore.checkpoints.config_file import ACTIVATION_NAMES, ACTIVATIONS, LAYER_LIMIT, Keys
from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.mapping import Entry, Family, Reshaped, Shape, linear_entries, norm_entries
from modelcore.config import HeadConfig, ModelConfig, NormPlacement, PositionEncoding, StackConfig, StackName
from modelcore.layers.positional import sinusoids

# The table of sinusoids is computed, so no stored shape bounds it.
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
    "force_bos_token_to_be_generated",
    "output_past",
    "save_step",
    "replacing_rate",
    "student_encoder_layers",
    "student_decoder_layers",
}


@dataclass(frozen=True)
class _Kind:
    """What the `model_type` decides, and the sizes where config.json does not say; `classes`: speaking, bare."""

    classes: tuple[str, str]
    vocabulary: int
    position_encoding: PositionEncoding
    norm_placement: NormPlacement
    position_offset: int = 0

    @property
    def embedding_norm(self) -> bool:
        return self.position_encoding == "learned"

    @property
    def final_norm(self) -> bool:
        return self.norm_placement == "pre"


_KINDS = {
    "marian": _Kind(("MarianMTModel", "MarianModel"), 58101, "sinusoidal", "post"),
    "bart": _Kind(("BartForConditionalGeneration", "BartModel"), 50265, "learned", "post", position_offset=2),
    "mbart": _Kind(("MBartForConditionalGeneration", "MBartModel"), 50265, "learned", "pre", position_offset=2),
}

_LOGITS_BIAS = "final_logits_bias"


def read_config(values: Mapping[str, Any], shapes: Mapping[str, Shape]) -> ModelConfig:
    """`config.json` as a ModelConfig. Raises: CheckpointError naming the key."""
    keys = Keys(values)
    keys.refuse_unknown(_KNOWN_KEYS)
    kind = _KINDS[str(values["model_type"])]
    vocabulary, width = keys.size("vocab_size", kind.vocabulary), keys.size("d_model", 1024)
    for key, only in (
        ("share_encoder_decoder_embeddings", True),
        ("tie_word_embeddings", True),
        ("static_position_embeddings", kind.position_encoding == "sinusoidal"),
        ("normalize_before", kind.norm_placement == "pre"),
        ("normalize_embedding", kind.embedding_norm),
        ("add_final_layer_norm", kind.final_norm),
        ("add_bias_logits", False),
        ("decoder_vocab_size", vocabulary),
    ):
        keys.require(key, only)
    start = keys.token("decoder_start_token_id")
    if start is None and kind.norm_placement == "pre":
        start = keys.token("eos_token_id")  # mBART begins with it, then names the language.
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
        position_encoding=kind.position_encoding,
        position_offset=kind.position_offset,
        width=width,
        encoder=stack("encoder"),
        decoder=stack("decoder"),
        norm_placement=kind.norm_placement,
        embedding_norm=kind.embedding_norm,
        final_norm=kind.final_norm,
        activation=keys.choice("activation_function", "gelu", ACTIVATIONS),
        embedding_scale=width**0.5 if keys.flag("scale_embedding", False) else 1.0,
        head=_head(kind, keys, shapes),
        start_token=start,
        end_token=keys.token("eos_token_id"),
        pad_token=keys.token("pad_token_id"),
    )


def _head(kind: _Kind, keys: Keys, shapes: Mapping[str, Shape]) -> HeadConfig:
    """Where config.json names no class, the file is taken for that of a model that speaks."""
    speaks, bare = kind.classes
    classes = keys.values.get("architectures") or [speaks]
    if not isinstance(classes, list) or classes[0] not in kind.classes:
        raise CheckpointError(
            f"config.json: architectures {str(classes)[:60]} is not supported; known are {', '.join(kind.classes)}."
        )
    return HeadConfig(output="hidden", tied=False) if classes[0] == bare else HeadConfig(bias=_LOGITS_BIAS in shapes)


def write_config(config: ModelConfig) -> dict[str, Any]:
    """The `config.json` of a model of this family."""
    stacks: dict[str, int] = {}
    for name, stack in config.stacks.items():
        stacks |= {
            f"{name}_layers": stack.layers,
            f"{name}_attention_heads": stack.heads,
            f"{name}_ffn_dim": stack.feedforward_width,
        }
    choices = (config.position_encoding, config.norm_placement)
    # Where none has both, the first: who saves compares what is read back.
    model_type, kind = next(
        ((name, kind) for name, kind in _KINDS.items() if (kind.position_encoding, kind.norm_placement) == choices),
        ("marian", _KINDS["marian"]),
    )
    return {
        "architectures": [kind.classes[config.head.output == "hidden"]],
        "model_type": model_type,
        "is_encoder_decoder": True,
        "vocab_size": config.vocabulary,
        "max_position_embeddings": config.positions,
        "d_model": config.width,
        **stacks,
        "activation_function": ACTIVATION_NAMES[config.activation],
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
    vocabulary = config.vocabulary
    table = [Entry("model.shared.weight", (vocabulary, config.width), ("tokens.weight",))]
    if config.head.bias:
        table.append(Entry(_LOGITS_BIAS, (1, vocabulary), ("head.bias",), Reshaped((vocabulary,))))
    return [
        *table,
        *_stack(config, "encoder", {"self_attention": "self_attn"}),
        *_stack(config, "decoder", {"self_attention": "self_attn", "cross_attention": "encoder_attn"}),
    ]


def _stack(config: ModelConfig, name: StackName, attentions: dict[str, str]) -> list[Entry]:
    width, stack = config.width, config.stack(name)
    table = []
    if config.position_encoding == "learned":
        shape = (config.positions + config.position_offset, width)
        table.append(Entry(f"model.{name}.embed_positions.weight", shape, (f"{name}_embedding.positions.weight",)))
    if config.embedding_norm:
        table += norm_entries(f"model.{name}.layernorm_embedding", f"{name}_embedding.norm", width)
    if config.final_norm:
        table += norm_entries(f"model.{name}.layer_norm", f"{name}.norm", width)
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
    """Old files of Marian repeat the sinusoids, which every reader computes."""
    positions = ("model.encoder.embed_positions.weight", "model.decoder.embed_positions.weight")
    is_computed = config.position_encoding == "sinusoidal" and name in positions
    return sinusoids(config.positions, config.width) if is_computed else None


def _aliases(config: ModelConfig) -> dict[str, str]:
    names = ["model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"]
    tied = ["lm_head.weight"] if config.head.output == "vocabulary" else []
    return dict.fromkeys(names + tied, "model.shared.weight")


def _canonical(name: str) -> str:
    """A bare model's file leaves the prefix out; we add it."""
    return f"model.{name}" if name.startswith(("shared.", "encoder.", "decoder.")) else name


FAMILY = Family(
    model_types=tuple(_KINDS),
    read_config=read_config,
    write_config=write_config,
    entries=entries,
    aliases=_aliases,
    constant=_constant,
    canonical=_canonical,
)
