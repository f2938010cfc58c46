"""A stranger's tokenizer in use: it cuts as any other, and when it hangs or dies, only the text is lost."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from modelcore.opening import open_any
from modelcore.tokenizer import LimitedTokenizer, Tokenizer, TokenizerError, TokenizerLimitError
from tests.library.bad_files import tokenizer
from tests.library.models import TEXT, Files, good
from webapp.checkpoints.models import Checkpoint


def folder_of(parent: Path, files: Files) -> Path:
    for name, content in files.items():
        (parent / name).write_bytes(content)
    return parent


def greedy(parts: dict[str, object]) -> dict[str, object]:
    """Each letter becomes a million."""
    rule = {"type": "Replace", "pattern": {"String": "a"}, "content": "b" * 1_000_000}
    return {**parts, "normalizer": rule}


def test_it_cuts_as_any_other(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, good())
    plain, limited = Tokenizer.load(folder), LimitedTokenizer(folder)
    for text in (TEXT, "", "🙂 é\n"):
        assert limited.encode(text) == plain.encode(text)
    ids = plain.encode(TEXT).ids
    assert limited.decode(ids) == plain.decode(ids)
    assert [limited.readable(id_) for id_ in ids] == [plain.readable(id_) for id_ in ids]
    told = ("vocabulary", "longest_token", "takes_pairs")
    assert [getattr(limited, name) for name in told] == [getattr(plain, name) for name in told]
    with pytest.raises(TokenizerError, match="surrogate"):
        limited.encode("\ud800")


def test_text_that_takes_all_memory_or_time_costs_no_more_than_itself(tmp_path: Path) -> None:
    limited = LimitedTokenizer(folder_of(tmp_path, tokenizer(greedy)(good())), call_s=3.0)
    began = time.monotonic()
    with pytest.raises(TokenizerLimitError, match="stopped"):
        limited.encode("a" * 5_000)
    assert time.monotonic() - began < 10
    assert limited.encode("x").ids, "the next text has a process of its own"


def test_brought_model_is_opened_with_limits(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, good())
    assert type(open_any(folder).tokenizer) is Tokenizer
    assert type(open_any(folder, limited=True).tokenizer) is LimitedTokenizer
    assert Checkpoint(id="a", path="/a", is_brought=True).source.limited
    assert not Checkpoint(id="a", path="/a").source.limited


def test_folder_without_a_tokenizer_has_none(tmp_path: Path) -> None:
    files = {name: content for name, content in good().items() if name != "tokenizer.json"}
    assert open_any(folder_of(tmp_path, files), limited=True).tokenizer is None
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": None}))
    with pytest.raises(TokenizerError):
        LimitedTokenizer(tmp_path)
