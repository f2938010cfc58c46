"""Vocabularies in the files of many makers, read as their makers read them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import transformers

from modelcore.tokenizer import Tokenizer, TokenizerError

# Small models, and what SentencePiece 0.2.3, which trained them, makes of some texts.
GOLDEN = Path(__file__).parents[1] / "golden" / "sentencepiece"
EXPECTED = json.loads((GOLDEN / "expected.json").read_text(encoding="utf-8"))
CASES = [(name, row) for name, rows in EXPECTED.items() for row in rows]

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "the",
    "river",
    "##s",
    "bank",
    "cafe",
    "café",
    "The",
    "水",
    ",",
    "un",
]
TEXT = "The Rivers, café\u0301\u0000 水水 unriver [MASK] \U0001f389"


def folder_with(tmp_path: Path, model: str, name: str, **settings: Any) -> Path:
    shutil.copy(GOLDEN / f"{model}.model", tmp_path / name)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    return tmp_path


@pytest.mark.parametrize(("model", "row"), CASES)
def test_sentencepiece_model_cuts_texts_as_its_maker_does(tmp_path, model, row):
    tokenizer = Tokenizer.load(folder_with(tmp_path, model, "tokenizer.model"))
    encoding = tokenizer.encode(row["text"])
    assert encoding.ids == row["ids"]
    if "⁇" not in row["decoded"]:
        assert tokenizer.decode(encoding.ids) == row["decoded"]


@pytest.mark.parametrize(
    ("model", "text", "pieces"),
    [
        ("unigram", "  the ﬁnal   café… x", ["the", "ﬁ", "n", "al", " c", "afé", "é", "…", "…", "…", " ", "x"]),
        ("unigram", "東京 x", ["", "東京", " ", "x"]),
        ("bpe", "x  ﬁ", ["", "x", " ", " ", "ﬁ", "ﬁ", "ﬁ"]),
    ],
)
def test_pieces_stand_where_their_text_is_though_it_changes_length(tmp_path, model, text, pieces):
    encoding = Tokenizer.load(folder_with(tmp_path, model, "tokenizer.model")).encode(text)
    assert [text[start:end].removeprefix(" ") or " " * (end > start) for start, end in encoding.offsets] == [
        piece.removeprefix(" ") or piece for piece in pieces
    ]
    assert encoding.offsets == sorted(encoding.offsets)


def test_pieces_read_with_their_spaces_and_bytes(tmp_path):
    tokenizer = Tokenizer.load(folder_with(tmp_path, "bpe", "tokenizer.model"))
    assert tokenizer.encode("a 🎉").texts[-5:] == [" ", "⟨F0⟩", "⟨9F⟩", "⟨8E⟩", "⟨89⟩"]


def test_t5_ends_a_text_and_knows_its_masked_spans(tmp_path):
    folder = folder_with(tmp_path, "unigram", "spiece.model", tokenizer_class="T5Tokenizer", extra_ids=7)
    tokenizer = Tokenizer.load(folder)
    row = EXPECTED["unigram"][0]
    assert tokenizer.encode(row["text"]).ids == [*row["ids"], 1]
    assert tokenizer.vocabulary == 167
    assert tokenizer.encode("<extra_id_0><extra_id_6>").ids == [166, 160, 1]
    assert tokenizer.encode("<extra_id_0>").special == [True, True]


@pytest.mark.parametrize(("begins", "ends"), [(None, None), (False, True)])
def test_llama_begins_a_text_unless_told_otherwise(tmp_path, begins, ends):
    settings = {"tokenizer_class": "LlamaTokenizerFast", "bos_token": {"content": "<s>"}, "eos_token": "</s>"}
    settings |= {"add_bos_token": begins, "add_eos_token": ends}
    row = EXPECTED["bpe"][3]
    ids = Tokenizer.load(folder_with(tmp_path, "bpe", "tokenizer.model", **settings)).encode(row["text"]).ids
    assert ids == [*([] if begins is False else [1]), *row["ids"], *([2] if ends else [])]


def test_xlm_roberta_counts_as_fairseq_does(tmp_path):
    folder = folder_with(tmp_path, "fairseq", "sentencepiece.bpe.model", tokenizer_class="XLMRobertaTokenizer")
    for row in EXPECTED["fairseq"]:
        ids = [3 if id_ == 0 else id_ + 1 for id_ in row["ids"]]
        assert Tokenizer.load(folder).encode(row["text"]).ids == [0, *ids, 2]


def test_marian_takes_its_ids_from_the_vocabulary_of_both_languages(tmp_path):
    """The source's pieces have other ids than in its own file; those that the vocabulary lacks are unknown."""
    folder = folder_with(tmp_path, "unigram", "source.spm", tokenizer_class="MarianTokenizer")
    shutil.copy(GOLDEN / "fairseq.model", tmp_path / "target.spm")
    row = EXPECTED["unigram"][0]
    pieces = list(dict.fromkeys(piece for name in ("unigram", "fairseq") for piece in EXPECTED[name][0]["pieces"]))
    pieces.remove("attention")
    ids = {piece: id_ for id_, piece in enumerate(["</s>", "<unk>", ">>de<<", *pieces, "<pad>"])}
    (tmp_path / "vocab.json").write_text(json.dumps(ids))
    tokenizer = Tokenizer.load(folder)
    assert tokenizer.encode(row["text"]).ids == [*(ids.get(piece, 1) for piece in row["pieces"]), 0]
    assert tokenizer.encode(">>de<<The").ids[0] == 2
    assert tokenizer.vocabulary == len(ids)
    written = EXPECTED["fairseq"][0]
    assert tokenizer.target.encode(written["text"]).ids == [*(ids.get(piece, 1) for piece in written["pieces"]), 0]


