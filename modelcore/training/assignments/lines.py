"""Lines of characters whose later part answers the earlier one: copy, reverse, sort, induction, brackets, repeats."""

# B batch, N characters of a line, V vocabulary

from __future__ import annotations

import random
import string
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from modelcore.analysis.request import TraceRequest
from modelcore.config import ModelConfig, StackConfig
from modelcore.models.decoder import Decoder
from modelcore.tokenizer import GPT2_END_OF_TEXT, train_byte_level_bpe
from modelcore.training.assignments.assignment import HELD_OUT, random_of
from modelcore.training.pairs import IGNORED
from modelcore.training.patterns import draw_brackets, draw_repeats
from modelcore.training.plan import TrainingPlan
from modelcore.training.tasks import HELD_OUT_OF

ASKS = ">"
SHORTEST = 2
REARRANGED: dict[str, Callable[[str], str]] = {
    "copy": str,
    "reverse": lambda word: word[::-1],
    "sort": lambda word: "".join(sorted(word)),
}


@dataclass(frozen=True)
class Line:
    """A text, and for each place the character that should be said there, None where none is asked for."""

    text: str
    answers: tuple[str | None, ...]

    @property
    def held_out(self) -> bool:
        return zlib.crc32(self.text.encode()) % HELD_OUT_OF == 0


class LineBatch(NamedTuple):
    """Ids, filled up on the right, and at each place the id that should be said, or IGNORED."""

    ids_BN: Tensor
    labels_BN: Tensor


class LineAssignment:
    """A decoder that reads a byte a token, and is trained on the answers alone.

    word>drow   copy, reverse and sort rearrange what stands before the sign
    qmbqmbqmb   induction says again what followed the last time (Olsson et al. 2022)
    a(b[cd]e)   brackets and repeats ask at every place (`modelcore.training.patterns`)
    """

    family = "gpt2"

    def __init__(self, plan: TrainingPlan) -> None:
        self._plan = plan
        self.tokenizer = train_byte_level_bpe([], 257, special=[GPT2_END_OF_TEXT])
        self.config = ModelConfig(
            vocabulary=257,
            positions=plan.length,
            width=plan.width,
            decoder=StackConfig(plan.layers, plan.heads, 4 * plan.width),
            dropout=plan.dropout,
            end_token=0,
        )
        self._ids = {character: self.tokenizer.encode(character).ids[0] for character in string.printable}
        self.probe = TraceRequest(text=draw_line(plan.assignment, random_of(plan.seed, "probe"), plan.length).text)
        self._held_out = self._as_batch(self._draw(random_of(plan.seed, "held out"), HELD_OUT, held_out=True))

    def batch(self, step: int) -> LineBatch:
        return self._as_batch(self._draw(random_of(self._plan.seed, step), self._plan.batch, held_out=False))

    def loss(self, model: Decoder, batch: LineBatch) -> Tensor:
        asked_BN = batch.labels_BN != IGNORED
        smoothing = self._plan.label_smoothing if model.training else 0.0
        return F.cross_entropy(
            model(batch.ids_BN, asked_BQ=asked_BN), batch.labels_BN[asked_BN], label_smoothing=smoothing
        )

    def measure(self, model: Decoder) -> dict[str, float]:
        """`exact` is the share of lines whose answers are all right, `accuracy` that of single answers."""
        batch = self._held_out
        logits_BNV = model(batch.ids_BN)
        asked_BN = batch.labels_BN != IGNORED
        right_BN = logits_BNV.argmax(-1) == batch.labels_BN
        return {
            "loss": F.cross_entropy(logits_BNV.flatten(0, 1), batch.labels_BN.flatten(), ignore_index=IGNORED).item(),
            "accuracy": (right_BN & asked_BN).sum().item() / asked_BN.sum().item(),
            "exact": (right_BN | ~asked_BN).all(1).float().mean().item(),
        }

    def tokens_of(self, batch: LineBatch) -> int:
        return batch.ids_BN.numel()

    def _draw(self, generator: random.Random, count: int, *, held_out: bool) -> list[Line]:
        lines: list[Line] = []
        while len(lines) < count:
            line = draw_line(self._plan.assignment, generator, self._plan.length)
            if line.held_out == held_out:
                lines.append(line)
        return lines

    def _as_batch(self, lines: list[Line]) -> LineBatch:
        shape = (len(lines), max(len(line.text) for line in lines))
        ids_BN, labels_BN = torch.zeros(shape, dtype=torch.int64), torch.full(shape, IGNORED)
        for row, line in enumerate(lines):
            ids_BN[row, : len(line.text)] = torch.tensor([self._ids[character] for character in line.text])
            answers = [IGNORED if answer is None else self._ids[answer] for answer in line.answers]
            labels_BN[row, : len(line.text)] = torch.tensor(answers)
        return LineBatch(ids_BN, labels_BN)


def draw_line(assignment: str, generator: random.Random, length: int) -> Line:
    """A line of at most so many characters."""
    if assignment in ("brackets", "repeats"):
        drawn = (draw_brackets if assignment == "brackets" else draw_repeats)(generator, length)
        return Line(drawn.text, drawn.answers)
    if assignment == "induction":
        # Each letter once, so that what follows the last one like it is always what follows.
        longest = min(length // 2, len(string.ascii_lowercase))
        word = "".join(generator.sample(string.ascii_lowercase, generator.randint(SHORTEST + 1, longest)))
        text = (word * length)[:length]
        return Line(
            text, tuple(None if place < len(word) - 1 else told for place, told in enumerate([*text[1:], None]))
        )
    longest = (length - 1) // 2
    word = "".join(generator.choices(string.ascii_lowercase, k=generator.randint(SHORTEST, longest)))
    answer = REARRANGED[assignment](word)
    # At the sign the answer's first character is asked for, and at each of its characters the next.
    return Line(word + ASKS + answer, (*[None] * len(word), *answer, None))
