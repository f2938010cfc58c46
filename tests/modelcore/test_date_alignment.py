"""The zoo's `numbers` writes dates in digits; its heads look at the words of the part that is being written."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import modelcore
from modelcore.models.encoder_decoder import EncoderDecoder
from modelcore.opening import open_any
from modelcore.training.date_alignment import PARTS, date_alignment
from modelcore.training.pairs import draw_many
from modelcore.training.tasks import Example, draw_date

NUMBERS = Path(modelcore.__file__).parent / "zoo" / "numbers"


def aligned(dates: Sequence[Example]) -> dict[str, float]:
    opened = open_any(NUMBERS)
    model = opened.load()
    assert isinstance(model, EncoderDecoder) and opened.tokenizer is not None
    return {part: best.score for part, best in date_alignment(model, opened.tokenizer, dates).items()}


def test_year_month_and_day_are_each_looked_at_while_they_are_written() -> None:
    dates = draw_many(draw_date, random.Random(0), 40, held_out=True)
    scores = aligned(dates)
    assert list(scores) == list(PARTS) and min(scores.values()) > 0.7, scores
    # Told that the day's words are the year's and the other way round, nobody looks there.
    turned = [Example(date.source, date.target, _turned(date)) for date in dates]
    wrong = aligned(turned)
    assert max(wrong["year"], wrong["day"]) < 0.5, wrong


def _turned(date: Example) -> tuple[tuple[range, range], ...]:
    (year, of_year), month, (day, of_day) = date.origins
    return (year, of_day), month, (day, of_year)
