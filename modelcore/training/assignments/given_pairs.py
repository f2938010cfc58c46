"""Sources with targets that the user gives, one pair a line with a tab between: a translation, a spelling, a rule."""

from __future__ import annotations

import random
from collections.abc import Sequence

from modelcore.tokenizer import Specials, Tokenizer
from modelcore.training.assignments.assignment import HELD_OUT, random_of
from modelcore.training.assignments.cutting import learned, refuse_sameness
from modelcore.training.assignments.marks import marks_of
from modelcore.training.assignments.pairs import END, PAD, PairAssignment
from modelcore.training.assignments.starting import Given
from modelcore.training.plan import PlanError, TrainingPlan
from modelcore.training.tasks import Example

SPECIALS = Specials((PAD, END, "<unk>"), unknown="<unk>", end=END)
FEWEST = 10
HELD_OUT_SHARE = 0.1


class GivenPairsAssignment(PairAssignment):
    """A tenth of the sources, all their lines with them, is held out."""

    def __init__(self, plan: TrainingPlan, given: Given) -> None:
        pairs = read_pairs(plan.text or "")
        tokenizer = given.tokenizer or learned(plan, sides_of(pairs), SPECIALS)
        _refuse_long(pairs, tokenizer, plan.length)
        end = set(marks_of(tokenizer).end)
        refuse_sameness(id_ for pair in pairs for id_ in tokenizer.target.encode(pair.target).ids if id_ not in end)
        sources = sorted({pair.source for pair in pairs})
        if len(sources) < FEWEST:
            raise PlanError(
                "text",
                f"There are {len(sources)} different sources; give at least {FEWEST}, as a tenth is held out.",
                FEWEST,
            )
        random_of(plan.seed, "held out").shuffle(sources)
        held_out = set(sources[: min(HELD_OUT, int(len(sources) * HELD_OUT_SHARE))])
        self._known = [pair for pair in pairs if pair.source not in held_out]
        asked = [pair for pair in pairs if pair.source in held_out][:HELD_OUT]
        super().__init__(plan, tokenizer, given, asked, plan.length)

    def _draw(self, generator: random.Random, count: int) -> list[Example]:
        return generator.choices(self._known, k=count)


def read_pairs(text: str) -> list[Example]:
    """Raises: PlanError with the number of the first line that is no pair."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").removesuffix("\n").split("\n")
    return [_read_pair(line, number) for number, line in enumerate(lines, 1)]


def sides_of(pairs: list[Example]) -> list[str]:
    return [side for pair in pairs for side in (pair.source, pair.target)]


def _read_pair(line: str, number: int) -> Example:
    columns = [column.strip() for column in line.split("\t")]
    if not line.strip():
        raise PlanError("text", f"Line {number:,} is empty; remove it.")
    if len(columns) != 2:
        found = "no tab" if len(columns) == 1 else f"{len(columns)} columns"
        raise PlanError("text", f"Line {number:,} has {found}; write a source, one tab, and its target.")
    if not all(columns):
        missing = "source" if not columns[0] else "target"
        raise PlanError("text", f"Line {number:,} has no {missing}; write one, or remove the line.")
    return Example(columns[0], columns[1])


def longest_sides(pairs: Sequence[Example], tokenizer: Tokenizer) -> list[int]:
    """Of each pair, in tokens."""
    sources = tokenizer.lengths([pair.source for pair in pairs])
    targets = tokenizer.target.lengths([pair.target for pair in pairs])
    return [max(sides) for sides in zip(sources, targets, strict=True)]


def _refuse_long(pairs: list[Example], tokenizer: Tokenizer, length: int) -> None:
    for number, longest in enumerate(longest_sides(pairs, tokenizer), 1):
        if longest > length:
            raise PlanError(
                "length", f"Line {number:,} has {longest:,} tokens; set length to as many, or shorten it.", longest
            )
