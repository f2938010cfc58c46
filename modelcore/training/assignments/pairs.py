"""Sources with targets for an encoder-decoder: dates and numbers in words, to be written in digits."""

from __future__ import annotations

import random

import torch.nn.functional as F
from torch import Tensor

from modelcore.analysis.request import TraceRequest
from modelcore.config import HeadConfig, ModelConfig, StackConfig
from modelcore.models.encoder_decoder import EncoderDecoder
from modelcore.tokenizer import train_byte_level_bpe
from modelcore.training.assignments.assignment import HELD_OUT, random_of
from modelcore.training.pairs import IGNORED, PairBatch, draw_many, pair_batch
from modelcore.training.plan import TrainingPlan
from modelcore.training.tasks import draw_date, draw_number

PAD, END = "<pad>", "</s>"
DRAWN = {"dates": draw_date, "numbers": draw_number}
TOKENIZER_EXAMPLES = 4000
LONGEST = 64


class PairAssignment:
    """The paper's Transformer, post-norm with sinusoids (Vaswani et al. 2017, 3), on examples made as it goes on."""

    family = "marian"

    def __init__(self, plan: TrainingPlan) -> None:
        self._plan = plan
        self._draw = DRAWN[plan.assignment]
        generator = random_of(plan.seed, "tokenizer")
        examples = [self._draw(generator) for _ in range(TOKENIZER_EXAMPLES)]
        texts = (text for example in examples for text in (example.source, example.target))
        self.tokenizer = train_byte_level_bpe(
            texts, plan.vocabulary, special=[PAD, END], lowercase=True, digits_apart=True, end_token=END
        )
        stack = StackConfig(plan.layers, plan.heads, 4 * plan.width)
        self.config = ModelConfig(
            vocabulary=self.tokenizer.vocabulary,
            positions=LONGEST,
            width=plan.width,
            encoder=stack,
            decoder=stack,
            position_encoding="sinusoidal",
            norm_placement="post",
            final_norm=False,
            activation="relu",
            embedding_scale=plan.width**0.5,
            head=HeadConfig(bias=True),
            dropout=plan.dropout,
            start_token=0,
            end_token=1,
            pad_token=0,
        )
        held_out = draw_many(self._draw, random_of(plan.seed, "held out"), HELD_OUT, held_out=True)
        self._held_out = pair_batch(held_out, self.tokenizer, self.config)
        ids = self.tokenizer.encode(held_out[0].target).ids
        # With the target that is right: what the model writes itself changes as it learns.
        self.probe = TraceRequest(text=held_out[0].source, target_ids=[0, *ids[:-1]])

    def batch(self, step: int) -> PairBatch:
        generator: random.Random = random_of(self._plan.seed, step)
        examples = draw_many(self._draw, generator, self._plan.batch, held_out=False)
        return pair_batch(examples, self.tokenizer, self.config)

    def loss(self, model: EncoderDecoder, batch: PairBatch) -> Tensor:
        return self._loss(model, batch, self._plan.label_smoothing)

    def measure(self, model: EncoderDecoder) -> dict[str, float]:
        """`exact` is the share of targets that greedy decoding would get wholly right."""
        pairs = self._held_out
        logits_BQV = model(pairs.source_BK, pairs.target_BQ, source_lengths_B=pairs.source_lengths_B)
        asked_BQ = pairs.labels_BQ != IGNORED
        right_BQ = logits_BQV.argmax(-1) == pairs.labels_BQ
        return {
            "loss": self._loss(model, pairs, 0.0).item(),
            "accuracy": (right_BQ & asked_BQ).sum().item() / asked_BQ.sum().item(),
            "exact": (right_BQ | ~asked_BQ).all(1).float().mean().item(),
        }

    def tokens_of(self, batch: PairBatch) -> int:
        return batch.source_BK.numel() + batch.target_BQ.numel()

    def _loss(self, model: EncoderDecoder, pairs: PairBatch, smoothing: float) -> Tensor:
        logits_BQV = model(pairs.source_BK, pairs.target_BQ, source_lengths_B=pairs.source_lengths_B)
        return F.cross_entropy(
            logits_BQV.flatten(0, 1), pairs.labels_BQ.flatten(), ignore_index=IGNORED, label_smoothing=smoothing
        )
