"""Makes a vocabulary: byte-level pieces learned from texts, or words that are given."""

from __future__ import annotations

from collections.abc import Iterable

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from modelcore.tokenizer.tokenizer import Tokenizer

GPT2_END_OF_TEXT = "<|endoftext|>"


def train_byte_level_bpe(
    texts: Iterable[str],
    vocabulary: int,
    *,
    special: Iterable[str] = (),
    lowercase: bool = False,
    digits_apart: bool = False,
    end_token: str | None = None,
) -> Tokenizer:
    """Learns byte-level BPE (Sennrich et al. 2016 over bytes, as in GPT-2).

    `lowercase` reads every letter as small; `digits_apart` makes every digit a token of its own;
    `end_token` is appended to every encoded text.
    """
    inner = tokenizers.Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if digits_apart:
        inner.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
    else:
        inner.pre_tokenizer = byte_level
    if lowercase:
        inner.normalizer = normalizers.Lowercase()
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(special),
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    inner.train_from_iterator(texts, trainer)
    if end_token is None:
        inner.post_processor = processors.ByteLevel(trim_offsets=False)
    else:
        inner.post_processor = processors.TemplateProcessing(
            single=f"$A {end_token}", special_tokens=[(end_token, inner.token_to_id(end_token))]
        )
    return Tokenizer(inner)


def words_tokenizer(words: Iterable[str]) -> Tokenizer:
    """Each word a token, in this order; texts are split at spaces, and nothing but these words is known."""
    inner = tokenizers.Tokenizer(models.WordLevel({word: id_ for id_, word in enumerate(words)}, unk_token=None))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return Tokenizer(inner)
