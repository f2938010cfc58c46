"""Tokens of two texts pair up as a reader would pair them, or as somebody says."""

from __future__ import annotations

import time
from itertools import pairwise
from random import Random

import pytest

from modelcore.analysis import partners as partners_
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


def test_text_that_repeats_itself_is_not_paired_with_its_own_echo() -> None:
    """The longest stretch that both have stands once at the beginning and once, shifted, further on."""
    verse = ["and", "he", "said", "unto", "him", "arise", "and", "go"]
    a = [*verse, *verse, *verse, *verse, "down"]
    b = [*verse[:-1], "now", "go", *verse, *verse, *verse, "up", "down"]
    found = find_partners(a, b).of_N.tolist()
    assert found == [*range(7), *range(8, 33), 34]


@pytest.mark.parametrize("seed", range(20))
def test_as_many_equal_tokens_pair_up_as_can_keep_their_order(seed: int) -> None:
    """Against the table that textbooks fill, on texts of few tokens, where ties abound."""
    random = Random(seed)
    a, b = (random.choices("abcd", k=random.randint(0, 40)) for _ in range(2))
    longest = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, one in enumerate(a):
        for j, two in enumerate(b):
            longest[i + 1][j + 1] = longest[i][j] + 1 if one == two else max(longest[i][j + 1], longest[i + 1][j])
    pairs = find_partners(a, b).pairs
    assert sum(a[place] == b[partner] for place, partner in pairs) == longest[-1][-1]
    assert all(before < after for side in zip(*pairs, strict=True) for before, after in pairwise(side))


@pytest.mark.parametrize("long", [partners_.LONG, 500])
def test_long_texts_of_few_tokens_are_aligned_around_what_was_put_in(
    long: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Single letters occur too often to say where a text of thousands goes on."""
    monkeypatch.setattr(partners_, "LONG", long)
    letters = Random(0).choices("abcdefgh", k=6_000)
    longer = [*letters[:1000], *"XYZ", *letters[1000:3000], *"X", *letters[3000:]]
    assert find_partners(letters, longer).of_N.tolist() == [*range(1000), *range(1003, 3003), *range(3004, 6004)]
    shorter = find_partners(longer, letters).of_N.tolist()
    assert shorter == [*range(1000), *[NOBODY] * 3, *range(1000, 3000), NOBODY, *range(3000, 6000)]


@pytest.mark.parametrize("length", [8_000, 12_000])
def test_unlike_texts_take_no_time_without_end(length: int) -> None:
    """Of 8 letters, so that each occurs a thousand times; each partner is found once."""
    a, b = (Random(seed).choices("abcdefgh", k=length) for seed in (1, 2))
    began = time.perf_counter()
    pairs = find_partners(a, b).pairs
    assert time.perf_counter() - began < 10
    assert len({place for place, _ in pairs}) == len({partner for _, partner in pairs}) == len(pairs)
