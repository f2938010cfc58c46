"""One tokenizer, and what it makes of a text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import tokenizers

from modelcore.tokenizer.error import TokenizerError, guarded
from modelcore.tokenizer.files import Read, read_file, read_folder
from modelcore.tokenizer.spelling import SPACE, bytes_of_byte_level, readable_bytes, readable_piece


@dataclass(frozen=True)
class Encoding:
    """A text as tokens.

    Units: offsets count Unicode code points of the text, end exclusive; the pieces of one multi-byte
        character share its offsets, and a token that the tokenizer added stands at (0, 0). Two texts count as one
        that follows the other.
    `types` say of each token of a pair which kind of segment it belongs to; None for one text.
    """

    ids: list[int]
    offsets: list[tuple[int, int]]
    texts: list[str]
    special: list[bool]
    types: list[int] | None = None

    def __len__(self) -> int:
        return len(self.ids)


class Tokenizer:
    """One tokenizer, without padding or truncation whatever its file asks for.

    Ids from `known` on, where given, stand for `unknown`: pieces that the model has no vector for.
    `target` cuts the text that a decoder writes, where the folder has another vocabulary for that.
    """

    def __init__(
        self,
        inner: tokenizers.Tokenizer,
        *,
        known: int | None = None,
        unknown: int = 0,
        target: Tokenizer | None = None,
    ) -> None:
        inner.no_padding()
        inner.no_truncation()
        self._inner = inner
        self._known, self._unknown = known, unknown
        self.target = target or self
        parts = json.loads(inner.to_str())
        self._is_byte_level = (parts["decoder"] or {}).get("type") == "ByteLevel"
        self._spells_spaces = SPACE in json.dumps(parts["decoder"], ensure_ascii=False)
        self._added = {token["id"]: token for token in parts["added_tokens"]}
        # A normaliser, or a token that swallows the spaces beside it, may shorten a text without bound.
        normalizer = (parts["normalizer"] or {}).get("type")
        self._may_shrink_text = normalizer not in (None, "Lowercase") or any(
            token["lstrip"] or token["rstrip"] for token in self._added.values()
        )

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """Reads a `tokenizer.json`, or the folder that holds one, or another kind of vocabulary.

        Raises: FileNotFoundError if there is none; TokenizerError if it cannot be read.
        """
        return cls._of(read_file(path) if path.is_file() else read_folder(path))

    @classmethod
    def _of(cls, read: Read) -> Tokenizer:
        target = cls._of(read.target) if read.target else None
        return cls(read.inner, known=read.known, unknown=read.unknown, target=target)

    @classmethod
    def from_json(cls, text: str) -> Tokenizer:
        """What `to_json` gave."""
        return cls(guarded(lambda: tokenizers.Tokenizer.from_str(text), "This is not a tokenizer's JSON."))

    def to_json(self) -> str:
        """What `tokenizer.json` holds."""
        return self._inner.to_str()

    def save(self, path: Path) -> None:
        """Writes `tokenizer.json`."""
        self._inner.save(str(path))

    @property
    def takes_pairs(self) -> bool:
        """Whether it sets something between two texts that are read as one."""
        return self._inner.num_special_tokens_to_add(True) > self._inner.num_special_tokens_to_add(False)

    def encode(self, text: str, pair: str | None = None) -> Encoding:
        """The tokens of a text, or of a pair, with the special tokens that the model expects around them.

        Raises: TokenizerError if the text holds half a surrogate pair, or the library fails.
        """
        try:
            (text + (pair or "")).encode()
        except UnicodeEncodeError as error:
            raise TokenizerError("This text holds half a surrogate pair, which is no character; remove it.") from error
        encoded = guarded(
            lambda: self._inner.encode(text, pair), "This text makes the tokenizer fail; its file may be damaged."
        )
        ids = [self._unknown if self._known is not None and id_ >= self._known else id_ for id_ in encoded.ids]
        special = [
            bool(added) or self.is_special(id_) for added, id_ in zip(encoded.special_tokens_mask, ids, strict=True)
        ]
        offsets, types = self._offsets(encoded), None
        if pair is not None:
            types = encoded.type_ids
            offsets = [
                (start + len(text), end + len(text)) if sequence == 1 else (start, end)
                for (start, end), sequence in zip(offsets, encoded.sequence_ids, strict=True)
            ]
        return Encoding(ids, offsets, [self.readable(id_) for id_ in ids], special, types)

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has, special ones too: many texts at once, and nothing else of what `encode` tells.

        Raises: TokenizerError.
        """
        encoded = guarded(lambda: self._inner.encode_batch(list(texts)), "One of these texts makes the tokenizer fail.")
        return [len(each) for each in encoded]

    def _offsets(self, encoded: tokenizers.Encoding) -> list[tuple[int, int]]:
        """The library lets the space that a model puts before a text stand on the first character."""
        # Each is a copy of the whole list, made when it is asked for.
        offsets, tokens = encoded.offsets, encoded.tokens
        for place in range(len(offsets) - 1):
            (start, end), (following, _) = offsets[place : place + 2]
            if self._spells_spaces and tokens[place] == SPACE and start == following < end:
                offsets[place] = (start, start)
        return offsets

    def decode(self, ids: list[int]) -> str:
        """The text of the ids, special tokens left out."""
        return self._inner.decode(ids)

    def readable(self, id_: int) -> str:
        """The text of one token; bytes that are only a part of a character read like ⟨E2 9C⟩."""
        token = self._inner.id_to_token(id_)
        if token is None:
            return f"⟨{id_}⟩"
        raw = self._bytes_of(id_, token)
        if raw is not None:
            return readable_bytes(raw)
        return readable_piece(token) if self._spells_spaces and id_ not in self._added else token

    def is_special(self, id_: int) -> bool:
        """Whether the id stands for no text, as an end-of-text token does."""
        return id_ in self._added and self._added[id_]["special"]

    @property
    def vocabulary(self) -> int:
        """How many ids there are, counting up to the largest."""
        return self._known or max(self._inner.get_vocab().values(), default=-1) + 1

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
        return bytes_of_byte_level(token)

    def _code_points(self, id_: int, token: str) -> int:
        raw = self._bytes_of(id_, token)
        if raw is None:
            return max(1, len(token))
        begins = sum(byte & 0xC0 != 0x80 for byte in raw)  # all but the continuation bytes of UTF-8
        return begins + (raw[:1] != b"" and raw[0] & 0xC0 == 0x80)
