"""What every decoder's file says alike: its special tokens, and its head: tied to the tokens, its own, or none."""

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
    classes = keys.values.get("architectures")
    names = [str(name) for name in classes] if isinstance(classes, list) else []
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


def read_tokens(keys: Keys, vocabulary: int) -> dict[str, Any]:
    """The special tokens, as fields of a ModelConfig; None where one lies outside the vocabulary."""
    return {
        "start_token": keys.token("bos_token_id", vocabulary),
        "end_token": keys.token("eos_token_id", vocabulary),
        "pad_token": keys.token("pad_token_id", vocabulary),
    }


def write_tokens(config: ModelConfig) -> dict[str, int | None]:
    """The special tokens as config.json names them."""
    return {
        "bos_token_id": config.start_token,
        "eos_token_id": config.end_token,
        "pad_token_id": config.pad_token,
    }
