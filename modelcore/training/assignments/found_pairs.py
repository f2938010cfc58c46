"""Pairs that lie where it trains: a tenth of the sources, chosen by a sum of their letters and so the same for every
seed, is held out."""

from __future__ import annotations

import random
import zlib

from modelcore.training.assignments.assignment import HELD_OUT
from modelcore.training.assignments.cutting import learned
from modelcore.training.assignments.given_pairs import SPECIALS, longest_sides, sides_of
from modelcore.training.assignments.pairs import PairAssignment
from modelcore.training.assignments.starting import Given
from modelcore.training.plan import PlanError, TrainingPlan
from modelcore.training.tasks import Example

HELD_OUT_OF = 10
FEWEST = 100


class FoundPairsAssignment(PairAssignment):
    """Those pairs that are longer than the plan's length are left out."""

    def __init__(self, plan: TrainingPlan, given: Given, pairs: list[Example]) -> None:
        tokenizer = given.tokenizer or learned(plan, sides_of(pairs), SPECIALS)
        lengths = longest_sides(pairs, tokenizer)
        pairs = [pair for pair, length in zip(pairs, lengths, strict=True) if length <= plan.length]
        if len(pairs) < FEWEST:
            raise PlanError("length", f"Only {len(pairs)} of the pairs are as short; set length to more.", FEWEST)
        held_out = [pair for pair in pairs if is_held_out(pair)]
        # Pairs are in the order of the alphabet, and what is measured is to be from all of it.
        count = min(HELD_OUT, len(held_out))
        shown = [held_out[place * len(held_out) // count] for place in range(count)]
        self._known = [pair for pair in pairs if not is_held_out(pair)]
        super().__init__(plan, tokenizer, given, shown, plan.length)

    def _draw(self, generator: random.Random, count: int) -> list[Example]:
        return generator.choices(self._known, k=count)


def is_held_out(pair: Example) -> bool:
    return zlib.crc32(pair.source.casefold().encode()) % HELD_OUT_OF == 0
