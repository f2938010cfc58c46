"""Batches for a language model: windows of a token stream, some with a span that comes twice."""

# B batch, N tokens of a window

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from modelcore.tokenizer import Tokenizer


@dataclass(frozen=True)
class Repetition:
    """Which share of the windows repeats a span, and which share of those spans is random tokens.

    A repeated span rewards the induction head (Olsson et al. 2022): after "A B … A", B follows.
    A `periodic` window is nothing but its span, again and again.
    """

    share: float
    random_share: float
    periodic: bool = False
    shortest_span: int = 8


def token_stream(texts: list[str], tokenizer: Tokenizer, separator: int) -> np.ndarray:
    """All texts one after the other, each followed by the separator's id; int32."""
    pieces = [[*tokenizer.encode(text).ids, separator] for text in texts]
    return np.fromiter((id_ for piece in pieces for id_ in piece), dtype=np.int32)


def windows(
    streams: list[np.ndarray],
    weights: list[float],
    *,
    batch: int,
    length: int,
    vocabulary: int,
    repetition: Repetition,
    generator: np.random.Generator,
) -> Iterator[Tensor]:
    """Endless batches (B, N) int64: random windows, the streams drawn by weight."""
    while True:
        rows = []
        for stream in generator.choice(len(streams), size=batch, p=weights):
            start = generator.integers(0, len(streams[stream]) - length)
            window = streams[stream][start : start + length].astype(np.int64)
            if generator.random() < repetition.share:
                repeat_span(window, vocabulary, repetition, generator)
            rows.append(window)
        yield torch.from_numpy(np.stack(rows))


def repeat_span(window_N: np.ndarray, vocabulary: int, repetition: Repetition, generator: np.random.Generator) -> None:
    """Writes a copy of a span of the window over a later part of it, in place.

    … [ span ] …gap… [ span ] …        the span may first be replaced by random tokens
    """
    length = len(window_N)
    span = int(generator.integers(repetition.shortest_span, length // 2 + 1))
    first = 0 if repetition.periodic else int(generator.integers(0, length - 2 * span + 1))
    if generator.random() < repetition.random_share:
        window_N[first : first + span] = generator.integers(0, vocabulary, size=span)
    if repetition.periodic:
        window_N[:] = np.resize(window_N[:span], length)
        return
    second = int(generator.integers(first + span, length - span + 1))
    window_N[second : second + span] = window_N[first : first + span]
