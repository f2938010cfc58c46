"""How well cross-attention aligns a date: of each part of 1789-07-14 the head that looks at the words it comes from."""

from __future__ import annotations

from collections.abc import Sequence

from modelcore.analysis.alignment import AlignmentScore, score_alignment
from modelcore.models.encoder_decoder import EncoderDecoder
from modelcore.tokenizer import Tokenizer
from modelcore.training.tasks import Example

# In the order in which `modelcore.training.tasks.draw_date` tells where the digits come from.
PARTS = ("year", "month", "day")


def date_alignment(model: EncoderDecoder, tokenizer: Tokenizer, dates: Sequence[Example]) -> dict[str, AlignmentScore]:
    """For each part the best head, with the share of its weight that lies on the right words while it writes the
    part's digits. `dates` are those of the examples that say where their digits come from.
    """
    encoded = [(tokenizer.encode(date.source), tokenizer.encode(date.target), date.origins) for date in dates]
    return {
        part: max(
            score_alignment(model, [(source, target, [origins[place]]) for source, target, origins in encoded]),
            key=lambda scored: scored.score,
        )
        for place, part in enumerate(PARTS)
    }
