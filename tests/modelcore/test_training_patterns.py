"""Lines that pose questions: their answers are right, and what tells them is named."""

from __future__ import annotations

import random

import pytest

from modelcore.training.patterns import BRACKETS, DEEPEST, NEW, SEEN, draw_brackets, draw_repeats

SEEDS = range(30)


@pytest.mark.parametrize("seed", SEEDS)
def test_open_brackets_are_told_by_themselves_and_never_too_deep(seed):
    line = draw_brackets(random.Random(seed), 64)
    unclosed = []
    for place, character in enumerate(line.text):
        if character in BRACKETS:
            unclosed.append(place)
        elif character in BRACKETS.values():
            assert BRACKETS[line.text[unclosed.pop()]] == character
        assert len(unclosed) <= DEEPEST
        assert line.answers[place] == (BRACKETS[line.text[unclosed[-1]]] if unclosed else None)
        assert line.sources[place] == tuple(unclosed[-1:])


@pytest.mark.parametrize("seed", SEEDS)
def test_marks_say_whether_a_letter_stood_before(seed):
    line = draw_repeats(random.Random(seed), 64)
    for place in range(0, 64, 2):
        earlier = line.text[:place:2]
        assert line.answers[place] == (SEEN if line.text[place] in earlier else NEW)
        assert all(line.text[source] == line.text[place] for source in line.sources[place])
        assert line.answers[place + 1] is None


def test_lines_have_one_length():
    assert {len(draw(random.Random(seed), 64).text) for seed in SEEDS for draw in (draw_brackets, draw_repeats)} == {64}
