"""A text of the user's with stretches cut out, to be written by a decoder: span corruption.

    source   Thank you <extra_id_0> me to your party <extra_id_1> week. </s>
    target   <extra_id_0> for inviting <extra_id_1> last <extra_id_2> </s>

Source: Raffel et al. 2019 (T5, arXiv 1910.10683), 3.1.4 and figure 2.
"""

from __future__ import annotations

import random
from itertools import pairwise

from modelcore.analysis.request import TraceRequest
from modelcore.config import HeadConfig, ModelConfig, StackConfig
from modelcore.tokenizer import Specials
from modelcore.training.assignments.assignment import random_of
from modelcore.training.assignments.cutting import known_and_held_out, learned
from modelcore.training.assignments.marks import marks_of, sentinels
from modelcore.training.assignments.pairs import END, PAD, TargetAssignment
from modelcore.training.assignments.starting import Given
from modelcore.training.pairs import PairBatch, batch_of_ids
from modelcore.training.plan import PlanError, TrainingPlan

# Of a window's tokens, which share is cut out; and how many in a row on average.
CUT_OUT, SPAN = 0.15, 3.0
HELD_OUT_WINDOWS = 64


class SpansAssignment(TargetAssignment):
    """T5's encoder-decoder on random windows of the text; its last tenth is held out."""

    def __init__(self, plan: TrainingPlan, given: Given) -> None:
        self._plan = plan
        text = plan.text or ""
        spans = _counts(plan.length)[1] + 1
        own = Specials((PAD, END, "<unk>", *(f"<extra_id_{one}>" for one in range(spans))), unknown="<unk>", end=END)
        self.tokenizer = given.tokenizer or learned(plan, [text], own)
        marks = marks_of(self.tokenizer)
        self._end = marks.end
        # The end takes its place in every source.
        self._window = plan.length - len(marks.end)
        self._sentinels = sentinels(self.tokenizer, _counts(self._window)[1] + 1)
        if self._sentinels is None:
            field = "start" if given.start else "tokenizer_from"
            raise PlanError(field, "This tokenizer has too few tokens for what is cut out, <extra_id_0> and so on.")
        self._known, held_out = known_and_held_out(marks.inner(self.tokenizer.encode(text).ids), self._window)
        self.family = given.start.family if given.start else "t5"
        pad = marks.end[-1] if marks.pad is None else marks.pad
        self.config = given.start.config if given.start else as_t5(plan, self.tokenizer.vocabulary, pad, marks.end[-1])
        room = len(held_out) - self._window + 1
        count = min(HELD_OUT_WINDOWS, room)
        starts = [room * window // count for window in range(count)]
        self._held_out = self._corrupted(held_out, starts, random_of(plan.seed, "held out"))
        length = int(self._held_out.source_lengths_B[0])
        self.probe = TraceRequest(
            ids=self._held_out.source_BK[0, :length].tolist(), target_ids=self._held_out.target_BQ[0].tolist()
        )

    def batch(self, step: int) -> PairBatch:
        plan, generator = self._plan, random_of(self._plan.seed, step)
        spans = _counts(self._window)[1]
        tokens = self._window + 2 * spans + 1 + 2 * len(self._end)
        count = max(1, plan.batch_tokens // tokens) if plan.batch_tokens else plan.batch
        room = len(self._known) - self._window + 1
        return self._corrupted(self._known, [generator.randrange(room) for _ in range(count)], generator)

    def _corrupted(self, ids: list[int], starts: list[int], generator: random.Random) -> PairBatch:
        assert self._sentinels is not None
        pairs = [cut_spans(ids[start : start + self._window], self._sentinels, generator) for start in starts]
        sources = [[*source, *self._end] for source, _ in pairs]
        return batch_of_ids(sources, [[*target, *self._end] for _, target in pairs], self.config)


def cut_spans(window: list[int], marks: list[int], generator: random.Random) -> tuple[list[int], list[int]]:
    """The source with a mark for each stretch, and the target with the stretches, each after its mark; one mark more
    ends it. Every window of a length loses as many tokens, in as many stretches.
    """
    cut_out, spans = _counts(len(window))
    lost, kept = _parts(cut_out, spans, generator), _parts(len(window) - cut_out, spans, generator)
    source: list[int] = []
    target: list[int] = []
    place = 0
    for mark, stays, goes in zip(marks, kept, lost, strict=False):
        source += [*window[place : place + stays], mark]
        target += [mark, *window[place + stays : place + stays + goes]]
        place += stays + goes
    return source, [*target, marks[spans]]


def as_t5(plan: TrainingPlan, vocabulary: int, pad: int, end: int) -> ModelConfig:
    """T5's first version in the plan's sizes."""
    stack = StackConfig(plan.layers, plan.heads, 4 * plan.width, head_width=plan.width // plan.heads)
    return ModelConfig(
        vocabulary=vocabulary,
        positions=plan.length,
        width=plan.width,
        encoder=stack,
        decoder=stack,
        head=HeadConfig(tied=True, scale=plan.width**-0.5),
        position_encoding="t5",
        score="dot",
        attention_bias=False,
        attention_output_bias=False,
        norm="rms",
        norm_epsilon=1e-6,
        norm_bias=False,
        activation="relu",
        feedforward_bias=False,
        dropout=plan.dropout,
        start_token=pad,
        end_token=end,
        pad_token=pad,
    )


def _counts(length: int) -> tuple[int, int]:
    """How many tokens are cut out of so many, and in how many stretches."""
    cut_out = max(1, round(length * CUT_OUT))
    return cut_out, max(1, round(cut_out / SPAN))


def _parts(total: int, count: int, generator: random.Random) -> list[int]:
    """A total in so many parts, none of them empty, all ways equally likely."""
    borders = [0, *sorted(generator.sample(range(1, total), count - 1)), total]
    return [after - before for before, after in pairwise(borders)]
