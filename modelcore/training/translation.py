"""How well a trained encoder-decoder translates what it never learned: beam search, BLEU, targets wholly right."""

from __future__ import annotations

from collections.abc import Callable

from sacrebleu.metrics import BLEU

from modelcore.generation.beams import BeamSearch, LengthPenalty, beam_search
from modelcore.models.encoder_decoder import EncoderDecoder
from modelcore.tokenizer import Tokenizer
from modelcore.training.tasks import Example

# Vaswani et al. 2017, 6.1: a beam of 4 and a length penalty of 0.6; targets of at most 50 tokens more than the source.
BEAMS, PENALTY, LONGER = 4, 0.6, 50
PAIRS = 100


def translate(
    model: EncoderDecoder, tokenizer: Tokenizer, pairs: list[Example], each: Callable[[], None] = lambda: None
) -> tuple[dict[str, float], list[str]]:
    """`bleu` of 0 to 100 and `beam_exact`, a share, with the texts. The model is in eval mode; `each` is called before
    each pair, and may raise.

    Source: Papineni et al. 2002; Post 2018 (sacrebleu), its defaults: 13a tokens, case told apart.
    """
    start, specials = model.config.start_token, {model.config.end_token, model.config.pad_token}
    assert start is not None, "an encoder-decoder has a start token"
    written = []
    for pair in pairs[:PAIRS]:
        each()
        source = tokenizer.encode(pair.source).ids
        room = min(len(source) + LONGER, model.config.longest - 1)
        search = BeamSearch(BEAMS, LengthPenalty("wu", PENALTY), max_tokens=room)
        best = beam_search(model, [start], search, source=source).hypotheses[0]
        written.append(tokenizer.decode([id_ for id_ in best.ids if id_ not in specials]).strip())
    wanted = [as_decoded(tokenizer, pair.target) for pair in pairs[:PAIRS]]
    exact = sum(found == right for found, right in zip(written, wanted, strict=True)) / len(wanted)
    return {"bleu": BLEU().corpus_score(written, [wanted]).score, "beam_exact": exact}, written


def as_decoded(tokenizer: Tokenizer, text: str) -> str:
    """A target as the tokenizer can say it: in small letters where it knows no others."""
    return tokenizer.decode(tokenizer.encode(text).ids).strip()
