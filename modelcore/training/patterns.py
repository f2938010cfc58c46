"""Lines of characters that pose a question at each place: which bracket is open, has this letter stood here before?

brackets   a(b[cd]e)f    inside brackets, the answer is the one that closes the innermost
repeats    a-b-a+c-b+    at each letter, + if it has stood in the line before, else -
"""

from __future__ import annotations

import random
from dataclasses import dataclass

BRACKETS = {"(": ")", "[": "]", "{": "}", "<": ">"}
LETTERS = "abcdefghijklmnopqrstuvwxyz"
NEW, SEEN = "-", "+"
# Deeper nesting is more than three small layers can count.
DEEPEST = 4
CLOSING, OPENING = 0.35, 0.3


@dataclass(frozen=True)
class Line:
    """A text; at each place the character that answers its question, if it has one, and the places that tell it.

    An open bracket tells its closing one, a letter's earlier copies tell +, and nothing tells -.
    """

    text: str
    answers: tuple[str | None, ...]
    sources: tuple[tuple[int, ...], ...]


def draw_line(generator: random.Random, length: int) -> Line:
    """Brackets or repeats, half and half."""
    return draw_brackets(generator, length) if generator.random() < 0.5 else draw_repeats(generator, length)


def draw_brackets(generator: random.Random, length: int) -> Line:
    """Nested brackets of four kinds with letters between them; closed ones match."""
    text = ""
    unclosed: list[int] = []
    answers: list[str | None] = []
    sources: list[tuple[int, ...]] = []
    while len(text) < length:
        choice = generator.random()
        if unclosed and choice < CLOSING:
            text += BRACKETS[text[unclosed.pop()]]
        elif len(unclosed) < DEEPEST and choice < CLOSING + OPENING:
            unclosed.append(len(text))
            text += generator.choice("([{<")
        else:
            text += generator.choice(LETTERS)
        answers.append(BRACKETS[text[unclosed[-1]]] if unclosed else None)
        sources.append((unclosed[-1],) if unclosed else ())
    return Line(text, tuple(answers), tuple(sources))


def draw_repeats(generator: random.Random, length: int) -> Line:
    """Letters out of a few, so that most come again, each followed by its mark."""
    letters = generator.sample(LETTERS, generator.randint(6, 20))
    text = ""
    answers: list[str | None] = []
    sources: list[tuple[int, ...]] = []
    while len(text) < length:
        letter = generator.choice(letters)
        earlier = tuple(place for place, character in enumerate(text) if character == letter)
        mark = SEEN if earlier else NEW
        text += letter + mark
        answers += [mark, None]
        sources += [earlier, ()]
    return Line(text[:length], tuple(answers[:length]), tuple(sources[:length]))
