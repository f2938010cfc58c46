"""Tokens of two texts pair up as a reader would pair them, or as somebody says."""

from __future__ import annotations

import time
from random import Random

import pytest

from modelcore.analysis.partners import NOBODY, find_partners


def partners(a: str, b: str, by_hand: list[tuple[int, int]] | None = None) -> list[int]:
    return find_partners(a.split(), b.split(), by_hand or []).of_N.tolist()


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("the cat sat", "the cat sat", [0, 1, 2]),
        ("the cat sat down", "the dog sat down", [0, 1, 2, 3]),  # replaced by as many: position by position
        ("the cat sat", "the old grey cat sat", [0, 3, 4]),  # put in
        ("the old grey cat sat", "the cat sat", [0, NOBODY, NOBODY, 1, 2]),  # left out
        ("the cat sat", "the very big dog sat", [0, NOBODY, 4]),  # replaced by more: nobody can say by which
        ("a b c", "d e f", [0, 1, 2]),
        ("a", "", [NOBODY]),
    ],
)
def test_tokens_pair_up_by_what_they_are_and_where_they_stand(a: str, b: str, expected: list[int]) -> None:
    assert partners(a, b) == expected


def test_pair_made_by_hand_stands_and_the_rest_gives_way() -> None:
    """`mat` of A takes the partner of `sat`, which is left without one."""
    assert partners("the cat sat mat", "the cat sat on it", [(3, 2)]) == [0, 1, NOBODY, 2]
    assert partners("the cat", "cat the", [(0, 1), (1, 0)]) == [1, 0]


@pytest.mark.parametrize("by_hand", [[(3, 0)], [(0, 3)], [(-1, 0)], [(0, 0), (0, 1)], [(0, 1), (2, 1)]])
def test_pair_that_cannot_be_is_refused(by_hand: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="got"):
        partners("a b c", "a b c", by_hand)


def test_long_texts_of_few_tokens_are_aligned_around_what_was_put_in() -> None:
    """Single letters occur too often to say where a text of thousands goes on."""
    letters = Random(0).choices("abcdefgh", k=6_000)
    longer = [*letters[:1000], *"XYZ", *letters[1000:3000], *"X", *letters[3000:]]
    assert find_partners(letters, longer).of_N.tolist() == [*range(1000), *range(1003, 3003), *range(3004, 6004)]
    shorter = find_partners(longer, letters).of_N.tolist()
    assert shorter == [*range(1000), *[NOBODY] * 3, *range(1000, 3000), NOBODY, *range(3000, 6000)]


def test_unlike_texts_take_no_time_without_end() -> None:
    """Of 8 letters, so that each occurs a thousand times; each partner is found once."""
    a, b = (Random(seed).choices("abcdefgh", k=8_000) for seed in (1, 2))
    began = time.perf_counter()
    pairs = find_partners(a, b).pairs
    assert time.perf_counter() - began < 10
    assert len({place for place, _ in pairs}) == len({partner for _, partner in pairs}) == len(pairs)
