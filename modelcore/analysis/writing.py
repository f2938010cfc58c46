"""A model writes, watched: its tokens with every head's new row, and at the end everything that a trace tells.

TokensRead (the source, the prompt), Written (one a token; after the first, the PromptRows of each site),
then of the finished text what `trace` yields
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from modelcore.analysis.chunks import USUAL, Portion
from modelcore.analysis.request import TraceRequest, label_ids, read_source, read_target
from modelcore.analysis.trace import NextTokens, SiteTraced, TokensRead, trace
from modelcore.config import ModelShape
from modelcore.generation.beams import BeamNode, BeamSearch, Hypothesis, grow_beams
from modelcore.generation.row_watch import NewRows, PromptRows, RowWatch
from modelcore.generation.sampling import Sampling
from modelcore.generation.steps import Step, check_prompt, generate
from modelcore.models.readable import Readable
from modelcore.tokenizer import Encoding, Tokenizer

ALTERNATIVES = 10


@dataclass(frozen=True)
class Written:
    """A token that was written, and what every head looked at for it: the row of the token before it."""

    step: Step
    rows: NewRows


@dataclass(frozen=True)
class BeamsGrown:
    """The nodes that one growth of a beam search kept; at its end none, and the texts that it found, best first."""

    kept: list[BeamNode]
    found: list[Hypothesis]


@dataclass(frozen=True)
class Start:
    """What a model goes on from: the prompt as the decoder reads it, and an encoder-decoder's source."""

    prompt: Encoding
    source: Encoding | None = None

    def read(self) -> Iterator[TokensRead]:
        """Both as sequences. A prompt is told with what follows it, so its offsets count in its tokens' own texts."""
        if self.source is not None:
            yield TokensRead("encoder", "given", self.source)
        yield TokensRead("decoder", "generated" if self.source is not None else "given", self.prompt)


def read_start(request: TraceRequest, config: ModelShape, tokenizer: Tokenizer | None) -> Start:
    """The text is the prompt; an encoder-decoder's source, from which it writes on after the target, if there is one.

    Raises: RequestError or GenerationError, where there is nothing to read, or no room to write.
    """
    given = read_source(request, config, tokenizer)
    if config.architecture == "encoder-decoder":
        if request.has_target:
            prompt = read_target(request, config, tokenizer)
        else:
            prompt = label_ids(check_prompt(config, [], given.ids), tokenizer)
        check_prompt(config, prompt.ids, given.ids)
        return Start(prompt, given)
    if request.text is not None and given.ids[-1] == config.end_token:
        # A tokenizer may end every text, but this one goes on.
        given = _without_last(given)
    check_prompt(config, given.ids)
    return Start(given)


@torch.inference_mode()
def write(
    model: Readable,
    request: TraceRequest,
    sampling: Sampling,
    tokenizer: Tokenizer | None = None,
    portion: Portion = USUAL,
) -> Iterator[TokensRead | Written | PromptRows | SiteTraced | NextTokens]:
    """Goes on from a text, one token at a time. The model rests until the next is asked for.

    Raises: RequestError or GenerationError, at the first step.
    """
    start = read_start(request, model.config, tokenizer)
    yield from start.read()
    prompt = start.prompt.ids
    watch = RowWatch(min(len(prompt) + sampling.max_tokens, model.config.longest))
    steps = generate(
        model,
        prompt,
        sampling,
        source=None if start.source is None else start.source.ids,
        tokenizer=tokenizer,
        alternatives=ALTERNATIVES,
        tap=watch,
    )
    written: list[int] = []
    for step in steps:
        yield Written(step, watch.handed_over())
        # Nobody shall wait for the first token longer than it takes to write it.
        yield from watch.prompt()
        if step.finished != "end_token":
            written.append(step.id)
    yield from _trace_finished(model, start, written, tokenizer, portion)


@torch.inference_mode()
def write_beams(
    model: Readable,
    request: TraceRequest,
    search: BeamSearch,
    tokenizer: Tokenizer | None = None,
    portion: Portion = USUAL,
) -> Iterator[TokensRead | BeamsGrown | SiteTraced | NextTokens]:
    """The same by beam search; the finished text is the best that was found."""
    start = read_start(request, model.config, tokenizer)
    yield from start.read()
    source = None if start.source is None else start.source.ids
    growths = grow_beams(model, start.prompt.ids, search, source=source)
    while True:
        try:
            yield BeamsGrown(next(growths), [])
        except StopIteration as end:
            found: list[Hypothesis] = end.value
            break
    yield BeamsGrown([], found)
    best = list(found[0].ids) if found else []
    if best and best[-1] == model.config.end_token:
        best.pop()
    yield from _trace_finished(model, start, best, tokenizer, portion)


def _trace_finished(
    model: Readable, start: Start, written: Sequence[int], tokenizer: Tokenizer | None, portion: Portion
) -> Iterator[TokensRead | SiteTraced | NextTokens]:
    text = [*start.prompt.ids, *written]
    source = start.source
    request = TraceRequest(ids=text) if source is None else TraceRequest(ids=source.ids, target_ids=text)
    for told in trace(model, request, tokenizer, portion):
        if isinstance(told, SiteTraced | NextTokens):
            yield told
        elif isinstance(told, TokensRead) and told.sequence == "decoder":
            yield TokensRead("decoder", "generated", told.encoding)


def _without_last(encoding: Encoding) -> Encoding:
    return Encoding(
        encoding.ids[:-1],
        encoding.offsets[:-1],
        encoding.texts[:-1],
        encoding.special[:-1],
    )
