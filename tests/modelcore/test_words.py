"""FreeDict's dictionaries, as a dict server keeps them: found, read once, and refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelcore.training import dictd
from modelcore.training.assignments import assignment_of
from modelcore.training.assignments.found_pairs import is_held_out
from modelcore.training.assignments.words import read_entry, read_words
from modelcore.training.plan import PlanError, TrainingPlan
from modelcore.training.tasks import Example
from tests.modelcore.dictionaries import install, written


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(dictd, "FOLDER", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("entry", "pair"),
    [
        ("Baum /baʊm/ <masc, n, sg>\ntree <n>\n   Synonym: {Gewächs}\n", ("Baum", "tree")),
        ("Erbschleicherei <fem>\nlegacy hunting <n>, snatching <n>\n", None),
        ("Bühne /ˈbyːnə/\n [art] stage <n>, scene <n>\n", ("Bühne", "stage")),
        ("in Konflikt geraten /ɪn/\nclash\n", None),
        ("allein", None),
        ("", None),
    ],
)
def test_entry_gives_a_word_and_its_first_translation_where_both_are_single_words(
    entry: str, pair: tuple[str, str] | None
) -> None:
    assert read_entry(entry) == pair


def test_words_are_read_by_their_places_and_an_entry_of_two_headwords_once(folder: Path) -> None:
    install(folder, {"zug": "Zug\ntrain\n", "00-database": "made for tests\n", "ast": "Ast\nbranch\n"})
    with (folder / "freedict-deu-eng.index").open("a", encoding="utf-8") as index:
        index.write(f"eisenbahnzug\tA\t{written(len(b'Zug' + b'train') + 2)}\n")
    assert read_words("de", "en") == [Example("Ast", "branch"), Example("Zug", "train")]


def test_dictionary_that_is_not_installed_is_named_with_its_package(folder: Path) -> None:
    with pytest.raises(PlanError, match="apt-get install dict-freedict-eng-fra") as refused:
        read_words("en", "fr")
    assert refused.value.field == "languages"


@pytest.mark.parametrize("harm", ["cut", "index", "no gzip"])
def test_broken_dictionary_is_refused(harm: str, folder: Path) -> None:
    install(folder, {"baum": "Baum\ntree\n"})
    index, packed = folder / "freedict-deu-eng.index", folder / "freedict-deu-eng.dict.dz"
    match harm:
        case "cut":
            packed.write_bytes(packed.read_bytes()[:20])
        case "index":
            index.write_text("baum\tA\n")
        case "no gzip":
            packed.write_bytes(b"Baum")
    with pytest.raises(PlanError, match="is broken; install it again"):
        read_words("de", "en")


def test_held_out_words_are_never_trained_on_and_come_from_the_whole_alphabet(folder: Path) -> None:
    letters = "abcdefghijklmnopqrst"
    entries = {a + b + c: f"{a}{b}{c}\n{c}{b}{a}\n" for a in letters for b in letters for c in letters}
    install(folder, entries)
    told: Any = assignment_of(TrainingPlan(assignment="words", length=26, batch=500, tokenizer="characters"))
    asked = {pair.source for pair in told.held_out}
    assert len(asked) == 256 and {source[0] for source in asked} == set(letters)
    assert asked.isdisjoint(pair.source for pair in told._known)
    assert not any(is_held_out(pair) for pair in told._known)
