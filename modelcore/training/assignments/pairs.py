"""Sources with targets for an encoder-decoder; here those that are made: dates and numbers in words, to be digits."""

from __future__ import annotations

import random

from torch import Tensor

from modelcore.analysis.request import TraceRequest
from modelcore.config import HeadConfig, ModelConfig, StackConfig
from modelcore.models.encoder_decoder import EncoderDecoder
from modelcore.tokenizer import Tokenizer, train_byte_level_bpe
from modelcore.training.assignments.assignment import HELD_OUT, random_of
from modelcore.training.assignments.marks import marks_of
from modelcore.training.assignments.starting import Given, Start
from modelcore.training.objectives import pairs_loss
from modelcore.training.pairs import IGNORED, PairBatch, draw_many, pair_batch
from modelcore.training.plan import PlanError, TrainingPlan
from modelcore.training.tasks import Example, draw_date, draw_number

PAD, END = "<pad>", "</s>"
DRAWN = {"dates": draw_date, "numbers": draw_number}
TOKENIZER_EXAMPLES = 4000
LONGEST = 64
# Pairs among which a batch of so many tokens finds enough of one length: one for each few tokens.
POOL_SHARE, LEAST_POOL, MOST_POOL = 4, 64, 4096


class TargetAssignment:
    """What all that learn a target from a source have in common: the loss, and what is measured."""

    tokenizer: Tokenizer
    config: ModelConfig
    family: str
    probe: TraceRequest
    _plan: TrainingPlan
    _held_out: PairBatch

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


class PairAssignment(TargetAssignment):
    """Pairs of texts. From nothing, the paper's Transformer, post-norm with sinusoids (Vaswani et al. 2017, 3)."""

    def __init__(
        self, plan: TrainingPlan, tokenizer: Tokenizer, given: Given, held_out: list[Example], longest: int
    ) -> None:
        self._plan = plan
        self.tokenizer = tokenizer
        self.family = given.start.family if given.start else "marian"
        self.config = given.start.config if given.start else as_in_the_paper(plan, tokenizer, longest)
        self.held_out = held_out
        self._held_out = pair_batch(held_out, tokenizer, self.config)
        ids = tokenizer.target.encode(held_out[0].target).ids
        assert self.config.start_token is not None
        # With the target that is right: what the model writes itself changes as it learns.
        self.probe = TraceRequest(text=held_out[0].source, target_ids=[self.config.start_token, *ids[:-1]])

    def batch(self, step: int) -> PairBatch:
        plan, generator = self._plan, random_of(self._plan.seed, step)
        if plan.batch_tokens:
            pool = self._draw(generator, min(MOST_POOL, max(LEAST_POOL, plan.batch_tokens // POOL_SHARE)))
            examples = self._of_one_length(pool, generator)
        else:
            examples = self._draw(generator, plan.batch)
        return pair_batch(examples, self.tokenizer, self.config)

    def _draw(self, generator: random.Random, count: int) -> list[Example]:
        """So many known examples."""
        raise NotImplementedError

    def _of_one_length(self, pool: list[Example], generator: random.Random) -> list[Example]:
        """As many neighbours by length, in characters, as have `batch_tokens` tokens together with their padding."""
        pool = sorted(pool, key=lambda example: len(example.source) + len(example.target))
        first = generator.randrange(len(pool))
        chosen: list[Example] = []
        source, target = 0, 0
        for example in [*pool[first:], *reversed(pool[:first])]:
            source = max(source, len(self.tokenizer.encode(example.source)))
            target = max(target, len(self.tokenizer.target.encode(example.target)))
            if chosen and (source + target) * (len(chosen) + 1) > self._plan.batch_tokens:
                break
            chosen.append(example)
        return chosen


def as_in_the_paper(plan: TrainingPlan, tokenizer: Tokenizer, longest: int) -> ModelConfig:
    """Its padding also starts every target."""
    marks = marks_of(tokenizer)
    # A tokenizer that is taken from elsewhere may know no padding; what stands behind the end is read by nobody.
    pad = marks.end[-1] if marks.pad is None else marks.pad
    stack = StackConfig(plan.layers, plan.heads, 4 * plan.width)
    return ModelConfig(
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
        start_token=pad,
        end_token=marks.end[-1],
        pad_token=pad,
    )


def _refuse_longer(tokens: int, start: Start) -> None:
    if tokens > start.config.longest:
        raise PlanError(
            "start", f"This model reads at most {start.config.longest:,} tokens, and these are up to {tokens:,}."
        )


class DrawnPairsAssignment(PairAssignment):
    """Examples made as it goes on."""

    def __init__(self, plan: TrainingPlan, given: Given) -> None:
        self._draw_one = DRAWN[plan.assignment]
        tokenizer = given.start.tokenizer if given.start else self._own_tokenizer(plan)
        held_out = draw_many(self._draw_one, random_of(plan.seed, "held out"), HELD_OUT, held_out=True)
        if given.start:
            _refuse_longer(max(len(tokenizer.encode(example.source)) for example in held_out), given.start)
        super().__init__(plan, tokenizer, given, held_out, LONGEST)

    def _own_tokenizer(self, plan: TrainingPlan) -> Tokenizer:
        generator = random_of(plan.seed, "tokenizer")
        examples = [self._draw_one(generator) for _ in range(TOKENIZER_EXAMPLES)]
        texts = (text for example in examples for text in (example.source, example.target))
        return train_byte_level_bpe(
            texts, plan.vocabulary, special=[PAD, END], lowercase=True, digits_apart=True, end_token=END
        )

    def _draw(self, generator: random.Random, count: int) -> list[Example]:
        return draw_many(self._draw_one, generator, count, held_out=False)
