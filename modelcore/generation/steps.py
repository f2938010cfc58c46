"""Writing as a generator of steps: each token, what might have stood in its place, and what every head looked at."""

# V vocabulary, H heads, K keys, k alternatives

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from modelcore.config import AttentionSite, ModelShape
from modelcore.generation.error import GenerationError
from modelcore.generation.reader import open_reader
from modelcore.generation.sampling import GREEDY, Sampler, Sampling, require_known
from modelcore.generation.written_text import WrittenText
from modelcore.layers.attention_map import AttentionMap, Tap
from modelcore.layers.edits import Edits
from modelcore.models.readable import Readable
from modelcore.tokenizer import Tokenizer

# Why a text ended: the model's end token, one of the sampling's tokens or strings, max_tokens, the model's positions.
Ending = Literal["end_token", "stop_token", "stop_string", "length", "positions"]


class NewRow(NamedTuple):
    """The last row of a site's map: column c is the key at position first_key + c. float32 (H, K), on the CPU."""

    first_key: int
    probabilities_HK: Tensor


class Alternative(NamedTuple):
    """A token that might have been written, and the model's probability for it."""

    id: int
    probability: float


@dataclass(frozen=True)
class Step:
    """One written token.

    place                the token's position in the decoder's text, the prompt before it
    id, text             the token, and how it reads (bytes of half a character as ⟨E2 9C⟩)
    written              the text that can be shown from now on: whole characters, nothing of a stop string
    probability          by the model, before any filter
    sampled_probability  among what the filters left; 1 where the likeliest is taken
    alternatives         the tokens likeliest by the model, falling
    rows                 what each head looked at to write this token: the row of the token before it
    finished             why the text ends here; None where it goes on
    """

    place: int
    id: int
    text: str
    written: str
    probability: float
    sampled_probability: float
    alternatives: tuple[Alternative, ...] = ()
    rows: Mapping[AttentionSite, NewRow] = field(default_factory=dict)
    finished: Ending | None = None


@torch.inference_mode()
def generate(
    model: Readable,
    prompt: Sequence[int],
    sampling: Sampling = GREEDY,
    *,
    source: Sequence[int] | None = None,
    tokenizer: Tokenizer | None = None,
    alternatives: int = 10,
    rows: bool = False,
    tap: Tap | None = None,
    edits: Edits | None = None,
) -> Iterator[Step]:
    """Goes on from the prompt, one step at a time; the model rests until the next is asked for.

    An encoder-decoder writes from a `source`; without a prompt its text begins with the start token.
    The end token and stop tokens are steps too. Nothing is captured without `rows`, or a `tap` in their place, which
    receives the maps of each reading: the prompt's, then one row a site for each token.
    Raises: GenerationError, at the first step, if there is nothing to read, too much, or a token is unknown.
    """
    config = model.config
    device = next(model.parameters()).device
    sampling.check_tokens(config.vocabulary)
    if sampling.stop_strings and tokenizer is None:
        raise GenerationError("no_tokenizer", "Stop strings need a tokenizer; give stop tokens instead.")
    if alternatives < 0:
        raise GenerationError("bad_sampling", f"{alternatives} alternatives cannot be told; ask for 0 or more.")
    prompt = check_prompt(config, prompt, source)
    taken = _LastRows() if rows else None
    source_1K = None if source is None else torch.tensor([source], device=device)
    reader = open_reader(model, source_1K, tap=taken or tap, edits=edits)
    sampler = Sampler(sampling, device)
    written = None if tokenizer is None else WrittenText(tokenizer, prompt, sampling.stop_strings)
    text_N = new_N = torch.tensor(prompt, device=device)
    for place in range(len(prompt), min(len(prompt) + sampling.max_tokens, config.longest)):
        logits_V = reader.read(new_N[None])[0].float()
        id_, sampled_probability = sampler.choose(logits_V, text_N)
        finished = _ending(id_, place + 1, len(prompt), config, sampling)
        shown = ""
        if written is not None:
            shown = written.add(id_)
            if finished is not None:
                shown += written.rest()
            if written.stopped:
                finished = "stop_string"
        log_total = logits_V.logsumexp(-1)
        probability = (logits_V[id_] - log_total).exp().item()
        require_finite(probability, place)
        yield Step(
            place,
            id_,
            f"#{id_}" if tokenizer is None else tokenizer.readable(id_),
            shown,
            probability,
            sampled_probability,
            _alternatives(logits_V, log_total, alternatives),
            {} if taken is None else taken.handed_over(),
            finished,
        )
        if finished is not None:
            return
        new_N = torch.tensor([id_], device=device)
        text_N = torch.cat([text_N, new_N])


def require_finite(number: float, place: int) -> None:
    """Raises: GenerationError where scores have become NaN, which no choice can be made by."""
    if math.isnan(number):
        raise GenerationError(
            "not_finite",
            f"The model's scores for the token at place {place} are not finite; its weights may be damaged, "
            "or too large for this dtype.",
        )


def check_prompt(config: ModelShape, prompt: Sequence[int], source: Sequence[int] | None = None) -> Sequence[int]:
    """The prompt, or the start token where an encoder-decoder has none.

    Raises: GenerationError if there is nothing to read, more than the model reads, or a token that it does not know.
    """
    if source is not None:
        _check_read("source", source, config)
    if not prompt and config.architecture == "encoder-decoder" and config.start_token is not None:
        prompt = [config.start_token]
    _check_read("prompt", prompt, config)
    if len(prompt) == config.longest:
        raise GenerationError(
            "no_room", f"The prompt fills all {config.longest:,} positions of this model; shorten it to leave room."
        )
    return prompt


def _check_read(name: str, ids: Sequence[int], config: ModelShape) -> None:
    if not ids:
        raise GenerationError("empty_prompt", f"The {name} is empty; give at least one token to go on from.")
    if len(ids) > config.longest:
        raise GenerationError(
            "prompt_too_long",
            f"The {name} has {len(ids):,} tokens; the model reads at most {config.longest:,}. Shorten it.",
        )
    for id_ in ids:
        require_known(f"the {name}", id_, config.vocabulary)


def _ending(id_: int, length: int, prompt: int, config: ModelShape, sampling: Sampling) -> Ending | None:
    """Why a text of this length ends with this token, strings aside."""
    if id_ == config.end_token:
        return "end_token"
    if id_ in sampling.stop_tokens:
        return "stop_token"
    if length - prompt == sampling.max_tokens:
        return "length"
    return "positions" if length == config.longest else None


def _alternatives(logits_V: Tensor, log_total: Tensor, count: int) -> tuple[Alternative, ...]:
    if not count:
        return ()
    top = logits_V.topk(min(count, logits_V.shape[-1]))
    probabilities = (top.values - log_total).exp()
    return tuple(map(Alternative, top.indices.tolist(), probabilities.tolist()))


class _LastRows:
    """A tap that keeps the last row of each of the decoder's maps until it is handed over."""

    def __init__(self) -> None:
        self._rows: dict[AttentionSite, NewRow] = {}

    def __call__(self, map_: AttentionMap) -> None:
        if map_.site.stack == "decoder":
            row_HK = map_.tile(range(map_.queries - 1, map_.queries))[0, :, 0]
            self._rows[map_.site] = NewRow(map_.first_key, row_HK.cpu())

    def handed_over(self) -> dict[AttentionSite, NewRow]:
        rows, self._rows = self._rows, {}
        return rows
