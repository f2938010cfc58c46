"""`prose`: a small GPT-2 that reads old English prose, with induction heads that can be seen.

Texts: the King James Bible, The Devil's Dictionary, the Jargon File and Webster's 1913, as Debian
packages them. A share of the training windows holds a span twice, half of those spans random
tokens: the model learns to look back for what followed last time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from modelcore.analysis.heads import HeadScores, score_heads
from modelcore.checkpoints.writer import save_checkpoint, write_json
from modelcore.config import ModelConfig, StackConfig
from modelcore.models.build import build
from modelcore.models.decoder import Decoder
from modelcore.tokenizer import GPT2_END_OF_TEXT, Tokenizer, train_byte_level_bpe
from modelcore.training import corpora
from modelcore.training.data import Repetition, token_stream, windows
from modelcore.training.loop import StepDone, train
from modelcore.training.objectives import next_token
from modelcore.training.schedules import warmup_cosine

CONFIG = ModelConfig(
    vocabulary=4096,
    positions=256,
    width=256,
    decoder=StackConfig(layers=4, heads=8, feedforward_width=1024),
    end_token=0,
)
BATCH = 8
STEPS = 1800
PEAK_RATE = 2e-3
WARMUP = 100
SAVE_EVERY = 200
REPETITION = Repetition(share=0.4, random_share=0.5)
# Share of the windows from each text, and the share of every text that is held out.
MIXTURE = {corpora.bible: 0.45, corpora.devils_dictionary: 0.08, corpora.jargon_file: 0.17, corpora.webster: 0.3}
HELD_OUT = 0.02
HELD_OUT_BATCHES = 6


@dataclass(frozen=True)
class Saved:
    """A checkpoint was written; its held-out loss is in nats a token, on text without repeated spans."""

    step: int
    held_out_loss: float
    strongest_induction: float
    strongest_previous_token: float


def train_prose(out: Path, *, steps: int = STEPS, seed: int = 0) -> Iterator[StepDone | Saved]:
    """Trains and writes the checkpoint with its card every SAVE_EVERY steps and at the end.

    Raises: corpora.MissingPackage before anything is written.
    """
    torch.manual_seed(seed)
    texts = [corpus() for corpus in MIXTURE]
    tokenizer = train_byte_level_bpe(
        (text for corpus in texts for text in corpus), CONFIG.vocabulary, special=[GPT2_END_OF_TEXT]
    )
    streams = [token_stream(corpus, tokenizer, separator=0) for corpus in texts]
    cuts = [int(len(stream) * (1 - HELD_OUT)) for stream in streams]
    model = build(CONFIG)
    assert isinstance(model, Decoder)
    training = _batches([stream[:cut] for stream, cut in zip(streams, cuts, strict=True)], seed, REPETITION)
    held_out = _batches(
        [stream[cut:] for stream, cut in zip(streams, cuts, strict=True)], seed, Repetition(share=0.0, random_share=0.0)
    )
    held_out_batches = [next(held_out) for _ in range(HELD_OUT_BATCHES)]
    schedule = warmup_cosine(PEAK_RATE, WARMUP, steps)
    for done in train(model, training, next_token, schedule, steps):
        yield done
        if done.step % SAVE_EVERY == 0 or done.step == steps:
            model.eval()
            yield _save(out, model, tokenizer, done, held_out_batches)
            model.train()


def _batches(streams: list[np.ndarray], seed: int, repetition: Repetition) -> Iterator[Tensor]:
    return windows(
        streams,
        list(MIXTURE.values()),
        batch=BATCH,
        length=CONFIG.positions + 1,
        vocabulary=CONFIG.vocabulary,
        repetition=repetition,
        generator=np.random.default_rng(seed),
    )


def _save(out: Path, model: Decoder, tokenizer: Tokenizer, done: StepDone, held_out: list[Tensor]) -> Saved:
    with torch.inference_mode():
        loss = float(np.mean([next_token(model, batch).item() for batch in held_out]))
    scores = score_heads(model)
    induction = _strongest(scores, "induction")
    previous = _strongest(scores, "previous_token")
    save_checkpoint(out, model, "gpt2", tokenizer)
    write_json(out / "card.json", _card(done, loss, induction, previous))
    return Saved(done.step, loss, induction[2], previous[2])


def _strongest(scores: list[HeadScores], kind: str) -> tuple[str, int, float]:
    """The site, head and score of the head that does most of what `kind` names."""
    return max(
        ((str(score.site), head, value) for score in scores for head, value in enumerate(getattr(score, kind))),
        key=lambda entry: entry[2],
    )


def _card(
    done: StepDone, loss: float, induction: tuple[str, int, float], previous: tuple[str, int, float]
) -> dict[str, object]:
    return {
        "id": "prose",
        "name": "Prose",
        "sentence": "A small GPT-2: 4 layers of 8 heads, trained on the King James Bible and three old dictionaries.",
        "example": (
            "And the raven spoke unto Benhadad the tailor, and Benhadad the tailor answered him. "
            "Then the raven spoke unto Benhadad the tailor"
        ),
        "notice": {
            "site": induction[0],
            "head": induction[1],
            "sentence": (
                "An induction head: where words come a second time, it looks back at the word that "
                "followed them the first time."
            ),
        },
        "measured": {
            "steps": done.step,
            "training_tokens": done.step * BATCH * CONFIG.positions,
            "held_out_loss_nats": round(loss, 4),
            "induction": {"site": induction[0], "head": induction[1], "score": round(induction[2], 4)},
            "previous_token": {"site": previous[0], "head": previous[1], "score": round(previous[2], 4)},
        },
        "recipe": "python -m modelcore train-zoo prose --out DIR",
        "training_data": (
            "Debian's bible-kjv-text, dict-devil, dict-jargon and the 1913 Webster entries of dict-gcide. "
            f"{REPETITION.share:.0%} of the training windows hold a span twice; "
            f"{REPETITION.random_share:.0%} of those spans are random tokens."
        ),
    }
