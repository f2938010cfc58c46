"""Batches of sources with their targets, for an encoder-decoder."""

# B batch, K source tokens, Q target tokens

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from modelcore.config import ModelConfig
from modelcore.tokenizer import Tokenizer
from modelcore.training.tasks import Example

IGNORED = -100  # the label of padding, as in torch's cross-entropy


class PairBatch(NamedTuple):
    """What encoder and decoder read, and what the decoder should write next at each of its positions."""

    source_BK: Tensor
    source_lengths_B: Tensor
    target_BQ: Tensor
    labels_BQ: Tensor


def pair_batch(examples: list[Example], tokenizer: Tokenizer, config: ModelConfig) -> PairBatch:
    """Encodes the examples; the tokenizer ends every text with the end token."""
    sources = [tokenizer.encode(example.source).ids for example in examples]
    labels = [tokenizer.target.encode(example.target).ids for example in examples]
    return batch_of_ids(sources, labels, config)


def batch_of_ids(sources: list[list[int]], labels: list[list[int]], config: ModelConfig) -> PairBatch:
    """Padded on the right; the decoder reads the start token and then what it should have written."""
    assert config.start_token is not None
    targets = [[config.start_token, *ids[:-1]] for ids in labels]
    pad = config.pad_token or 0
    lengths = torch.tensor([len(ids) for ids in sources])
    return PairBatch(_padded(sources, pad), lengths, _padded(targets, pad), _padded(labels, IGNORED))


def pair_batches(
    draw: Callable[[random.Random], Example], tokenizer: Tokenizer, config: ModelConfig, *, batch: int, seed: int
) -> Iterator[PairBatch]:
    """Endless batches of fresh examples, none of them held out."""
    generator = random.Random(seed)
    while True:
        yield pair_batch(draw_many(draw, generator, batch, held_out=False), tokenizer, config)


def draw_many(
    draw: Callable[[random.Random], Example], generator: random.Random, count: int, *, held_out: bool
) -> list[Example]:
    """So many examples that are held out, or that are not."""
    examples: list[Example] = []
    while len(examples) < count:
        example = draw(generator)
        if example.held_out == held_out:
            examples.append(example)
    return examples


def _padded(rows: list[list[int]], fill: int) -> Tensor:
    longest = max(map(len, rows))
    return torch.tensor([row + [fill] * (longest - len(row)) for row in rows])
