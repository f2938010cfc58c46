"""Text to token ids and back, with the place of every token in the text.

A thin layer over the `tokenizers` library: it loads `tokenizer.json` or GPT-2's `vocab.json` with
`merges.txt`, trains byte-level BPE, and gives each token a text that a person can read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

GPT2_END_OF_TEXT = "<|endoftext|>"


class TokenizerError(ValueError):
    """A tokenizer that cannot be read, or a text that it cannot take; the message says why."""


@dataclass(frozen=True)
class Encoding:
    """A text as tokens.

    Units: offsets count Unicode code points of the text, end exclusive; the pieces of one multi-byte
        character share its offsets, and a token that the tokenizer added stands at (0, 0).
    """

    ids: list[int]
    offsets: list[tuple[int, int]]
    texts: list[str]
    special: list[bool]

    def __len__(self) -> int:
        return len(self.ids)


class Tokenizer:
    """One tokenizer, without padding or truncation whatever its file asks for."""

    def __init__(self, inner: tokenizers.Tokenizer) -> None:
        inner.no_padding()
        inner.no_truncation()
        self._inner = inner
        parts = json.loads(inner.to_str())
        self._is_byte_level = (parts["decoder"] or {}).get("type") == "ByteLevel"
        self._added = {token["id"]: token for token in parts["added_tokens"]}
        # A normaliser, or a token that swallows the spaces beside it, may shorten a text without bound.
        normalizer = (parts["normalizer"] or {}).get("type")
        self._may_shrink_text = normalizer not in (None, "Lowercase") or any(
            token["lstrip"] or token["rstrip"] for token in self._added.values()
        )

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """Reads a `tokenizer.json`, or the folder that holds one or GPT-2's `vocab.json` and `merges.txt`.

        Raises: FileNotFoundError if there is none; TokenizerError if it cannot be read.
        """
        file = path / "tokenizer.json" if path.is_dir() else path
        vocabulary, merges = path / "vocab.json", path / "merges.txt"
        if file.is_file():
            return cls(_read(file.name, lambda: tokenizers.Tokenizer.from_file(str(file))))
        if vocabulary.is_file() and merges.is_file():
            return cls(_read(vocabulary.name, lambda: _gpt2_tokenizer(vocabulary, merges)))
        raise FileNotFoundError(f"no tokenizer.json, and no vocab.json with merges.txt, in {path.name}")

    def save(self, path: Path) -> None:
        """Writes `tokenizer.json`."""
        self._inner.save(str(path))

    def encode(self, text: str) -> Encoding:
        """The tokens of a text, with the special tokens that the model expects around it.

        Raises: TokenizerError if the text holds half a surrogate pair.
        """
        try:
            encoded = self._inner.encode(text)
        except (TypeError, UnicodeError) as error:
            raise TokenizerError("This text holds half a surrogate pair, which is no character; remove it.") from error
        special = [
            bool(added) or self.is_special(id_)
            for added, id_ in zip(encoded.special_tokens_mask, encoded.ids, strict=True)
        ]
        return Encoding(encoded.ids, encoded.offsets, [self.readable(id_) for id_ in encoded.ids], special)

    def decode(self, ids: list[int]) -> str:
        """The text of the ids, special tokens left out."""
        return self._inner.decode(ids)

    def readable(self, id_: int) -> str:
        """The text of one token; bytes that are only a part of a character read like ⟨E2 9C⟩."""
        token = self._inner.id_to_token(id_)
        if token is None:
            return f"⟨{id_}⟩"
        raw = self._bytes_of(id_, token)
        return token if raw is None else _readable_bytes(raw)

    def is_special(self, id_: int) -> bool:
        """Whether the id stands for no text, as an end-of-text token does."""
        return id_ in self._added and self._added[id_]["special"]

    @property
    def vocabulary(self) -> int:
        """How many ids there are, counting up to the largest."""
        return max(self._inner.get_vocab().values(), default=-1) + 1

    @cached_property
    def longest_token(self) -> int | None:
        """Code points that one token can cover at most; None where a normaliser makes that boundless."""
        if self._may_shrink_text:
            return None
        return max((self._code_points(id_, token) for token, id_ in self._inner.get_vocab().items()), default=1)

    def token_id(self, token: str) -> int | None:
        """The id of a token as the vocabulary spells it."""
        return self._inner.token_to_id(token)

    def _bytes_of(self, id_: int, token: str) -> bytes | None:
        """The bytes that a byte-level token stands for; None for any other token."""
        if not self._is_byte_level or id_ in self._added:
            return None
        try:
            return bytes(_BYTE_OF[character] for character in token)
        except KeyError:
            return None

    def _code_points(self, id_: int, token: str) -> int:
        raw = self._bytes_of(id_, token)
        if raw is None:
            return max(1, len(token))
        begins = sum(byte & 0xC0 != 0x80 for byte in raw)  # all but the continuation bytes of UTF-8
        return begins + (raw[:1] != b"" and raw[0] & 0xC0 == 0x80)


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


def _read(name: str, reading: Callable[[], tokenizers.Tokenizer]) -> tokenizers.Tokenizer:
    try:
        return reading()
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    # The library's panics derive from BaseException alone.
    except BaseException as error:
        raise TokenizerError(f"{name} is not a tokenizer that the tokenizers library can read.") from error


def _gpt2_tokenizer(vocabulary: Path, merges: Path) -> tokenizers.Tokenizer:
    inner = tokenizers.Tokenizer(models.BPE.from_file(str(vocabulary), str(merges)))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.post_processor = processors.ByteLevel(trim_offsets=False)
    if inner.token_to_id(GPT2_END_OF_TEXT) is not None:
        inner.add_special_tokens([GPT2_END_OF_TEXT])
    return inner


def _readable_bytes(raw: bytes) -> str:
    """UTF-8 where it is whole; every run of stray bytes as hexadecimal in angle brackets."""
    text, stray = "", b""
    while raw:
        try:
            whole, bad, raw = raw.decode(), b"", b""
        except UnicodeDecodeError as error:
            whole, bad, raw = raw[: error.start].decode(), raw[error.start : error.end], raw[error.end :]
        if whole:
            text, stray = text + _bracketed(stray) + whole, b""
        stray += bad
    return text + _bracketed(stray)


def _bracketed(stray: bytes) -> str:
    return f"⟨{stray.hex(' ').upper()}⟩" if stray else ""


def _character_of_byte() -> dict[int, str]:
    """The printable character that stands for each byte in a byte-level vocabulary.

    Source: GPT-2's encoder: printable Latin-1 stands for itself, the other bytes for U+0100 and up.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    shifted = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(0x100 + place) for place, byte in enumerate(shifted)}


_BYTE_OF = {character: byte for byte, character in _character_of_byte().items()}
