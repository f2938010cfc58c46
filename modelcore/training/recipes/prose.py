"""`prose`: a small GPT-2 that reads old English prose, with induction heads that can be seen.

Texts: the King James Bible, The Devil's Dictionary, the Jargon File and Webster's 1913, as Debian
packages them. A share of the training windows holds a span twice, some of those spans random
tokens: the model learns to look back for what followed last time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from modelcore.analysis.heads import HeadScores, score_heads
from modelcore.checkpoints.writer import save_checkpoint, write_json
from modelcore.config import ModelConfig, StackConfig
from modelcore.layers.attention_map import AttentionMap
from modelcore.models.build import build
from modelcore.models.decoder import Decoder
from modelcore.tokenizer import GPT2_END_OF_TEXT, Tokenizer, train_byte_level_bpe
from modelcore.training import corpora
from modelcore.training.data import Repetition, token_stream, windows
from modelcore.training.leaning import lean
from modelcore.training.loop import Optimisation, StepDone, train
from modelcore.training.objectives import next_token
from modelcore.training.schedules import warmup_cosine

CONFIG = ModelConfig(
    vocabulary=4096,
    positions=256,
    width=256,
    decoder=StackConfig(layers=4, heads=8, feedforward_width=1024),
    end_token=0,
)
PEAK_RATE = 1.5e-3
WARMUP = 60
SAVE_EVERY = 50
EXAMPLE = "Zebulon the baker met Quixley the tinker. The next day, Zebulon the baker met Quixley the"
# oneDNN's bfloat16 products take a CPU of this kind 0.6 s a step instead of 0.9 s.
ADAM = Optimisation(product_dtype=torch.bfloat16)
# Share of the windows from each text, and the share of every text that is held out.
MIXTURE = {corpora.bible: 0.45, corpora.devils_dictionary: 0.08, corpora.jargon_file: 0.17, corpora.webster: 0.3}
HELD_OUT = 0.02


@dataclass(frozen=True)
class Phase:
    """A stretch of training with windows of one length; each step reads `batch` × `length` tokens."""

    steps: int
    length: int
    batch: int
    repetition: Repetition


# First what text rewards too rarely for so short a training: to look back for what followed last time.
PHASES = (
    Phase(steps=300, length=64, batch=32, repetition=Repetition(share=0.6, random_share=0.7, periodic=True)),
    Phase(steps=1500, length=256, batch=8, repetition=Repetition(share=0.3, random_share=0.4)),
)
HELD_OUT_PHASE = Phase(steps=6, length=256, batch=8, repetition=Repetition(share=0.0, random_share=0.0))
TOKENS_A_STEP = 2048  # in each phase
STEPS = sum(phase.steps for phase in PHASES)


@dataclass(frozen=True)
class Saved:
    """A checkpoint was written; its held-out loss is in nats a token, on text without repeated spans."""

    step: int
    held_out_loss: float
    strongest_induction: float
    strongest_previous_token: float


def train_prose(out: Path, *, steps: int = STEPS, seed: int = 0) -> Iterator[StepDone | Saved]:
    """Trains and writes the checkpoint with its card every SAVE_EVERY steps and at the end.

    Raises: corpora.MissingPackageError before anything is written.
    """
    torch.manual_seed(seed)
    texts = [corpus() for corpus in MIXTURE]
    tokenizer = train_byte_level_bpe(
        (text for corpus in texts for text in corpus), CONFIG.vocabulary, special=[GPT2_END_OF_TEXT]
    )
    streams = [token_stream(corpus, tokenizer, separator=0) for corpus in texts]
    cuts = [int(len(stream) * (1 - HELD_OUT)) for stream in streams]
    training = [stream[:cut] for stream, cut in zip(streams, cuts, strict=True)]
    held_out = [stream[cut:] for stream, cut in zip(streams, cuts, strict=True)]
    held_out_batches = list(_batches(held_out, HELD_OUT_PHASE, seed))
    batches = chain.from_iterable(_batches(training, phase, seed) for phase in PHASES)
    model = build(CONFIG)
    assert isinstance(model, Decoder)
    lean(model)
    for done in train(model, batches, next_token, warmup_cosine(PEAK_RATE, WARMUP, steps), steps, ADAM):
        yield done
        if done.step % SAVE_EVERY == 0 or done.step == steps:
            model.eval()
            yield _save(out, model, tokenizer, done, held_out_batches)
            model.train()


def _batches(streams: list[np.ndarray], phase: Phase, seed: int) -> Iterator[Tensor]:
    endless = windows(
        streams,
        list(MIXTURE.values()),
        batch=phase.batch,
        length=phase.length + 1,
        vocabulary=CONFIG.vocabulary,
        repetition=phase.repetition,
        generator=np.random.default_rng(seed),
    )
    return islice(endless, phase.steps)


def _save(out: Path, model: Decoder, tokenizer: Tokenizer, done: StepDone, held_out: list[Tensor]) -> Saved:
    with torch.inference_mode():
        loss = float(np.mean([next_token(model, batch).item() for batch in held_out]))
    scores = score_heads(model)
    induction = _strongest(scores, "induction")
    previous = _strongest(scores, "previous_token")
    resting = _most_resting(model, tokenizer)
    save_checkpoint(out, model, "gpt2", tokenizer)
    write_json(out / "card.json", _card(done, loss, induction, previous, resting))
    return Saved(done.step, loss, induction[2], previous[2])


def _strongest(scores: list[HeadScores], kind: str) -> tuple[str, int, float]:
    """The site, head and score of the head that does most of what `kind` names."""
    return max(
        ((str(score.site), head, value) for score in scores for head, value in enumerate(getattr(score, kind))),
        key=lambda entry: entry[2],
    )


@torch.inference_mode()
def _most_resting(model: Decoder, tokenizer: Tokenizer) -> tuple[str, int, float]:
    """The head that rests most on the first token of EXAMPLE, and its mean weight there."""
    maps: list[AttentionMap] = []
    model(torch.tensor([tokenizer.encode(EXAMPLE).ids]), tap=maps.append)
    resting = [(str(map_.site), map_.stats()["first_token"][0].tolist()) for map_ in maps]
    return max(
        ((site, head, value) for site, values in resting for head, value in enumerate(values)),
        key=lambda entry: entry[2],
    )


def _card(
    done: StepDone,
    loss: float,
    induction: tuple[str, int, float],
    previous: tuple[str, int, float],
    resting: tuple[str, int, float],
) -> dict[str, object]:
    return {
        "id": "prose",
        "name": "Prose",
        "sentence": "A small GPT-2: 4 layers of 8 heads, trained on the King James Bible and three old dictionaries.",
        "examples": [
            {
                "title": "Induction",
                "text": EXAMPLE,
                "site": induction[0],
                "head": induction[1],
                "finding": (
                    "An induction head: where words come a second time, it looks back at the word that "
                    "followed them the first time."
                ),
            },
            {
                "title": "Previous token",
                "text": EXAMPLE,
                "site": previous[0],
                "head": previous[1],
                "finding": (
                    "Every row looks at the token just before it. Induction heads in later layers read what this "
                    "one brings along."
                ),
            },
            {
                "title": "First-token sink",
                "text": EXAMPLE,
                "site": resting[0],
                "head": resting[1],
                "finding": (
                    "Nearly every row rests on the first token: a head with nothing to do here puts its weight there. "
                    "The colour scale leaves that column out; press the button under the map to see it in full."
                ),
            },
        ],
        "measured": {
            "steps": done.step,
            "training_tokens": done.step * TOKENS_A_STEP,
            "held_out_loss_nats": round(loss, 4),
            "induction": {"site": induction[0], "head": induction[1], "score": round(induction[2], 4)},
            "previous_token": {"site": previous[0], "head": previous[1], "score": round(previous[2], 4)},
            "first_token": {"site": resting[0], "head": resting[1], "score": round(resting[2], 4)},
        },
        "recipe": "python -m modelcore train-zoo prose --out DIR",
        "start": (
            "The first layer's heads started leaning to the tokens just before, the others copying what they look at "
            "(modelcore/training/leaning.py); that they compare, and become induction heads, they learned."
        ),
        "precision": "Matrix products in bfloat16; weights, gradients and the loss in float32.",
        "training_data": (
            "Debian's bible-kjv-text, dict-devil, dict-jargon and the 1913 Webster entries of dict-gcide. "
            + " ".join(
                f"In the {phase.steps} steps with windows of {phase.length} tokens, {phase.repetition.share:.0%} of "
                f"them {'were one span again and again' if phase.repetition.periodic else 'held a span twice'}, "
                f"{phase.repetition.random_share:.0%} of those spans random tokens."
                for phase in PHASES
            )
        ),
    }
