"""The head of a decoder's file: a matrix of its own, that of the tokens, or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelcore.checkpoints.config_file import Keys
from modelcore.checkpoints.mapping import Entry, Shape
from modelcore.config import HeadConfig, ModelConfig

_LANGUAGE_MODELS = ("ForCausalLM", "LMHeadModel", "DoubleHeadsModel")


def read_head(keys: Keys, shapes: Mapping[str, Shape], weight: str, *, tied: bool, **choices: Any) -> HeadConfig:
    """Scores of the vocabulary where the file has them, else hidden states.

    `weight` is the matrix's canonical name, `tied` what the family assumes, `choices` the rest of a HeadConfig.
    A bare model (`GPT2Model`) still speaks where its tokens are tied; one with another head (a classifier's,
    say) gives the hidden states that its head would read.
    """
    tied = keys.flag("tie_word_embeddings", tied)
    names = [str(name) for name in keys.values.get("architectures") or ()]
    speaks = weight in shapes or any(name.endswith(_LANGUAGE_MODELS) for name in names)
    other_head = any("For" in name for name in names)
    if speaks or (tied and not other_head):
        return HeadConfig(output="vocabulary", tied=tied, **choices)
    return HeadConfig(output="hidden", tied=False)


def write_head(config: ModelConfig, language_model: str, bare: str) -> dict[str, Any]:
    """The class that transformers opens the file with, and whether the tokens are tied."""
    speaks = config.head.output == "vocabulary"
    return {
        "architectures": [language_model if speaks else bare],
        "tie_word_embeddings": speaks and config.head.tied,
    }


def head_entries(config: ModelConfig, theirs: str) -> list[Entry]:
    """Matrix and bias, where they are the head's own."""
    head = config.head
    table = []
    if head.output == "vocabulary" and not head.tied:
        table.append(Entry(f"{theirs}.weight", (config.vocabulary, config.width), ("head.output.weight",)))
    if head.output == "vocabulary" and head.bias:
        table.append(Entry(f"{theirs}.bias", (config.vocabulary,), ("head.bias",)))
    return table


def head_aliases(config: ModelConfig, theirs: str, tokens: str) -> dict[str, str]:
    """The second name of the tokens' matrix where it is the head's too."""
    tied = config.head.output == "vocabulary" and config.head.tied
    return {f"{theirs}.weight": tokens} if tied else {}
