"""Tokens, their places in the text, and what a person reads of each."""

from __future__ import annotations

import json

import pytest
import tokenizers
from tokenizers import decoders, models, normalizers

from modelcore.tokenizer import Tokenizer, TokenizerError, train_byte_level_bpe

PROSE = ["the house of the lord", "the house on the hill", "there the lord spoke"] * 9


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_byte_level_bpe(PROSE, 300, special=["<|endoftext|>"])


def test_words_become_tokens_with_their_places(tokenizer):
    encoding = tokenizer.encode("the house")
    assert encoding.texts == ["the", " house"]
    assert encoding.offsets == [(0, 3), (3, 9)]
    assert encoding.special == [False, False]


@pytest.mark.parametrize(
    "text",
    [
        "the ✅ house",
        "👩‍👩‍👧 of the 🇩🇪",
        "cafe\u0301 na\u00efve",
        "e\u0301\u0328\u0323",
        "السلام عليكم",
        "the\x00lord\n\t",
        "\u200f𝔘𝔫𝔦",
    ],
)
def test_offsets_count_code_points_and_cover_the_text(tokenizer, text):
    encoding = tokenizer.encode(text)
    covered = {place for start, end in encoding.offsets for place in range(start, end)}
    assert covered == set(range(len(text)))
    assert encoding.offsets == sorted(encoding.offsets)
    for (start, end), readable in zip(encoding.offsets, encoding.texts, strict=True):
        assert readable == text[start:end] or readable.startswith("⟨")
        assert "\ufffd" not in readable


def test_part_of_a_character_reads_as_its_bytes(tokenizer):
    encoding = tokenizer.encode("✅")
    assert encoding.texts == ["⟨E2⟩", "⟨9C⟩", "⟨85⟩"]
    assert encoding.offsets == [(0, 1)] * 3


def test_bytes_that_are_partly_text_read_so():
    tokenizer = train_byte_level_bpe(["aé"] * 50 + ["a\u00e8"] * 50, 259)
    pieces = {tokenizer.readable(id_) for id_ in range(tokenizer.vocabulary)}
    assert {"a⟨C3⟩", "⟨A9⟩"} <= pieces or {"aé", "⟨C3⟩"} <= pieces


def test_digits_stand_apart_and_the_end_token_is_special():
    tokenizer = train_byte_level_bpe(["year 1789"] * 9, 300, special=["</s>"], digits_apart=True, end_token="</s>")
    encoding = tokenizer.encode("1789")
    assert encoding.texts == ["1", "7", "8", "9", "</s>"]
    assert encoding.special == [False] * 4 + [True]
    assert encoding.offsets == [(0, 1), (1, 2), (2, 3), (3, 4), (0, 0)]


def test_capitals_can_be_read_as_small_letters_at_their_own_places():
    tokenizer = train_byte_level_bpe(PROSE, 300, lowercase=True)
    encoding = tokenizer.encode("İ The HOUSE")  # the first letter becomes two code points
    assert encoding.texts[-2:] == [" the", " house"]
    assert encoding.offsets[-2:] == [(1, 5), (5, 11)]
    assert tokenizer.longest_token is not None


def test_vocabulary_and_merges_give_the_tokens_of_tokenizer_json(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.json")
    model = json.loads((tmp_path / "tokenizer.json").read_text())["model"]
    gpt2 = tmp_path / "gpt2"
    gpt2.mkdir()
    (gpt2 / "vocab.json").write_text(json.dumps(model["vocab"]))
    (gpt2 / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(pair) for pair in model["merges"]))
    text = "the lord spoke, ✅<|endoftext|>"
    assert Tokenizer.load(gpt2).encode(text) == Tokenizer.load(tmp_path).encode(text)
    assert Tokenizer.load(gpt2).encode(text).special[-1]


def test_longest_token_bounds_the_characters_of_a_text(tokenizer):
    text = "the house of the lord spoke there " * 7
    assert tokenizer.longest_token == 13  # <|endoftext|>
    assert len(text) <= len(tokenizer.encode(text)) * tokenizer.longest_token


def test_longest_token_is_unknown_where_text_is_normalised():
    inner = tokenizers.Tokenizer(models.BPE({"a": 0}, []))
    inner.normalizer = normalizers.Strip()
    assert Tokenizer(inner).longest_token is None


def test_padding_that_a_file_asks_for_is_ignored(tokenizer, tmp_path):
    """A fixed padding of two billion tokens made the library abort the process."""
    tokenizer.save(tmp_path / "tokenizer.json")
    parts = json.loads((tmp_path / "tokenizer.json").read_text())
    parts["padding"] = {
        "strategy": {"Fixed": 2_000_000_000},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "x",
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(parts))
    assert len(Tokenizer.load(tmp_path).encode("the house")) == 2


def test_half_a_surrogate_pair_is_refused(tokenizer):
    with pytest.raises(TokenizerError, match="surrogate"):
        tokenizer.encode("a\ud83d")


def test_file_that_is_no_tokenizer_is_refused(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(TokenizerError, match=r"tokenizer\.json is not a tokenizer"):
        Tokenizer.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        Tokenizer.load(tmp_path / "absent")


def test_tokens_of_other_vocabularies_read_as_spelled():
    inner = tokenizers.Tokenizer(models.WordLevel({"Ġthe": 0}, unk_token="Ġthe"))
    inner.decoder = decoders.WordPiece()
    assert Tokenizer(inner).readable(0) == "Ġthe"
    assert Tokenizer(inner).readable(7) == "⟨7⟩"


def test_lengths_are_those_of_each_text_alone(tokenizer):
    texts = ["", "a", "the cat sat on the mat", "…—é漢字🙂", "\n\n"]
    assert tokenizer.lengths(texts) == [len(tokenizer.encode(text).ids) for text in texts]