@pytest.mark.parametrize(
    "settings",
    [{}, {"do_lower_case": False}, {"tokenize_chinese_chars": False, "strip_accents": False}, {"strip_accents": True}],
)
def test_word_pieces_are_those_of_the_outside_implementation(tmp_path, settings):
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"} | settings))
    outside = transformers.BertTokenizer.from_pretrained(tmp_path)
    encoding = Tokenizer.load(tmp_path).encode(TEXT)
    assert encoding.ids == outside(TEXT)["input_ids"]
    assert encoding.special[0] and encoding.special[-1] and not encoding.special[1]


def test_word_pieces_stand_where_their_text_is(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    encoding = Tokenizer.load(tmp_path).encode(TEXT)
    words = [TEXT[start:end] for start, end in encoding.offsets[1:-1]]
    assert words == ["The", "River", "s", ",", "café", "水", "水", "unriver", "[MASK]", "\U0001f389"]


@pytest.mark.parametrize(("mask", "place"), [("<mask>", (5, 11)), ({"content": "<mask>", "lstrip": True}, (4, 11))])
def test_byte_level_files_of_roberta_are_framed(tmp_path, mask, place):
    letters = {chr(code): code for code in range(0x21, 0x7F)}
    ids = dict.fromkeys(["<s>", "<pad>", "</s>", "<unk>", *letters, "Ġ", "<mask>"])
    (tmp_path / "vocab.json").write_text(json.dumps({token: id_ for id_, token in enumerate(ids)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    (tmp_path / "special_tokens_map.json").write_text(json.dumps({"cls_token": "<s>", "mask_token": mask}))
    outside = transformers.RobertaTokenizer.from_pretrained(tmp_path)
    encoding = Tokenizer.load(tmp_path).encode("ab c <mask>")
    assert encoding.ids == outside("ab c <mask>")["input_ids"]
    assert encoding.offsets[:5] == [(0, 0), (0, 1), (1, 2), (2, 3), (3, 4)]
    assert encoding.offsets[-2:] == [place, (0, 0)]


def refusal(folder: Path) -> str:
    with pytest.raises(TokenizerError) as refused:
        Tokenizer.load(folder)
    message = str(refused.value)
    assert len(message) <= 300 and "\n" not in message
    return message


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"tokenizer_class": "AlbertTokenizer"}, "AlbertTokenizer"),
        ({"tokenizer_class": "T5Tokenizer", "extra_ids": 10**9}, "extra_ids"),
        ({"tokenizer_class": "T5Tokenizer", "eos_token": 3}, "eos_token"),
        ({"tokenizer_class": "T5Tokenizer", "eos_token": "<end>"}, "<end>"),
        ({"tokenizer_class": "LlamaTokenizer", "add_bos_token": "yes"}, "add_bos_token"),
    ],
)
def test_settings_that_cannot_be_followed_are_named(tmp_path, settings, named):
    assert named in refusal(folder_with(tmp_path, "unigram", "tokenizer.model", **settings))


def test_damaged_sentencepiece_models_are_refused(tmp_path):
    file, whole = tmp_path / "tokenizer.model", (GOLDEN / "unigram.model").read_bytes()
    for kept in (0, 1, 7, 100, len(whole) - 1):
        file.write_bytes(whole[:kept])
        assert "tokenizer.model" in refusal(tmp_path)
    for raw in (b"\xff" * 99, b"{}", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x0a\x00" * 9):
        file.write_bytes(raw)
        assert "tokenizer.model" in refusal(tmp_path)


@pytest.mark.parametrize(("type_", "named"), [(4, "user defined"), (5, "unused")])
def test_pieces_that_we_cannot_place_are_refused(tmp_path, type_, named):
    piece = b"\x0a\x03sep" + b"\x18" + bytes([type_])
    (tmp_path / "tokenizer.model").write_bytes(
        (GOLDEN / "unigram.model").read_bytes() + b"\x0a" + bytes([len(piece)]) + piece
    )
    assert f"'sep' is marked as {named}" in refusal(tmp_path)


@pytest.mark.parametrize("missing", ["[UNK]", "[CLS]", "[SEP]"])
def test_vocabulary_without_its_special_tokens_is_refused(tmp_path, missing):
    (tmp_path / "vocab.txt").write_text("\n".join(word for word in WORDS if word != missing))
    assert missing in refusal(tmp_path)
