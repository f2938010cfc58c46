"""BERT and its kin: a post-norm encoder with learned positions, and one of several heads.

RoBERTa counts positions from behind the padding token's row, DistilBERT has no segments, ELECTRA may have
narrow token vectors; the rest are names, which `bert_spelling` holds. The head is told by `architectures`.

Source: Devlin et al. 2018 (arXiv 1810.04805); Liu et al. 2019 (1907.11692); Sanh et al. 2019 (1910.01108);
Clark et al. 2020 (2003.10555).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from modelcore.checkpoints.bert_spelling import SPELLINGS, HeadSpelling, Spelling
from modelcore.checkpoints.config_file import ACTIVATION_NAMES, ACTIVATIONS, LAYER_LIMIT, Keys, label_names
from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.mapping import Entry, Family, Shape, linear_entries, norm_entries
from modelcore.config import Activation, HeadConfig, ModelConfig, StackConfig

_KNOWN_KEYS = {
    *(key for spelling in SPELLINGS for key, _ in spelling.keys.values()),
    "vocab_size",
    "max_position_embeddings",
    "type_vocab_size",
    "embedding_size",
    "layer_norm_eps",
    "position_embedding_type",
    "add_cross_attention",
    "tie_word_embeddings",
    "sinusoidal_pos_embds",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "classifier_dropout",
    "dropout",
    "attention_dropout",
    "qa_dropout",
    "seq_classif_dropout",
    "tie_weights_",
    "output_past",
    # Of a pooler that no class of transformers builds.
    "directionality",
    "pooler_fc_size",
    "pooler_num_attention_heads",
    "pooler_num_fc_layers",
    "pooler_size_per_head",
    "pooler_type",
    # Of heads that we refuse.
    "summary_type",
    "summary_use_proj",
    "summary_activation",
    "summary_last_dropout",
}

# What stands first in the names of a bare model's file, which lack the prefix.
_BARE = ("embeddings.", "embeddings_project.", "encoder.", "transformer.", "pooler.")

_EPSILON = 1e-12


def read_config(spelling: Spelling, values: Mapping[str, Any], shapes: Mapping[str, Shape]) -> ModelConfig:
    """`config.json` as a ModelConfig. Raises: CheckpointError naming the key."""
    keys = Keys(values)
    keys.refuse_unknown(_KNOWN_KEYS)
    keys.require("position_embedding_type", "absolute")
    keys.require("is_decoder", False)
    keys.require("add_cross_attention", False)
    width, heads, inner = (keys.size(*spelling.keys[name]) for name in ("width", "heads", "feedforward_width"))
    vocabulary, rows = keys.size("vocab_size", 30522), keys.size("max_position_embeddings", 512)
    padding = keys.token("pad_token_id")
    offset = 0
    if spelling.padding is not None:
        offset = 1 + (spelling.padding if padding is None else padding)
    if rows <= offset:
        raise CheckpointError(
            f"config.json: max_position_embeddings {rows} leaves no position behind the padding token's, {offset - 1}."
        )
    embedding_width = keys.size("embedding_size", spelling.embedding_width) if spelling.embedding_width else None
    activation = keys.choice(*spelling.keys["activation"], ACTIVATIONS)
    return ModelConfig(
        vocabulary=vocabulary,
        positions=rows - offset,
        position_offset=offset,
        width=width,
        encoder=StackConfig(keys.size(*spelling.keys["layers"], LAYER_LIMIT), heads, inner),
        head=_head_config(spelling, keys, shapes, activation),
        embedding_width=None if embedding_width == width else embedding_width,
        embedding_projection="sum",
        embedding_projection_bias=True,
        embedding_norm=True,
        token_types=keys.size("type_vocab_size", 2) if spelling.has_token_types else 0,
        norm_placement="post",
        norm_epsilon=keys.number("layer_norm_eps", _EPSILON),
        final_norm=False,
        activation=activation,
        pad_token=keys.token("pad_token_id", vocabulary),
    )


def _head_config(spelling: Spelling, keys: Keys, shapes: Mapping[str, Shape], activation: Activation) -> HeadConfig:
    head = _head_of_class(spelling, keys.values.get("architectures"), shapes)
    if head.read == "hidden":
        return HeadConfig(output="hidden")
    speaks = head.read == "vocabulary"
    return HeadConfig(
        output=head.read,
        classes=0 if speaks else head.classes or keys.labels(),
        tied=speaks and keys.flag("tie_word_embeddings", True),
        bias=True,
        transform=bool(head.transform),
        transform_activation=(head.activation or activation) if head.transform else None,
        transform_norm=bool(head.norm),
    )


def _head_of_class(spelling: Spelling, classes: Any, shapes: Mapping[str, Shape]) -> HeadSpelling:
    """Where config.json names no class: the head that guesses masked tokens if it is stored, or none."""
    if not classes:
        speaks, *_, hidden = spelling.heads
        return speaks if f"{speaks.transform}.weight" in shapes else hidden
    known = {f"{spelling.class_prefix}{name}": head for head in spelling.heads for name in head.written_as}
    if not isinstance(classes, list) or not isinstance(classes[0], str) or classes[0] not in known:
        raise CheckpointError(
            f"config.json: architectures {str(classes)[:60]} is not supported; known are {', '.join(known)}."
        )
    return known[classes[0]]


def _head(spelling: Spelling, config: ModelConfig) -> HeadSpelling:
    """Raises: ValueError if this `model_type` has no such head."""
    for head in spelling.heads:
        if head.read == config.head.output and bool(head.transform) == config.head.transform:
            return head
    raise ValueError(f"{spelling.model_type} has no head that gives {config.head.output}.")


def write_config(spelling: Spelling, config: ModelConfig) -> dict[str, Any]:
    """The `config.json` of a model of this family."""
    stack = config.stack("encoder")
    settings = {
        "width": config.width,
        "layers": stack.layers,
        "heads": stack.heads,
        "feedforward_width": stack.feedforward_width,
        "activation": ACTIVATION_NAMES[config.activation],
    }
    values: dict[str, Any] = {
        "architectures": [spelling.class_prefix + _head(spelling, config).written_as[0]],
        "model_type": spelling.model_type,
        "vocab_size": config.vocabulary,
        "max_position_embeddings": config.positions + config.position_offset,
        "layer_norm_eps": config.norm_epsilon,
        "pad_token_id": config.pad_token if spelling.padding is None else config.position_offset - 1,
        "tie_word_embeddings": config.head.tied or config.head.output != "vocabulary",
    }
    values |= {spelling.keys[name][0]: value for name, value in settings.items()}
    if spelling.has_token_types:
        values["type_vocab_size"] = config.token_types
    if spelling.embedding_width is not None:
        values["embedding_size"] = config.token_width
    return values | label_names(config.head.classes)


def entries(spelling: Spelling, config: ModelConfig) -> list[Entry]:
    """The name table."""
    width, token_width = config.width, config.token_width
    stack, embeddings = config.stack("encoder"), f"{spelling.prefix}.embeddings"
    rows = {
        "word": (config.vocabulary, "tokens.weight"),
        "position": (config.positions + config.position_offset, "encoder_embedding.positions.weight"),
        "token_type": (config.token_types, "encoder_embedding.token_types.weight"),
    }
    table = [
        Entry(f"{embeddings}.{name}_embeddings.weight", (count, token_width), (ours,))
        for name, (count, ours) in rows.items()
        if count
    ]
    table += norm_entries(f"{embeddings}.LayerNorm", "encoder_embedding.norm", token_width)
    if config.embedding_width is not None:
        projection = f"{spelling.prefix}.embeddings_project"
        table += linear_entries(projection, ("encoder_embedding.projection",), token_width, width)
    sizes = {
        "feedforward.expand": (width, stack.feedforward_width),
        "feedforward.contract": (stack.feedforward_width, width),
    }
    for layer in range(stack.layers):
        for ours, theirs in spelling.block.items():
            names = f"{spelling.prefix}.{spelling.layers}.{layer}.{theirs}", f"encoder.blocks.{layer}.{ours}"
            if ours.endswith("norm"):
                table += norm_entries(*names, width)
            else:
                table += linear_entries(names[0], (names[1],), *sizes.get(ours, (width, width)))
    return table + _head_entries(_head(spelling, config), config)


def _head_entries(head: HeadSpelling, config: ModelConfig) -> list[Entry]:
    table: list[Entry] = []
    speaks = head.read == "vocabulary"
    width = config.token_width if speaks and config.head.tied else config.width
    if config.head.transform:
        table += linear_entries(head.transform, ("head.transform",), config.width, width)
    if config.head.transform_norm:
        table += norm_entries(head.norm, "head.norm", width)
    outputs = config.vocabulary if speaks else config.head.classes
    if speaks and config.head.tied:
        return [*table, Entry(f"{head.output}.bias", (outputs,), ("head.bias",))]
    if head.read != "hidden":
        # An untied matrix has its own bias beside it; `output`'s is then stored, and not read.
        name = head.tied or head.output
        table.append(Entry(f"{name}.weight", (outputs, width), ("head.output.weight",)))
        table.append(Entry(f"{name}.bias", (outputs,), ("head.bias",)))
    return table


def _aliases(spelling: Spelling, config: ModelConfig) -> dict[str, str]:
    head = _head(spelling, config)
    if head.read != "vocabulary" or not config.head.tied:
        return {}
    names = {f"{head.tied}.weight": f"{spelling.prefix}.embeddings.word_embeddings.weight"}
    return names if head.tied == head.output else names | {f"{head.tied}.bias": f"{head.output}.bias"}


def _canonical(spelling: Spelling, name: str) -> str:
    """Old files say gamma and beta; a question answerer is a classifier of tokens, under another name."""
    for old, new in ((".gamma", ".weight"), (".beta", ".bias")):
        name = name.removesuffix(old) + new if name.endswith(old) else name
    if name.startswith("qa_outputs."):
        name = f"classifier.{name.removeprefix('qa_outputs.')}"
    return f"{spelling.prefix}.{name}" if name.startswith(_BARE) else name


FAMILIES = tuple(
    Family(
        model_types=(spelling.model_type,),
        read_config=partial(read_config, spelling),
        write_config=partial(write_config, spelling),
        entries=partial(entries, spelling),
        aliases=partial(_aliases, spelling),
        is_ignored=lambda name: name.endswith((".embeddings.position_ids", ".embeddings.token_type_ids")),
        canonical=partial(_canonical, spelling),
    )
    for spelling in SPELLINGS
)
