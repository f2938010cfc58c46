"""A text of the user's, some of its tokens hidden, to be guessed from both sides: masked language modelling.

Source: Devlin et al. 2018 (arXiv 1810.04805), 3.1, task 1.
"""

# B batch, N tokens of a window

from __future__ import annotations

import math
import random

import torch
import torch.nn.functional as F
from torch import Tensor

from modelcore.analysis.request import TraceRequest
from modelcore.config import HeadConfig, ModelConfig, StackConfig
from modelcore.models.encoder import Encoder
from modelcore.tokenizer import Specials
from modelcore.training.assignments.assignment import random_of
from modelcore.training.assignments.cutting import known_and_held_out, learned
from modelcore.training.assignments.lines import LineBatch
from modelcore.training.assignments.marks import marks_of
from modelcore.training.assignments.starting import Given
from modelcore.training.pairs import IGNORED
from modelcore.training.plan import TrainingPlan

SPECIALS = Specials(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"), unknown="[UNK]", begin="[CLS]", end="[SEP]")
# Of a window's tokens, which share is asked for; and of those, which are hidden, and which replaced by any other.
ASKED, HIDDEN, REPLACED = 0.15, 0.8, 0.1
HELD_OUT_WINDOWS = 64


class MaskedAssignment:
    """BERT's encoder on random windows of the text between [CLS] and [SEP]; its last tenth is held out."""

    def __init__(self, plan: TrainingPlan, given: Given) -> None:
        self._plan = plan
        text = plan.text or ""
        self.tokenizer = given.tokenizer or learned(plan, [text], SPECIALS)
        self._marks = marks_of(self.tokenizer)
        self._window = plan.length - len(self._marks.begin) - len(self._marks.end)
        inner = self._marks.inner(self.tokenizer.encode(text).ids)
        self._known, held_out = known_and_held_out(inner, self._window)
        # What stands in for a token is one that stands for text.
        vocabulary = range(self.tokenizer.vocabulary)
        self._words = [id_ for id_ in vocabulary if not self.tokenizer.is_special(id_)]
        self.family = given.start.family if given.start else "bert"
        self.config = given.start.config if given.start else self._as_bert(len(vocabulary))
        room = len(held_out) - self._window + 1
        count = min(HELD_OUT_WINDOWS, room)
        starts = [room * window // count for window in range(count)]
        self._held_out = self._masked(held_out, starts, random_of(plan.seed, "held out"))
        self.probe = TraceRequest(ids=self._held_out.ids_BN[0].tolist())

    def _as_bert(self, vocabulary: int) -> ModelConfig:
        plan = self._plan
        return ModelConfig(
            vocabulary=vocabulary,
            positions=plan.length,
            width=plan.width,
            encoder=StackConfig(plan.layers, plan.heads, 4 * plan.width),
            head=HeadConfig(bias=True, transform=True, transform_activation="gelu", transform_norm=True),
            embedding_norm=True,
            token_types=2,
            norm_placement="post",
            norm_epsilon=1e-12,
            final_norm=False,
            activation="gelu",
            dropout=plan.dropout,
            pad_token=self._marks.pad,
        )

    def batch(self, step: int) -> LineBatch:
        generator = random_of(self._plan.seed, step)
        room = len(self._known) - self._window + 1
        return self._masked(self._known, [generator.randrange(room) for _ in range(self._plan.batch)], generator)

    def loss(self, model: Encoder, batch: LineBatch) -> Tensor:
        asked_BN = batch.labels_BN != IGNORED
        smoothing = self._plan.label_smoothing if model.training else 0.0
        return F.cross_entropy(
            model(batch.ids_BN, asked_BN=asked_BN), batch.labels_BN[asked_BN], label_smoothing=smoothing
        )

    def measure(self, model: Encoder) -> dict[str, float]:
        """`accuracy` is the share of the hidden tokens that are guessed."""
        batch = self._held_out
        logits_BNV = model(batch.ids_BN)
        asked_BN = batch.labels_BN != IGNORED
        loss = _loss(logits_BNV, batch, 0.0).item()
        return {
            "loss": loss,
            "accuracy": (logits_BNV.argmax(-1) == batch.labels_BN)[asked_BN].float().mean().item(),
            "perplexity": math.exp(min(loss, 80)),
        }

    def tokens_of(self, batch: LineBatch) -> int:
        return batch.ids_BN.numel()

    def _masked(self, ids: list[int], starts: list[int], generator: random.Random) -> LineBatch:
        rows, labels = [], []
        marks, mask = self._marks, self._marks.mask
        assert mask is not None, "a tokenizer without one is refused"
        for start in starts:
            window = ids[start : start + self._window]
            read, asked = mask_window(window, mask, self._words, generator)
            rows.append([*marks.begin, *read, *marks.end])
            labels.append([IGNORED] * len(marks.begin) + asked + [IGNORED] * len(marks.end))
        return LineBatch(torch.tensor(rows), torch.tensor(labels))


def mask_window(
    window: list[int], mask: int, words: list[int], generator: random.Random
) -> tuple[list[int], list[int]]:
    """What is read, and what is asked for at each place, IGNORED where nothing is; at least one token is.

    A token that is replaced becomes one of `words`.
    """
    places = generator.sample(range(len(window)), max(1, round(ASKED * len(window))))
    read, asked = list(window), [IGNORED] * len(window)
    for place in places:
        asked[place] = window[place]
        drawn = generator.random()
        if drawn < HIDDEN:
            read[place] = mask
        elif drawn < HIDDEN + REPLACED:
            read[place] = generator.choice(words)
    return read, asked


def _loss(logits_BNV: Tensor, batch: LineBatch, smoothing: float) -> Tensor:
    return F.cross_entropy(
        logits_BNV.flatten(0, 1), batch.labels_BN.flatten(), ignore_index=IGNORED, label_smoothing=smoothing
    )
