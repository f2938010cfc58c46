"""Vocabularies of each kind, learned from a text."""

from __future__ import annotations

import time
from typing import Any, get_args

import pytest

from modelcore.tokenizer import Specials, Tokenizer, TokenizerKind, learn_tokenizer

KINDS = get_args(TokenizerKind)
SPECIALS = Specials(("<pad>", "</s>", "<unk>"), unknown="<unk>", end="</s>")
TEXT = "The cat sat on the mat; the cats sat on the mats. Étienne said: ça va? 日本語 🙂\n" * 20


@pytest.mark.parametrize("kind", KINDS)
def test_vocabulary_keeps_to_its_size_and_special_tokens_come_first(kind: Any) -> None:
    tokenizer = learn_tokenizer(kind, [TEXT], 300, SPECIALS)
    assert 3 < tokenizer.vocabulary <= 300
    assert [tokenizer.token_id(token) for token in SPECIALS.tokens] == [0, 1, 2]
    encoding = tokenizer.encode("the cat")
    assert encoding.ids[-1] == 1 and encoding.special[-1] and not any(encoding.special[:-1])


@pytest.mark.parametrize("kind", KINDS)
def test_offsets_point_at_what_each_token_says(kind: Any) -> None:
    text = "the cats sat"
    encoding = learn_tokenizer(kind, [TEXT], 300, SPECIALS).encode(text)
    covered = {place for start, end in encoding.offsets for place in range(start, end)}
    assert covered >= {place for place, character in enumerate(text) if character != " "}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "wordpiece"])
def test_text_comes_back(kind: Any) -> None:
    tokenizer = learn_tokenizer(kind, [TEXT], 400, SPECIALS)
    line = TEXT[: TEXT.index("\n")]
    assert tokenizer.decode(tokenizer.encode(line).ids) == line


def test_pieces_within_words_are_marked_and_joined_again() -> None:
    tokenizer = learn_tokenizer("wordpiece", [TEXT], 300, SPECIALS)
    assert any(text.startswith("##") for text in tokenizer.encode("catsat").texts)
    assert tokenizer.decode(tokenizer.encode("catsat sat").ids) == "catsat sat"


@pytest.mark.parametrize("kind", ["characters", "wordpiece", "unigram"])
def test_character_that_was_never_seen_is_unknown(kind: Any) -> None:
    assert 2 in learn_tokenizer(kind, [TEXT], 300, SPECIALS).encode("the ß").ids


def test_long_text_is_cut_in_time_that_grows_with_it() -> None:
    """20,000 characters took nine seconds: every token copied the list of all of them."""
    tokenizer = learn_tokenizer("unigram", [TEXT], 300, SPECIALS)
    began = time.process_time()
    tokenizer.encode(TEXT * 40)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("kind", KINDS)
def test_tokenizer_is_told_and_read_again(kind: Any) -> None:
    tokenizer = learn_tokenizer(kind, [TEXT], 300, SPECIALS)
    again = Tokenizer.from_json(tokenizer.to_json())
    assert again.encode(TEXT) == tokenizer.encode(TEXT) and again.to_json() == tokenizer.to_json()
