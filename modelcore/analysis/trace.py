"""Reads a text with a model and yields what every head does, site by site, while later layers still wait.

    TokensRead (one a sequence), SiteTraced (one a site, in the order of the forward pass), NextTokens or ClassesScored

A generator that knows no queue: whoever runs it sends, stores or stops.
"""

# B batch, N tokens, R rows at once, V vocabulary, L classes, k likeliest tokens or classes

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from modelcore.analysis.chunks import USUAL, Portion
from modelcore.analysis.key_tokens import KeyTokens
from modelcore.analysis.labels import HeadLabel
from modelcore.analysis.maps import AttentionMap, Overview, overview_and_labels
from modelcore.analysis.request import RequestError, TraceRequest, label_ids, read_source, read_target
from modelcore.config import StackName
from modelcore.generation.error import GenerationError
from modelcore.generation.sampling import Sampling
from modelcore.generation.steps import generate
from modelcore.models.readable import Readable
from modelcore.models.stack import Layerwise
from modelcore.tokenizer import Encoding, Tokenizer

__all__ = ["ClassesScored", "NextTokens", "RequestError", "SiteTraced", "TokensRead", "TraceRequest", "trace"]

NEXT_TOKENS = 50
# Of logits: 50,257 float32 a row are 0.2 MB.
ROWS_AT_ONCE = 64

# A target without an end must stop somewhere; the start token counts.
WRITTEN_LIMIT = 128


@dataclass(frozen=True)
class TokensRead:
    """One sequence that the model is about to read; `generated` if the model wrote it itself."""

    sequence: StackName
    origin: Literal["given", "generated"]
    encoding: Encoding


@dataclass(frozen=True)
class SiteTraced:
    """What one site did: its map, an overview, each measure's value for every head, and every head's label.

    Units: seconds from the start of the forward pass until this was ready, pauses between sites included.
    """

    map: AttentionMap
    overview: Overview
    measures: dict[str, list[float]]
    labels: list[HeadLabel]
    seconds: float


@dataclass(frozen=True)
class NextTokens:
    """The likeliest next tokens after each position, by a softmax over the whole vocabulary.

    Shapes: ids (N, k) int32, probabilities (N, k) float32, on the CPU, falling along k.
    """

    sequence: StackName
    ids: Tensor
    probabilities: Tensor


@dataclass(frozen=True)
class ClassesScored:
    """What a picture shows: the likeliest classes, by a softmax over all of them.

    Shapes: ids (k,) int32, probabilities (k,) float32, on the CPU, falling.
    """

    ids: Tensor
    probabilities: Tensor


@torch.inference_mode()
def trace(
    model: Readable, request: TraceRequest, tokenizer: Tokenizer | None = None, portion: Portion = USUAL
) -> Iterator[TokensRead | SiteTraced | NextTokens | ClassesScored]:
    """Everything a trace shows. The model rests after each layer until the next site is asked for.

    An encoder-decoder without a target writes one first, greedily, and is then traced reading it. NextTokens come
    from models that score a vocabulary: for an encoder they are its guesses of the token itself. ClassesScored come
    from classifiers of pictures; those of texts may score several labels at once, or a number, which is no softmax.
    Raises: RequestError, at the first step, where the request and the model do not fit.
    """
    inputs: dict[StackName, Tensor] = {}
    tokens: dict[StackName, KeyTokens] = {}
    types: dict[str, Tensor] = {}
    for read in read_sequences(model, request, tokenizer):
        yield read
        inputs[read.sequence] = as_batch(read, request, model)
        types |= token_types(read, model)
        tokens[read.sequence] = KeyTokens.of(read.encoding, is_text=request.pixels is None)
    maps: list[AttentionMap] = []
    layers = model.layerwise(*inputs.values(), tap=maps.append, **types)
    scores_1 = yield from _sites(layers, maps, tokens)
    if model.config.output == "vocabulary":
        yield _next_tokens(list(inputs)[-1], scores_1[0], portion)
    elif model.config.output == "classes" and model.config.image is not None:
        yield _classes(scores_1[0])


