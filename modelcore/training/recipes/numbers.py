"""`numbers`: the original Transformer, small, turning dates and numbers in words into digits.

"the fourteenth of july seventeen eighty-nine" → "1789-07-14". The examples are made as training
goes on; one target in HELD_OUT_OF is never trained on, and accuracy is measured on those alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from modelcore.analysis.alignment import AlignmentScore, score_alignment
from modelcore.checkpoints.writer import save_checkpoint, write_json
from modelcore.config import HeadConfig, ModelConfig, StackConfig
from modelcore.models.build import build
from modelcore.models.encoder_decoder import EncoderDecoder
from modelcore.tokenizer import Tokenizer, train_byte_level_bpe
from modelcore.training.loop import Optimisation, StepDone, train
from modelcore.training.objectives import target_given_source
from modelcore.training.pairs import IGNORED, draw_many, pair_batch, pair_batches
from modelcore.training.schedules import warmup_cosine
from modelcore.training.tasks import HELD_OUT_OF, Example, draw_date, draw_example

PAD, END = "<pad>", "</s>"
CONFIG = ModelConfig(
    vocabulary=640,
    positions=64,
    width=128,
    encoder=StackConfig(layers=2, heads=4, feedforward_width=512),
    decoder=StackConfig(layers=2, heads=4, feedforward_width=512),
    position_encoding="sinusoidal",
    norm_placement="post",
    final_norm=False,
    activation="relu",
    embedding_scale=128**0.5,
    head=HeadConfig(bias=True),
    start_token=0,
    end_token=1,
    pad_token=0,
)
BATCH = 96
STEPS = 1100
PEAK_RATE = 1.5e-3
WARMUP = 200
SAVE_EVERY = 200
TOKENIZER_EXAMPLES = 20_000
HELD_OUT_EXAMPLES = 2000
ALIGNMENT_EXAMPLES = 200
# Vaswani et al. 2017, section 5.3.
ADAM = Optimisation(betas=(0.9, 0.98), epsilon=1e-9, weight_decay=0.0)


@dataclass(frozen=True)
class Saved:
    """A checkpoint was written; accuracy counts the held-out targets that greedy decoding gets wholly right."""

    step: int
    accuracy: float
    best_alignment: float


def train_numbers(out: Path, *, steps: int = STEPS, seed: int = 0) -> Iterator[StepDone | Saved]:
    """Trains and writes the checkpoint with its card every SAVE_EVERY steps and at the end."""
    torch.manual_seed(seed)
    tokenizer = _train_tokenizer(random.Random(seed))
    model = build(CONFIG)
    assert isinstance(model, EncoderDecoder)
    batches = pair_batches(draw_example, tokenizer, CONFIG, batch=BATCH, seed=seed)
    schedule = warmup_cosine(PEAK_RATE, WARMUP, steps, floor=0.02)
    for done in train(model, batches, target_given_source, schedule, steps, ADAM):
        yield done
        if done.step % SAVE_EVERY == 0 or done.step == steps:
            model.eval()
            yield _save(out, model, tokenizer, done)
            model.train()


@torch.inference_mode()
def measure_accuracy(model: EncoderDecoder, tokenizer: Tokenizer, examples: list[Example]) -> float:
    """The share of examples that greedy decoding gets wholly right.

    Greedy decoding writes the target exactly if each of its tokens is the likeliest after those
    before it, so one pass over given targets decides.
    """
    pairs = pair_batch(examples, tokenizer, model.config)
    logits_BQV = model(pairs.source_BK, pairs.target_BQ, source_lengths_B=pairs.source_lengths_B)
    right_BQ = (logits_BQV.argmax(-1) == pairs.labels_BQ) | (pairs.labels_BQ == IGNORED)
    return right_BQ.all(dim=1).float().mean().item()


def _train_tokenizer(generator: random.Random) -> Tokenizer:
    examples = [draw_example(generator) for _ in range(TOKENIZER_EXAMPLES)]
    texts = (text for example in examples for text in (example.source, example.target))
    return train_byte_level_bpe(
        texts, CONFIG.vocabulary, special=[PAD, END], lowercase=True, digits_apart=True, end_token=END
    )


def _save(out: Path, model: EncoderDecoder, tokenizer: Tokenizer, done: StepDone) -> Saved:
    generator = random.Random("held out")
    accuracy = measure_accuracy(model, tokenizer, draw_many(draw_example, generator, HELD_OUT_EXAMPLES, held_out=True))
    dates = draw_many(draw_date, generator, ALIGNMENT_EXAMPLES, held_out=True)
    scores = score_alignment(
        model, [(tokenizer.encode(date.source), tokenizer.encode(date.target), date.origins) for date in dates]
    )
    best = max(scores, key=lambda score: score.score)
    save_checkpoint(out, model, "marian", tokenizer)
    write_json(out / "card.json", _card(done, accuracy, best))
    return Saved(done.step, accuracy, best.score)


def _card(done: StepDone, accuracy: float, best: AlignmentScore) -> dict[str, object]:
    return {
        "id": "numbers",
        "name": "Numbers",
        "sentence": "The original Transformer, small: it reads a date or a number in words and writes it in digits.",
        "examples": [
            {
                "title": "Cross-attention in a translation",
                "text": "the fourteenth of july seventeen eighty-nine",
                "site": str(best.site),
                "head": best.head,
                "finding": (
                    "Each row writes the next digit, and looks back at the words that it comes from: "
                    "first the year, then the month, then the day."
                ),
            }
        ],
        "measured": {
            "steps": done.step,
            "held_out_accuracy": round(accuracy, 4),
            "held_out_examples": HELD_OUT_EXAMPLES,
            "alignment": {"site": str(best.site), "head": best.head, "score": round(best.score, 4)},
        },
        "recipe": "python -m modelcore train-zoo numbers --out DIR",
        "training_data": f"Made by the recipe; one target in {HELD_OUT_OF} was held out of training.",
    }
