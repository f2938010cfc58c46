"""The tokens of a tokenizer that stand for no text: around one, in place of hidden ones, and where nothing is."""

from __future__ import annotations

from dataclasses import dataclass

from modelcore.tokenizer import Tokenizer

MASKS, PADS = ("[MASK]", "<mask>"), ("<pad>", "[PAD]")


@dataclass(frozen=True)
class Marks:
    """`begin` and `end` are put around every text; `mask` and `pad` are None where there is no such token."""

    begin: list[int]
    end: list[int]
    mask: int | None
    pad: int | None

    def inner(self, ids: list[int]) -> list[int]:
        """Without what stands around."""
        return ids[len(self.begin) : len(ids) - len(self.end)]


def marks_of(tokenizer: Tokenizer) -> Marks:
    """Told by what it does to a text of nothing, and to one of a letter."""
    around, letter = tokenizer.encode("").ids, tokenizer.encode("a").ids
    before = 0
    while before < len(around) and letter[: before + 1] == around[: before + 1]:
        before += 1
    return Marks(around[:before], around[before:], _first(tokenizer, MASKS), _first(tokenizer, PADS))


def sentinels(tokenizer: Tokenizer, count: int) -> list[int] | None:
    """The tokens that T5 puts where it left something out; None where there are fewer."""
    found = [tokenizer.token_id(f"<extra_id_{number}>") for number in range(count)]
    return [id_ for id_ in found if id_ is not None] if None not in found else None


def _first(tokenizer: Tokenizer, names: tuple[str, ...]) -> int | None:
    return next((id_ for id_ in map(tokenizer.token_id, names) if id_ is not None), None)
