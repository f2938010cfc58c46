"""Learns a vocabulary of a named kind from texts, for a model that is trained from nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import tokenizers
from tokenizers import AddedToken, decoders, models, pre_tokenizers, processors, trainers

from modelcore.tokenizer.error import guarded
from modelcore.tokenizer.tokenizer import Tokenizer

TokenizerKind = Literal["bytes", "characters", "bpe", "wordpiece", "unigram"]


@dataclass(frozen=True)
class Specials:
    """Tokens that stand for no text, the first ids; `unknown` is one of them, and `begin` and `end` stand around texts.

    Bytes and BPE over bytes know every text; their vocabularies have `unknown` all the same, so that ids agree.
    """

    tokens: tuple[str, ...]
    unknown: str
    begin: str | None = None
    end: str | None = None


def learn_tokenizer(kind: TokenizerKind, texts: Sequence[str], vocabulary: int, specials: Specials) -> Tokenizer:
    """At most `vocabulary` ids, or as many as bytes and special tokens need.

    bytes       each byte of UTF-8
    characters  the most frequent code points
    bpe         merges of bytes (Sennrich et al. 2016, as in GPT-2)
    wordpiece   merges within words, ## before what goes on (as in BERT)
    unigram     the likeliest pieces (Kudo 2018); its training sums in no fixed order, and may differ in the last pieces

    Raises: TokenizerError where the library finds no vocabulary in the texts.
    """
    inner = guarded(
        lambda: _LEARNERS[kind](texts, vocabulary, specials),
        f"No vocabulary of the kind {kind} can be learned from this text; give a longer one, or choose another kind.",
    )
    inner.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in specials.tokens])
    around = [token for token in (specials.begin, "$A", specials.end) if token is not None]
    named = [(token, inner.token_to_id(token)) for token in around if token != "$A"]
    if named:
        inner.post_processor = processors.TemplateProcessing(single=around, special_tokens=named)
    elif kind in ("bytes", "bpe"):
        inner.post_processor = processors.ByteLevel(trim_offsets=False)
    return Tokenizer(inner)


def _bytes(_: Sequence[str], __: int, specials: Specials) -> tokenizers.Tokenizer:
    return _bpe([], 0, specials)


def _bpe(texts: Sequence[str], vocabulary: int, specials: Specials) -> tokenizers.Tokenizer:
    inner = tokenizers.Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(specials.tokens),
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    inner.train_from_iterator(texts, trainer)
    return inner


def _characters(texts: Sequence[str], vocabulary: int, specials: Specials) -> tokenizers.Tokenizer:
    counts = Counter(character for text in texts for character in text)
    kept = sorted(counts, key=lambda character: (-counts[character], character))[: vocabulary - len(specials.tokens)]
    ids = {token: id_ for id_, token in enumerate([*specials.tokens, *sorted(kept)])}
    inner = tokenizers.Tokenizer(models.BPE(ids, [], unk_token=specials.unknown))
    inner.decoder = decoders.Fuse()
    return inner


def _wordpiece(texts: Sequence[str], vocabulary: int, specials: Specials) -> tokenizers.Tokenizer:
    """In an order that does not change from run to run: the library numbers what goes on as it meets it."""
    splits = pre_tokenizers.BertPreTokenizer()
    words = {word for text in texts for word, _ in splits.pre_tokenize_str(text)}
    going_on = sorted({f"##{character}" for word in words for character in word[1:]})
    learning = tokenizers.Tokenizer(models.WordPiece(unk_token=specials.unknown))
    learning.pre_tokenizer = splits
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary, special_tokens=[*specials.tokens, *going_on], show_progress=False
    )
    learning.train_from_iterator(texts, trainer)
    inner = tokenizers.Tokenizer(models.WordPiece(learning.get_vocab(), unk_token=specials.unknown))
    inner.pre_tokenizer = splits
    inner.decoder = decoders.WordPiece()
    return inner


def _unigram(texts: Sequence[str], vocabulary: int, specials: Specials) -> tokenizers.Tokenizer:
    inner = tokenizers.Tokenizer(models.Unigram())
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    inner.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=vocabulary,
        special_tokens=list(specials.tokens),
        unk_token=specials.unknown,
        show_progress=False,
    )
    inner.train_from_iterator(texts, trainer)
    return inner


_LEARNERS: dict[TokenizerKind, Callable[[Sequence[str], int, Specials], tokenizers.Tokenizer]] = {
    "bytes": _bytes,
    "characters": _characters,
    "bpe": _bpe,
    "wordpiece": _wordpiece,
    "unigram": _unigram,
}
