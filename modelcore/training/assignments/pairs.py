"""Sources with targets for an encoder-decoder; here those that are made: dates and numbers in words, to be digits."""

from __future__ import annotations

import random

from torch import Tensor

from modelcore.analysis.request import TraceRequest
from modelcore.config import HeadConfig, ModelConfig, StackConfig
from modelcore.models.encoder_decoder import EncoderDecoder
from modelcore.tokenizer import Tokenizer, train_byte_level_bpe
from modelcore.training.assignments.assignment import HELD_OUT, random_of
from modelcore.training.objectives import pairs_loss
from modelcore.training.pairs import IGNORED, PairBatch, draw_many, pair_batch
from modelcore.training.plan import TrainingPlan
from modelcore.training.tasks import Example, draw_date, draw_number

PAD, END = "<pad>", "</s>"
DRAWN = {"dates": draw_date, "numbers": draw_number}
TOKENIZER_EXAMPLES = 4000
LONGEST = 64


class PairAssignment:
    """The paper's Transformer, post-norm with sinusoids (Vaswani et al. 2017, 3).

    Its tokenizer ends every text with END; PAD and END are its first ids.
    """

    family = "marian"

    def __init__(self, plan: TrainingPlan, tokenizer: Tokenizer, held_out: list[Example], longest: int) -> None:
        self._plan = plan
        self.tokenizer = tokenizer
        stack = StackConfig(plan.layers, plan.heads, 4 * plan.width)
        self.config = ModelConfig(
            vocabulary=tokenizer.vocabulary,
            positions=longest,
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
        self.held_out = held_out
        self._held_out = pair_batch(held_out, tokenizer, self.config)
        ids = tokenizer.encode(held_out[0].target).ids
        # With the target that is right: what the model writes itself changes as it learns.
        self.probe = TraceRequest(text=held_out[0].source, target_ids=[0, *ids[:-1]])

    def batch(self, step: int) -> PairBatch:
        return pair_batch(self._draw(random_of(self._plan.seed, step)), self.tokenizer, self.config)

    def _draw(self, generator: random.Random) -> list[Example]:
        """As many known examples as a batch has."""
        raise NotImplementedError

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
        return pairs_loss(model, pairs, smoothing)


class DrawnPairsAssignment(PairAssignment):
    """Examples made as it goes on."""

    def __init__(self, plan: TrainingPlan) -> None:
        self._draw_one = DRAWN[plan.assignment]
        generator = random_of(plan.seed, "tokenizer")
        examples = [self._draw_one(generator) for _ in range(TOKENIZER_EXAMPLES)]
        texts = (text for example in examples for text in (example.source, example.target))
        tokenizer = train_byte_level_bpe(
            texts, plan.vocabulary, special=[PAD, END], lowercase=True, digits_apart=True, end_token=END
        )
        held_out = draw_many(self._draw_one, random_of(plan.seed, "held out"), HELD_OUT, held_out=True)
        super().__init__(plan, tokenizer, held_out, LONGEST)

    def _draw(self, generator: random.Random) -> list[Example]:
        return draw_many(self._draw_one, generator, self._plan.batch, held_out=False)