def read_sequences(model: Readable, request: TraceRequest, tokenizer: Tokenizer | None) -> Iterator[TokensRead]:
    """The sequences that the model will read, in the order of its arguments.

    Raises: RequestError, before anything is yielded.
    """
    config = model.config
    source = read_source(request, config, tokenizer)
    if config.architecture != "encoder-decoder":
        if request.has_target:
            raise RequestError("no_target", "This model reads one text only; leave the target out.")
        yield TokensRead("decoder" if config.architecture == "decoder" else "encoder", "given", source)
        return
    target = read_target(request, config, tokenizer) if request.has_target else None
    read = TokensRead("encoder", "given", source)
    yield read
    if target is None:
        yield TokensRead("decoder", "generated", label_ids(_write_target(model, source.ids), tokenizer))
    else:
        yield TokensRead("decoder", "given", target)


def _write_target(model: Readable, source: list[int]) -> list[int]:
    """The target that the model writes greedily, as its decoder reads it: with the start token, without the end token.

    Raises: RequestError if the model cannot write.
    """
    start = [] if model.config.start_token is None else [model.config.start_token]
    steps = generate(model, start, Sampling(max_tokens=WRITTEN_LIMIT - 1), source=source, alternatives=0)
    try:
        return start + [step.id for step in steps if step.finished != "end_token"]
    except GenerationError as error:
        raise RequestError(error.code, error.message) from error


def token_types(read: TokensRead, model: Readable) -> dict[str, Tensor]:
    """Of a pair the argument that tells the model which token is whose; nothing for one text, or to a model without
    segments.
    """
    if read.encoding.types is None or (model.config.token_types or 0) < 2:
        return {}
    return {"token_types_BN": torch.tensor([read.encoding.types], device=next(model.parameters()).device)}


def as_batch(read: TokensRead, request: TraceRequest, model: Readable) -> Tensor:
    """What the model takes for a sequence, as a batch of one on its device: ids, int64 (1, N), or the pixels."""
    weight = next(model.parameters())
    if request.pixels is not None:
        return request.pixels.to(weight.device, weight.dtype)
    return torch.tensor([read.encoding.ids], device=weight.device)


def _sites(
    layers: Layerwise[Tensor], maps: list[AttentionMap], tokens: dict[StackName, KeyTokens]
) -> Generator[SiteTraced, None, Tensor]:
    """Advances the model layer by layer, yields what the tap put into `maps`, and returns what the model gives."""
    started = time.perf_counter()
    while True:
        try:
            next(layers)
        except StopIteration as end:
            return end.value
        for map_ in maps:
            keys = tokens["encoder" if map_.site.kind == "cross" else map_.site.stack]
            yield SiteTraced(map_, *overview_and_labels(map_, keys), time.perf_counter() - started)
        maps.clear()


def _next_tokens(sequence: StackName, logits_NV: Tensor, portion: Portion) -> NextTokens:
    """Softmax in float32 over the whole vocabulary, the largest k of it; a few rows at a time, as logits are large."""
    count = min(NEXT_TOKENS, logits_NV.shape[-1])
    ids, probabilities = [], []
    for rows_RV in logits_NV.split(portion.of(ROWS_AT_ONCE)):
        top = rows_RV.topk(count)
        normaliser_R1 = rows_RV.float().logsumexp(-1, keepdim=True)
        ids.append(top.indices.int().cpu())
        probabilities.append((top.values.float() - normaliser_R1).exp().cpu())
    return NextTokens(sequence, torch.cat(ids), torch.cat(probabilities))


def _classes(logits_L: Tensor) -> ClassesScored:
    top = logits_L.float().softmax(-1).topk(min(NEXT_TOKENS, len(logits_L)))
    return ClassesScored(top.indices.int().cpu(), top.values.cpu())
