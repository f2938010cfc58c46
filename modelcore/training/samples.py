"""A few words of a model on its way: it goes on from a probe's beginning, translates it, or guesses what is hidden."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from modelcore.generation.sampling import Sampling
from modelcore.generation.steps import generate
from modelcore.models.decoder import Decoder
from modelcore.models.encoder import Encoder
from modelcore.models.encoder_decoder import EncoderDecoder
from modelcore.tokenizer import Tokenizer
from modelcore.training.assignments.assignment import Assignment

MOST_TOKENS = 64
# Of a text's probe so much is read, and the rest is written anew.
READ_SHARE = 0.25
ASKS = (">", "=")
"""After one of these stands what a line or an equation is asked for."""


@dataclass(frozen=True)
class Sample:
    """What was read, what was written after it, and what would have been right; "" where nothing is."""

    source: str
    text: str
    wanted: str


def sample(model: torch.nn.Module, assignment: Assignment) -> Sample | None:
    """The likeliest words on the probe; None of a model that writes nothing. The model is in eval mode."""
    tokenizer = assignment.tokenizer
    if tokenizer is None:
        return None
    ids = [*(assignment.probe.ids or tokenizer.encode(assignment.probe.text or "").ids)]
    if isinstance(model, EncoderDecoder):
        return _translated(model, tokenizer, ids, [*(assignment.probe.target_ids or [])])
    if isinstance(model, Decoder):
        return _gone_on(model, tokenizer, ids)
    if isinstance(model, Encoder) and model.config.output == "vocabulary":
        return _guessed(model, tokenizer, ids)
    return None


def _translated(model: EncoderDecoder, tokenizer: Tokenizer, source: list[int], target: list[int]) -> Sample:
    """The target begins with the start token, which is nobody's answer."""
    written = [step.id for step in generate(model, [], Sampling(max_tokens=MOST_TOKENS), source=source)]
    return Sample(tokenizer.decode(source), tokenizer.decode(written), tokenizer.decode(target[1:]))


def _gone_on(model: Decoder, tokenizer: Tokenizer, ids: list[int]) -> Sample:
    """From the sign that asks on, where there is one; else after the first quarter."""
    asks = [place for place, id_ in enumerate(ids) if tokenizer.decode([id_]).strip() in ASKS]
    read = asks[0] + 1 if asks else max(1, int(len(ids) * READ_SHARE))
    room = model.config.longest - read
    # What is asked for after a sign is as long as what stands there; of "=" a single number.
    count = (len(ids) - read or 1) if asks else MOST_TOKENS
    if room < 1:
        # The answer's place is beyond the last position: it is read off the last one.
        with torch.inference_mode():
            answer = model(torch.tensor([ids[:read]]))[0, -1].argmax().item()
        return Sample(tokenizer.decode(ids[:read]), tokenizer.decode([int(answer)]), "")
    written = [step.id for step in generate(model, ids[:read], Sampling(max_tokens=min(count, room, MOST_TOKENS)))]
    return Sample(tokenizer.decode(ids[:read]), tokenizer.decode(written), tokenizer.decode(ids[read:]) if asks else "")


@torch.inference_mode()
def _guessed(model: Encoder, tokenizer: Tokenizer, ids: list[int]) -> Sample:
    """Each hidden token's guess in brackets where it stands."""
    guesses = model(torch.tensor([ids]))[0].argmax(-1).tolist()
    shown = [
        f"[{tokenizer.readable(guess)}]" if _hides(tokenizer, id_) else tokenizer.readable(id_)
        for id_, guess in zip(ids, guesses, strict=True)
    ]
    read = [tokenizer.readable(id_) for id_ in ids]
    return Sample(" ".join(read), " ".join(shown), "")


def _hides(tokenizer: Tokenizer, id_: int) -> bool:
    return tokenizer.readable(id_) == "[MASK]"
