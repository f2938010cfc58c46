"""A training run that is cut off and goes on as if nothing had happened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from modelcore.opening import open_any
from modelcore.training.plan import ASSIGNMENTS, PlanError, TrainingPlan
from modelcore.training.session import LAST, DivergedError, Session

TEXT = "In the beginning God created the heaven and the earth. " * 60


def plan(assignment: Any = "copy", **more: Any) -> TrainingPlan:
    text = TEXT if assignment == "text" else None
    small = {"layers": 1, "heads": 2, "width": 32, "batch": 8, "length": 16, "steps": 8, "warmup": 2, "dropout": 0.1}
    return TrainingPlan(assignment=assignment, text=text, **{**small, **more})


def losses(session: Session) -> list[float]:
    told = []
    while not session.is_done:
        told.append(session.advance()[0].loss)
    return told


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_session_that_was_cut_off_goes_on_with_the_same_losses(assignment: Any, tmp_path: Path) -> None:
    whole = losses(Session(plan(assignment), tmp_path / "whole"))
    cut_off = Session(plan(assignment), tmp_path / "cut")
    for _ in range(5):
        cut_off.advance()
        if cut_off.step == 3:
            cut_off.save()
    gone_on = Session(plan(assignment), tmp_path / "cut")
    assert gone_on.step == 3
    assert losses(gone_on) == whole[3:]


def test_other_seed_gives_another_curve(tmp_path: Path) -> None:
    assert losses(Session(plan(seed=1), tmp_path)) != losses(Session(plan(), tmp_path))


def test_what_is_measured_is_never_trained_on(tmp_path: Path) -> None:
    assignment: Any = Session(plan(batch=64), tmp_path).assignment
    held_out = {tuple(row) for row in assignment._held_out.ids_BN[:, :15].tolist()}
    for step in range(1, 20):
        assert held_out.isdisjoint(tuple(row) for row in assignment.batch(step).ids_BN[:, :15].tolist())


def test_copying_is_learned(tmp_path: Path) -> None:
    session = Session(
        plan(layers=2, heads=4, width=64, length=10, batch=64, steps=400, warmup=50, dropout=0.0, learning_rate=4e-3),
        tmp_path,
    )
    before = session.measure()["accuracy"]
    losses(session)
    after = session.measure()
    assert before < 0.1 and after["accuracy"] > 0.9, after


def test_model_that_diverges_stops_and_keeps_what_was_saved(tmp_path: Path) -> None:
    session = Session(plan(), tmp_path)
    session.advance()
    session.save()
    with torch.no_grad():
        next(session.model.parameters()).fill_(float("nan"))
    with pytest.raises(DivergedError) as diverged:
        session.advance()
    assert diverged.value.step == 2
    assert Session(plan(), tmp_path).advance()[0].loss > 0


def test_cut_off_while_it_was_saved_it_keeps_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(plan(), tmp_path)
    session.advance()
    session.save()
    kept = (tmp_path / LAST).read_bytes()
    session.advance()

    def no_room(*_: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("torch.save", no_room)
    with pytest.raises(OSError, match="No space"):
        session.save()
    assert (tmp_path / LAST).read_bytes() == kept


@pytest.mark.parametrize("assignment", ["copy", "modular", "text"])
def test_result_opens_in_transformers_and_here(assignment: Any, tmp_path: Path) -> None:
    session = Session(plan(assignment), tmp_path)
    losses(session)
    session.export(tmp_path / "out")
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval()
    opened = open_any(tmp_path / "out")
    assert opened.tokenizer is not None
    probe = session.assignment.probe
    ids = torch.tensor([probe.ids or opened.tokenizer.encode(probe.text or "").ids])
    session.model.eval()
    with torch.inference_mode():
        assert (session.model(ids) - theirs(ids).logits).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"assignment": "chess"}, "assignment"),
        ({"heads": 3}, "heads"),
        ({"width": 0}, "width"),
        ({"steps": True}, "steps"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"dropout": 1.5}, "dropout"),
        ({"schedule": "random"}, "schedule"),
        ({"text": "mine"}, "text"),
    ],
)
def test_plan_that_cannot_be_is_refused_by_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(PlanError) as refused:
        replace(plan(), **changes)
    assert refused.value.field == field and refused.value.message.endswith(".")


def test_text_that_is_too_short_says_how_long_it_must_be(tmp_path: Path) -> None:
    short = TrainingPlan(assignment="text", text="too short", length=16)
    with pytest.raises(PlanError, match=r"needs? at least 170"):
        Session(short, tmp_path)


def test_plan_is_told_and_read_again() -> None:
    assert TrainingPlan.from_json(plan("text").to_json()) == plan("text")
    with pytest.raises(PlanError) as refused:
        TrainingPlan.from_json({"assignment": "copy", "speed": 9})
    assert refused.value.field == "speed"
