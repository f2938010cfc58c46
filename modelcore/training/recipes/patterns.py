"""`patterns`: a tiny GPT-2 that closes brackets and marks letters seen before, with heads that show how.

It is trained only on the questions that its lines pose (`modelcore/training/patterns.py`), so its heads do nothing
else: one finds the bracket that is open, another the earlier copies of a letter.
"""

# B batch, N characters, V vocabulary, H heads

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from modelcore.checkpoints.writer import save_checkpoint, write_json
from modelcore.config import ModelConfig, StackConfig
from modelcore.layers.attention_map import AttentionMap
from modelcore.models.build import build
from modelcore.models.decoder import Decoder
from modelcore.tokenizer import GPT2_END_OF_TEXT, Tokenizer, train_byte_level_bpe
from modelcore.training.loop import Optimisation, StepDone, train
from modelcore.training.pairs import IGNORED
from modelcore.training.patterns import (
    BRACKETS,
    LETTERS,
    NEW,
    SEEN,
    Line,
    draw_brackets,
    draw_line,
    draw_repeats,
)
from modelcore.training.schedules import warmup_cosine

# A token for each byte: characters stay apart.
CONFIG = ModelConfig(
    vocabulary=257,
    positions=96,
    width=64,
    decoder=StackConfig(layers=3, heads=4, feedforward_width=256),
    end_token=0,
)
LENGTH, BATCH = 64, 64
STEPS = 4000
PEAK_RATE, WARMUP = 2e-3, 200
ALPHABET = LETTERS + NEW + SEEN + "".join(BRACKETS) + "".join(BRACKETS.values())
HELD_OUT_LINES = 200
ADAM = Optimisation(weight_decay=0.01)

BRACKETS_EXAMPLE = "(see[how{each}one]finds<its[own]mate>here)"
REPEATS_EXAMPLE = "s-e-e+k-i-n-g-s+e+e+d-s+i+n+k+s+"


@dataclass(frozen=True)
class Saved:
    """The checkpoint was written. Accuracy is over the questions of fresh lines."""

    step: int
    brackets_accuracy: float
    repeats_accuracy: float
    brackets_head: tuple[str, int, float]
    repeats_head: tuple[str, int, float]


@dataclass(frozen=True)
class Batch:
    ids_BN: Tensor
    labels_BN: Tensor


def train_patterns(out: Path, *, steps: int = STEPS, seed: int = 0) -> Iterator[StepDone | Saved]:
    """Trains, and writes the checkpoint with its card at the end."""
    torch.manual_seed(seed)
    tokenizer = train_byte_level_bpe([], CONFIG.vocabulary, special=[GPT2_END_OF_TEXT])
    model = build(CONFIG)
    assert isinstance(model, Decoder)
    schedule = warmup_cosine(PEAK_RATE, WARMUP, steps, floor=0.02)
    done = None
    for done in train(model, _batches(tokenizer, seed), answers, schedule, steps, ADAM):
        yield done
    if done is not None:
        yield _save(out, model, tokenizer, done)


def answers(model: Decoder, batch: Batch) -> Tensor:
    """Cross-entropy of the answers to the lines' questions, in nats."""
    logits_BNV = model(batch.ids_BN)
    return F.cross_entropy(logits_BNV.flatten(0, 1), batch.labels_BN.flatten(), ignore_index=IGNORED)


def as_batch(lines: list[Line], tokenizer: Tokenizer) -> Batch:
    """Ids of lines of one length, and the id of each place's answer."""
    ids = {character: tokenizer.encode(character).ids[0] for character in ALPHABET}
    return Batch(
        torch.tensor([[ids[character] for character in line.text] for line in lines]),
        torch.tensor([[IGNORED if answer is None else ids[answer] for answer in line.answers] for line in lines]),
    )


@torch.inference_mode()
def accuracy(model: Decoder, batch: Batch) -> float:
    """The share of questions whose answer is the likeliest character."""
    right_BN = model(batch.ids_BN).argmax(-1) == batch.labels_BN
    return (right_BN.sum() / (batch.labels_BN != IGNORED).sum()).item()


@torch.inference_mode()
def strongest_head(model: Decoder, lines: list[Line], tokenizer: Tokenizer) -> tuple[str, int, float]:
    """The head whose rows put most weight on what tells their answer: site, head, mean weight."""
    maps: list[AttentionMap] = []
    model(as_batch(lines, tokenizer).ids_BN, tap=maps.append)
    wanted_BNN = torch.zeros(len(lines), LENGTH, LENGTH)
    for line, wanted_NN in zip(lines, wanted_BNN, strict=True):
        for row, places in enumerate(line.sources):
            wanted_NN[row, list(places)] = 1
    rows = (wanted_BNN.sum(-1) > 0).sum()
    scores = {
        (str(map_.site), head): score
        for map_ in maps
        for head, score in enumerate(((map_.tile() * wanted_BNN[:, None]).sum(dim=(0, 2, 3)) / rows).tolist())
    }
    (site, head), score = max(scores.items(), key=lambda entry: entry[1])
    return site, head, score


def _batches(tokenizer: Tokenizer, seed: int) -> Iterator[Batch]:
    generator = random.Random(seed)
    while True:
        yield as_batch([draw_line(generator, LENGTH) for _ in range(BATCH)], tokenizer)


def _save(out: Path, model: Decoder, tokenizer: Tokenizer, done: StepDone) -> Saved:
    generator = random.Random("held out")
    brackets = [draw_brackets(generator, LENGTH) for _ in range(HELD_OUT_LINES)]
    repeats = [draw_repeats(generator, LENGTH) for _ in range(HELD_OUT_LINES)]
    saved = Saved(
        done.step,
        accuracy(model, as_batch(brackets, tokenizer)),
        accuracy(model, as_batch(repeats, tokenizer)),
        strongest_head(model, brackets, tokenizer),
        strongest_head(model, repeats, tokenizer),
    )
    save_checkpoint(out, model, "gpt2", tokenizer)
    write_json(out / "card.json", _card(saved))
    return saved


def _card(saved: Saved) -> dict[str, object]:
    def head(found: tuple[str, int, float]) -> dict[str, object]:
        return {"site": found[0], "head": found[1], "score": round(found[2], 4)}

    return {
        "id": "patterns",
        "name": "Patterns",
        "sentence": "A tiny GPT-2: 3 layers of 4 heads that close brackets and mark letters seen before.",
        "examples": [
            {
                "title": "Matching brackets",
                "text": BRACKETS_EXAMPLE,
                "site": saved.brackets_head[0],
                "head": saved.brackets_head[1],
                "finding": "Each row looks back at the innermost bracket that is open: the one that must close next.",
            },
            {
                "title": "Duplicate tokens",
                "text": REPEATS_EXAMPLE,
                "site": saved.repeats_head[0],
                "head": saved.repeats_head[1],
                "finding": "A letter that has stood here before looks back at its earlier copies; + marks those.",
            },
        ],
        "measured": {
            "steps": saved.step,
            "brackets_accuracy": round(saved.brackets_accuracy, 4),
            "repeats_accuracy": round(saved.repeats_accuracy, 4),
            "held_out_lines": 2 * HELD_OUT_LINES,
            "brackets": head(saved.brackets_head),
            "repeats": head(saved.repeats_head),
        },
        "recipe": "python -m modelcore train-zoo patterns --out DIR",
        "training_data": "Lines made by the recipe; the loss counts only the answers to their questions.",
    }
