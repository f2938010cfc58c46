"""Text as it is given out while tokens arrive: whole characters, the right spaces, nothing of a stop string."""

from __future__ import annotations

import pytest
import tokenizers
from tokenizers import decoders, models, pre_tokenizers

from modelcore.generation.written_text import NO_CHARACTER, WrittenText
from modelcore.tokenizer import Tokenizer, train_byte_level_bpe

TEXT = "naïve ✓ 🙂🙂 house, the END of it"


@pytest.fixture(scope="module")
def bytewise():
    """Knows hardly more than single bytes."""
    return train_byte_level_bpe(["the house of the lord"] * 9, 260, special=["<end>"])


@pytest.fixture(scope="module")
def wordwise():
    """As Llama's: a word carries its space as ▁, and what is no word falls back to bytes."""
    words = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "▁the", "▁house", "s"]
    inner = tokenizers.Tokenizer(
        models.BPE({word: id_ for id_, word in enumerate(words)}, [], unk_token="<unk>", byte_fallback=True)
    )
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    inner.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return Tokenizer(inner)


def _write(written: WrittenText, ids: list[int]) -> list[str]:
    given = []
    for id_ in ids:
        given.append(written.add(id_))
        if written.stopped:
            break
    return [*given, written.rest()]


def test_characters_come_whole(bytewise):
    pieces = _write(WrittenText(bytewise), bytewise.encode(TEXT).ids)
    assert "".join(pieces) == TEXT
    assert NO_CHARACTER not in "".join(pieces)
    assert "🙂" in pieces
    assert pieces.count("") > 8


def test_text_goes_on_where_the_prompt_broke_off(bytewise):
    ids = bytewise.encode("a ✓ b").ids
    broken = next(place for place, id_ in enumerate(ids) if "⟨" in bytewise.readable(id_)) + 1
    assert "".join(_write(WrittenText(bytewise, ids[:broken]), ids[broken:])) == "✓ b"


def test_word_keeps_the_space_that_a_decoder_drops_at_a_texts_start(wordwise):
    the, house, s = (wordwise.token_id(word) for word in ("▁the", "▁house", "s"))
    assert _write(WrittenText(wordwise), [the, house, s]) == ["the", " house", "s", ""]
    assert _write(WrittenText(wordwise, [the]), [house, s, the]) == [" house", "s", " the", ""]


def test_bytes_that_stand_in_for_a_word_come_as_characters(wordwise):
    house = wordwise.token_id("▁house")
    ids = [house, *(wordwise.token_id(f"<0x{byte:02X}>") for byte in "✓é".encode()), house]
    assert _write(WrittenText(wordwise), ids) == ["house", "", "", "✓", "", "é", " house", ""]


def test_bytes_that_are_no_character_come_with_the_end(bytewise):
    ids = bytewise.encode("a✓").ids[:-1]
    assert _write(WrittenText(bytewise), ids) == ["a", *[""] * (len(ids) - 1), NO_CHARACTER]


def test_special_tokens_have_no_text(bytewise):
    end = bytewise.token_id("<end>")
    a, b = bytewise.encode("ab").ids
    assert _write(WrittenText(bytewise), [a, end, b, end]) == ["a", "", "b", "", ""]


@pytest.mark.parametrize("stop", ["END", "🙂🙂", "✓", " of", "n"])
def test_nothing_is_given_out_from_a_stop_string_on(bytewise, stop):
    written = WrittenText(bytewise, [], [stop, "not in it"])
    pieces = _write(written, bytewise.encode(TEXT).ids)
    assert "".join(pieces) == TEXT[: TEXT.index(stop)]
    assert written.stopped


def test_first_of_several_stop_strings_counts(bytewise):
    """Whichever begins first, though the other one may be complete earlier."""
    written = WrittenText(bytewise, [], ["the END", "EN"])
    assert "".join(_write(written, bytewise.encode(TEXT).ids)) == TEXT[: TEXT.index("EN")]
    written = WrittenText(bytewise, [], ["END", "house, the E"])
    assert "".join(_write(written, bytewise.encode(TEXT).ids)) == TEXT[: TEXT.index("house")]


def test_beginning_of_a_stop_string_is_held_until_it_is_none(bytewise):
    written = WrittenText(bytewise, [], ["aab"])
    assert _write(written, bytewise.encode("xaaac").ids) == ["x", "", "", "a", "aac", ""]
    assert not written.stopped
    assert _write(WrittenText(bytewise, [], ["aab"]), bytewise.encode("xaa").ids) == ["x", "", "", "aa"]
