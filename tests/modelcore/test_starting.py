"""A training that starts from a checkpoint: what it takes of it, what it keeps, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM, T5Config, T5ForConditionalGeneration

from modelcore.opening import open_any
from modelcore.tokenizer import train_byte_level_bpe
from modelcore.training.assignments.pictures import PictureAssignment
from modelcore.training.brought import Brought
from modelcore.training.plan import PlanError, TrainingPlan
from modelcore.training.session import Session
from tests.modelcore.zips import picture_zip

TEXT = "In the beginning God created the heaven and the earth. " * 60
PAIRS = "\n".join(f"{left} {right}\t{right} {left}" for left in "abcd" for right in "klmnop")
TEXTS = {"text": TEXT, "masked": TEXT, "spans": TEXT, "pairs": PAIRS}
SHADES = {"dark": range(9), "light": range(200, 209)}
# What is learned first, and what its model then goes on to learn.
COURSES = [
    ("text", "text"),
    ("copy", "text"),
    ("masked", "masked"),
    ("spans", "spans"),
    ("spans", "pairs"),
    ("pairs", "pairs"),
    ("pairs", "catalogs"),
    ("dates", "numbers"),
    ("images", "images"),
    ("images", "digits"),
]


def plan(assignment: Any, **more: Any) -> TrainingPlan:
    small = {"layers": 1, "heads": 2, "width": 32, "batch": 8, "length": 48, "steps": 4, "warmup": 2}
    pictures = "z" if assignment == "images" else None
    return TrainingPlan(assignment=assignment, text=TEXTS.get(assignment), pictures=pictures, **{**small, **more})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """For a task the folder of a model that learned it for a few steps."""
    folders: dict[str, Path] = {}
    pictures = picture_zip(tmp_path_factory.mktemp("zip") / "z", SHADES)

    def of(assignment: str) -> Path:
        if assignment not in folders:
            folders[assignment] = tmp_path_factory.mktemp(assignment)
            session = Session(plan(assignment), folders[assignment] / "way", Brought(pictures=pictures))
            finish(session)
            session.export(folders[assignment])
        return folders[assignment]

    of.pictures = pictures  # type: ignore[attr-defined]
    yield of


def finish(session: Session) -> list[float]:
    told = []
    while not session.is_done:
        told.append(session.advance()[0].loss)
    return told


@pytest.mark.parametrize(("first", "then"), COURSES)
def test_training_starts_with_the_weights_of_the_checkpoint_and_goes_on_exactly(
    first: str, then: str, made: Any, tmp_path: Path
) -> None:
    folder = made(first)
    brought = Brought(start=folder, pictures=made.pictures)
    going_on = plan(then, start="a model", layers=24, heads=7, width=17)
    session = Session(going_on, tmp_path / "whole", brought)
    before = open_any(folder).load().state_dict()
    head = "head." if (first, then) == ("images", "digits") else "none"
    taken = {name: value for name, value in session.model.state_dict().items() if not name.startswith(head)}
    assert taken and all(torch.equal(value, before[name]) for name, value in taken.items())

    whole = finish(session)
    cut = Session(going_on, tmp_path / "cut", brought)
    cut.advance()
    cut.advance()
    cut.save()
    cut.advance()
    assert finish(Session(going_on, tmp_path / "cut", brought)) == whole[2:]

    session.export(tmp_path / "out")
    opened = open_any(tmp_path / "out")
    assert opened.family == open_any(folder).family
    if (folder / "tokenizer.json").exists():
        assert (tmp_path / "out/tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()


def test_classifier_stays_where_the_labels_are_the_same_and_is_new_where_they_are_not(
    made: Any, tmp_path: Path
) -> None:
    folder = made("images")
    theirs = open_any(folder).load().state_dict()["head.output.weight"]
    same = Session(plan("images", start="m"), tmp_path, Brought(start=folder, pictures=made.pictures))
    assert torch.equal(same.model.state_dict()["head.output.weight"], theirs)
    other = picture_zip(tmp_path / "other", {"up": range(9), "down": range(200, 209)})
    renamed = Session(plan("images", start="m"), tmp_path, Brought(start=folder, pictures=other))
    assert not torch.equal(renamed.model.state_dict()["head.output.weight"], theirs)
    assert isinstance(renamed.assignment, PictureAssignment) and renamed.assignment.names == ["down", "up"]
    renamed.export(tmp_path / "out")
    assert json.loads((tmp_path / "out/config.json").read_text())["id2label"] == {"0": "down", "1": "up"}


def test_t5_of_transformers_learns_spans_with_its_own_sentinels(tmp_path: Path) -> None:
    names = ["<pad>", "</s>", "<unk>", *(f"<extra_id_{number}>" for number in range(9))]
    tokenizer = train_byte_level_bpe([TEXT], 300, special=names, end_token="</s>")
    config = T5Config(vocab_size=tokenizer.vocabulary, d_model=32, d_kv=16, d_ff=64, num_layers=1, num_heads=2)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path / "t5")
    tokenizer.save(tmp_path / "t5/tokenizer.json")
    session = Session(plan("spans", start="t5", length=24), tmp_path / "way", Brought(start=tmp_path / "t5"))
    first = tokenizer.token_id("<extra_id_0>")
    batch = session.assignment.batch(1)
    assert set(batch.labels_BQ[:, 0].tolist()) == {first} and (batch.source_BK == first).any(1).all()
    finish(session)
    session.export(tmp_path / "out")
    theirs = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "out").eval()
    session.model.eval()
    with torch.inference_mode():
        ours = session.model(batch.source_BK, batch.target_BQ)
        assert (ours - theirs(batch.source_BK, decoder_input_ids=batch.target_BQ).logits).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("first", "then", "more", "field", "said"),
    [
        ("copy", "pairs", {}, "start", "go on with a text"),
        ("pairs", "text", {}, "start", "turn a source into a target"),
        ("copy", "masked", {}, "start", "guess hidden words"),
        ("images", "text", {}, "start", "read pictures"),
        ("text", "digits", {}, "start", "read pictures"),
        ("pairs", "spans", {}, "start", "<extra_id_0>"),
        ("pairs", "dates", {}, "start", "at most 48 tokens"),
        ("text", "text", {"length": 49}, "length", "at most 48 tokens"),
        ("masked", "masked", {"length": 64}, "length", "at most 48 tokens"),
    ],
)
def test_model_that_cannot_learn_this_is_refused_by_the_field(
    first: str, then: str, more: dict[str, Any], field: str, said: str, made: Any, tmp_path: Path
) -> None:
    with pytest.raises(PlanError) as refused:
        Session(plan(then, start="m", **more), tmp_path, Brought(start=made(first)))
    assert refused.value.field == field and said in refused.value.message


def test_model_that_is_gone_or_broken_is_refused(made: Any, tmp_path: Path) -> None:
    for folder in (None, tmp_path / "nothing", tmp_path):
        with pytest.raises(PlanError) as refused:
            Session(plan("text", start="m"), tmp_path / "way", Brought(start=folder))
        assert refused.value.field == "start" and refused.value.message.endswith(".")


@pytest.mark.parametrize("assignment", ["copy", "modular"])
def test_task_that_is_learned_from_nothing_takes_no_start(assignment: Any) -> None:
    with pytest.raises(PlanError) as refused:
        plan(assignment, start="m")
    assert refused.value.field == "start"


def test_tokenizer_is_taken_from_a_checkpoint_and_the_sizes_are_the_plans(made: Any, tmp_path: Path) -> None:
    folder = made("masked")
    for assignment, other in (("masked", TEXT), ("text", TEXT)):
        taking = plan(assignment, tokenizer_from="m", length=16)
        session = Session(taking, tmp_path / assignment, Brought(tokenizer_from=folder))
        theirs = open_any(folder).tokenizer
        assert theirs is not None and session.assignment.tokenizer is not None
        assert session.assignment.tokenizer.encode(other).ids == theirs.encode(other).ids
        assert session.assignment.config.width == 32 and session.assignment.config.positions == 16
        finish(session)
        session.export(tmp_path / assignment / "out")
        assert open_any(tmp_path / assignment / "out").tokenizer is not None


def test_tokenizer_without_what_the_task_needs_is_refused(made: Any, tmp_path: Path) -> None:
    for assignment, said in (("masked", "hides others"), ("pairs", "ends no text"), ("spans", "ends no text")):
        with pytest.raises(PlanError, match=said) as refused:
            Session(plan(assignment, tokenizer_from="m"), tmp_path, Brought(tokenizer_from=made("copy")))
        assert refused.value.field == "tokenizer_from"
    with pytest.raises(PlanError) as refused:
        plan("text", tokenizer_from="m", start="m")
    assert refused.value.field == "tokenizer_from"
