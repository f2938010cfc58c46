"""The tokens that a site's keys stand for, as far as its measures ask: which are alike, special, or punctuation."""

# K keys

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from modelcore.tokenizer import Encoding


@dataclass(frozen=True, eq=False)
class KeyTokens:
    """Of each key: its token's id (None where keys are no text), whether it is special, whether it is punctuation."""

    ids: list[int] | None
    special_K: Tensor
    punctuation_K: Tensor

    def __len__(self) -> int:
        return len(self.special_K)

    @classmethod
    def of(cls, encoding: Encoding, *, is_text: bool = True) -> KeyTokens:
        """The tokens of a sequence; patches of a picture are no text."""
        special = encoding.special
        marks = [
            is_text and not one and is_punctuation(text) for one, text in zip(special, encoding.texts, strict=True)
        ]
        ids = list(encoding.ids) if is_text else None
        return cls(ids, torch.tensor(special, dtype=torch.bool), torch.tensor(marks, dtype=torch.bool))

    @cached_property
    def recurs_K(self) -> Tensor:
        """Where a token stands that has stood in its sequence before."""
        seen: set[int] = set()
        again = []
        for id_ in self.ids or []:
            again.append(id_ in seen)
            seen.add(id_)
        return torch.tensor(again or [False] * len(self), dtype=torch.bool)


def is_punctuation(text: str) -> bool:
    """Whether a token is marks and spaces alone, at least one of them a mark.

    Source: Unicode's general categories P (punctuation), of which Clark et al. 2019 (1906.04341), 3.2, see heads
        that rest on full stops and commas.
    """
    marks = text.split()
    return bool(marks) and all(unicodedata.category(mark)[0] == "P" for mark in "".join(marks))
