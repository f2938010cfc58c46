"""The lens: what a model would say if it ended after a layer, read off the residual stream by the model's own head.

Source: nostalgebraist 2020, "interpreting GPT: the logit lens"; Belrose et al. 2023 (arXiv 2303.08112) for the tuned
lens, whose translators (`modelcore.analysis.tuned_lens`) bring each layer's stream into the last one's coordinates.
"""

# L what entered the stack, and its layers; N tokens, P positions read, R rows at once, W model width
# V vocabulary or classes, k likeliest

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from modelcore.analysis.chunks import USUAL, Portion
from modelcore.analysis.request import RequestError
from modelcore.analysis.stream import Stream
from modelcore.config import ModelShape
from modelcore.models.build import Transformer
from modelcore.models.readable import Readable, Unembeds
from modelcore.models.stack import Stack

# Scores that are held at once: 16 MB as float32, of which a softmax needs a few times as much.
SCORES_AT_ONCE = 1 << 22

# What is guessed at a position: the token after it, the token itself, or what the whole picture shows.
Guessed = Literal["next", "own", "class"]

# Stands where a position has no true token.
NONE = -1

# From the residual stream (R, W), as a stack's last layer leaves it, to the scores (R, V).
Unembedding = Callable[[Tensor], Tensor]


class Translators(Protocol):
    """What brings the stream at each depth, after so many layers, into the coordinates of the last layer."""

    def translate(self, depth: int, x_RW: Tensor) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class LensReading:
    """What each layer would say at some positions. Everything on the CPU.

    Shapes: ids (L, P, k) int32 and probabilities (L, P, k) float32, falling along k. truth (P,) int32: the true token;
    its probabilities (L, P) float32 and ranks (L, P) int32, 0 for the likeliest. Without a true token NONE, 0 and NONE.
    """

    guessed: Guessed
    ids: Tensor
    probabilities: Tensor
    truth: Tensor
    truth_probabilities: Tensor
    truth_ranks: Tensor


def unembedding(model: Readable) -> Unembedding:
    """The model's own way from its last layer to its scores: final normalisation, the head's transform, output matrix.

    A classifier of pictures reads all places at once and scores them together, (N, W) to (1, V).
    Raises: RequestError if the model scores no tokens.
    """
    if guessed_by(model.config) is None:
        raise RequestError(
            "no_lens", "This model has no head that scores tokens, so there is nothing to read its layers with."
        )
    if not isinstance(model, Transformer):
        if isinstance(model, Unembeds):
            return model.unembed
        raise RequestError("no_lens", "This model does not tell how its head reads what its layers leave.")
    norm = speaking_stack(model).norm
    tokens = getattr(model, "tokens", None)

    def unembed(x_RW: Tensor) -> Tensor:
        scores: Tensor = model.head(norm(x_RW[None]), tokens)
        return scores.flatten(0, -2)

    return unembed


def speaking_stack(model: Transformer) -> Stack:
    """The stack whose stream the head reads."""
    stack = model.get_submodule("encoder" if model.config.decoder is None else "decoder")
    assert isinstance(stack, Stack)
    return stack


def guessed_by(config: ModelShape) -> Guessed | None:
    """What the head's scores are of; None where they are of neither tokens nor pictures."""
    if config.output == "vocabulary":
        return "own" if config.architecture == "encoder" else "next"
    return "class" if config.output == "classes" and config.image is not None else None


@torch.inference_mode()
def read_lens(
    model: Readable,
    stream: Stream,
    positions: range,
    top: int = 5,
    translators: Translators | None = None,
    portion: Portion = USUAL,
) -> LensReading:
    """The likeliest `top` at each layer and position, and how the true token fares there; the last layer's are what
    the model says.

    Cost: positions × layers products with the output matrix; memory is bounded by SCORES_AT_ONCE.
    Raises: RequestError as `unembedding` does, or if positions leave the text.
    """
    unembed, guessed = unembedding(model), guessed_by(model.config)
    assert guessed is not None, "an unembedding scores something"
    truth = truths(stream, guessed)
    if not (0 <= positions.start < positions.stop <= len(truth) and positions.step == 1):
        raise RequestError("bad_positions", f"Positions go from 0 to {len(truth)}.")
    truth_P = torch.tensor(truth[positions.start : positions.stop])
    depths, weight = len(stream.x_LNW), next(model.parameters())
    layers = []
    for depth in range(depths):
        # A picture is classified by all its places at once.
        x_PW = stream.x_LNW[depth] if guessed == "class" else stream.x_LNW[depth, positions.start : positions.stop]
        x_PW = x_PW.to(weight.device, weight.dtype)
        layers.append(x_PW if translators is None or depth == depths - 1 else translators.translate(depth, x_PW))
    # Layers together: each part of the rows reads the whole output matrix once.
    parts = (
        layers
        if guessed == "class"
        else torch.cat(layers).split(min(rows_at_once(model.config.vocabulary, portion), model.config.longest))
    )
    truths_of_parts = truth_P.repeat(depths).split([1 if guessed == "class" else len(part) for part in parts])
    found = [_statistics(unembed(x_RW), truth_R, top) for x_RW, truth_R in zip(parts, truths_of_parts, strict=True)]
    ids, probabilities, truth_probabilities, ranks = (
        torch.cat(column).unflatten(0, (depths, len(truth_P))) for column in zip(*found, strict=True)
    )
    return LensReading(guessed, ids, probabilities, truth_P.int(), truth_probabilities, ranks)


def truths(stream: Stream, guessed: Guessed) -> list[int]:
    """The true token of each position, NONE where there is none: what a picture shows nobody says."""
    if guessed == "class":
        return [NONE]
    return list(stream.ids) if guessed == "own" else [*stream.ids[1:], NONE]


def rows_at_once(vocabulary: int, portion: Portion = USUAL) -> int:
    return max(1, portion.of(SCORES_AT_ONCE) // vocabulary)


def _statistics(scores_RV: Tensor, truth_R: Tensor, top: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """ids (R, k), probabilities (R, k), and of the true token its probability (R,) and rank (R,), on the CPU."""
    scores_RV = scores_RV.float()
    normaliser_R1 = scores_RV.logsumexp(-1, keepdim=True)
    best = scores_RV.topk(min(top, scores_RV.shape[-1]))
    has_truth_R = truth_R != NONE
    score_R1 = scores_RV.gather(-1, truth_R.clamp_min(0)[:, None].to(scores_RV.device))
    rank_R = (scores_RV > score_R1).sum(-1).cpu()
    probability_R = (score_R1 - normaliser_R1).exp()[:, 0].cpu()
    return (
        best.indices.int().cpu(),
        (best.values - normaliser_R1).exp().cpu(),
        probability_R.where(has_truth_R, torch.zeros(())),
        rank_R.where(has_truth_R, torch.tensor(NONE)).int(),
    )
