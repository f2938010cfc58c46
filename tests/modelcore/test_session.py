"""A training run that is cut off and goes on as if nothing had happened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

from modelcore.opening import open_any
from modelcore.training import dictd
from modelcore.training.assignments.modular import Equations
from modelcore.training.brought import Brought
from modelcore.training.plan import ASSIGNMENTS, OF_A_TEXT, TOKENIZERS, PlanError, TrainingPlan
from modelcore.training.session import LAST, DivergedError, Session
from tests.modelcore.dictionaries import install
from tests.modelcore.zips import picture_zip

TEXT = "In the beginning God created the heaven and the earth. " * 60
PAIRS = "\n".join(f"{left} {right}\t{right} {left}" for left in "abcd" for right in "klmnop")
WORDS = {left + right: f"{left}{right}\n{right}{left}\n" for left in "abcdefghij" for right in "klmnopqrstuv"}
TEXTS = {"text": TEXT, "masked": TEXT, "spans": TEXT, "pairs": PAIRS}


def plan(assignment: Any = "copy", **more: Any) -> TrainingPlan:
    text = TEXTS.get(assignment)
    pictures = "pictures.zip" if assignment == "images" else None
    small = {"layers": 1, "heads": 2, "width": 32, "batch": 8, "length": 16, "steps": 8, "warmup": 2, "dropout": 0.1}
    return TrainingPlan(assignment=assignment, text=text, pictures=pictures, **{**small, **more})


def losses(session: Session) -> list[float]:
    told = []
    while not session.is_done:
        told.append(session.advance()[0].loss)
    return told


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_session_that_was_cut_off_goes_on_with_the_same_losses(
    assignment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dictd, "FOLDER", tmp_path)
    install(tmp_path, WORDS)
    brought = Brought(pictures=picture_zip(tmp_path / "pictures.zip", {"dark": range(9), "light": range(200, 209)}))
    whole = losses(Session(plan(assignment), tmp_path / "whole", brought))
    cut_off = Session(plan(assignment), tmp_path / "cut", brought)
    for _ in range(5):
        cut_off.advance()
        if cut_off.step == 3:
            cut_off.save()
    gone_on = Session(plan(assignment), tmp_path / "cut", brought)
    assert gone_on.step == 3
    assert losses(gone_on) == whole[3:]


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("assignment", sorted(OF_A_TEXT))
def test_session_goes_on_with_the_tokens_that_it_had(assignment: Any, kind: Any, tmp_path: Path) -> None:
    """Unigram learns other pieces each time, by which a session that went on read other ids than it had learned."""
    begun = Session(plan(assignment, tokenizer=kind, steps=3), tmp_path)
    begun.advance()
    begun.save()
    gone_on = Session(plan(assignment, tokenizer=kind, steps=3), tmp_path)
    before, after = (session.assignment.tokenizer.encode(TEXT + PAIRS).ids for session in (begun, gone_on))
    assert before == after
    assert losses(gone_on) == losses(begun)


def test_accumulated_batches_are_one_step_of_all_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, parts = (
        Session(plan("modular", dropout=0.0, clip=0.0, **sizes), tmp_path / name)
        for name, sizes in (("whole", {"batch": 16}), ("parts", {"batch": 8, "accumulate": 2}))
    )
    both = [parts.assignment.batch(1), parts.assignment.batch(2)]
    joined = Equations(*(torch.cat(columns) for columns in zip(*both, strict=True)))
    monkeypatch.setattr(whole.assignment, "batch", lambda _: joined)
    (one, tokens), (other, also) = whole.advance(), parts.advance()
    assert (
        tokens == also
        and one.loss == pytest.approx(other.loss)
        and one.gradient_norm == pytest.approx(other.gradient_norm, rel=1e-4)
    )


def test_average_is_of_the_last_checkpoints_and_survives_a_cut(tmp_path: Path) -> None:
    averaged = plan(average=3, checkpoint_every=3)
    single, whole = Session(replace(averaged, average=1), tmp_path / "single"), Session(averaged, tmp_path / "whole")
    seen = {}
    while not single.is_done:
        single.advance()
        seen[single.step] = {name: tensor.clone() for name, tensor in single.model.state_dict().items()}
    losses(whole)
    for name, tensor in whole.model.state_dict().items():
        mean = (seen[3][name] + seen[6][name] + seen[8][name]) / 3
        assert torch.allclose(tensor, mean, atol=1e-6), name
    cut = Session(averaged, tmp_path / "cut")
    while cut.step < 7:
        cut.advance()
    cut.save()
    gone_on = Session(averaged, tmp_path / "cut")
    losses(gone_on)
    theirs = gone_on.model.state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in whole.model.state_dict().items())


def test_gradient_is_shortened_to_what_the_plan_allows(tmp_path: Path) -> None:
    norms = {}
    for clip in (0.0, 1e-3):
        session = Session(plan(clip=clip, steps=1), tmp_path / str(clip))
        session.advance()
        optimiser: Any = session._trainer.state()
        norms[clip] = sum(float(state["exp_avg"].square().sum()) for state in optimiser["state"].values()) ** 0.5
    assert norms[1e-3] == pytest.approx(1e-3 * 0.1, rel=1e-3) and norms[0.0] > 10 * norms[1e-3]


def test_other_seed_gives_another_curve(tmp_path: Path) -> None:
    assert losses(Session(plan(seed=1), tmp_path)) != losses(Session(plan(), tmp_path))


def test_what_is_measured_is_never_trained_on(tmp_path: Path) -> None:
    assignment: Any = Session(plan(batch=64), tmp_path).assignment
    held_out = {tuple(row) for row in assignment._held_out.ids_BN[:, :15].tolist()}
    for step in range(1, 20):
        assert held_out.isdisjoint(tuple(row) for row in assignment.batch(step).ids_BN[:, :15].tolist())


def test_optimiser_has_the_betas_of_the_plan(tmp_path: Path) -> None:
    """With beta 1 at 0 the first step is the gradient itself, whatever beta 2 is."""
    session = Session(plan(beta1=0.0, beta2=0.5, steps=1), tmp_path)
    session.advance()
    optimiser: Any = session._trainer.state()
    assert {group["betas"] for group in optimiser["param_groups"]} == {(0.0, 0.5)}


def test_straight_schedule_rises_and_falls_to_nothing() -> None:
    rate = plan(schedule="linear", learning_rate=1.0, steps=10, warmup=4).rate
    assert [round(rate(step), 3) for step in (1, 2, 4, 7, 10)] == [0.25, 0.5, 1.0, 0.571, 0.143]


def test_heads_that_lean_look_at_the_tokens_before_from_the_start(tmp_path: Path) -> None:
    shares = []
    for leaning in (False, True):
        session = Session(plan("copy", leaning=leaning, width=64, heads=2), tmp_path / str(leaning))
        _, (site,) = session.probe()
        shares.append(site.measures["previous_token"][0])
    assert shares[1] > 1.5 * shares[0], shares


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


@pytest.mark.parametrize("assignment", ["copy", "modular", "text", "masked"])
def test_result_opens_in_transformers_and_here(assignment: Any, tmp_path: Path) -> None:
    session = Session(plan(assignment), tmp_path)
    losses(session)
    session.export(tmp_path / "out")
    kind = AutoModelForMaskedLM if assignment == "masked" else AutoModelForCausalLM
    theirs = kind.from_pretrained(tmp_path / "out").eval()
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
        ({"assignment": "text", "text": " \n"}, "text"),
        ({"tokenizer": "words"}, "tokenizer"),
        ({"tokenizer": "unigram"}, "tokenizer"),
        ({"accumulate": 0}, "accumulate"),
        ({"average": 99}, "average"),
        ({"clip": -1}, "clip"),
        ({"beta2": 1.0}, "beta2"),
        ({"languages": "en-tlh"}, "languages"),
        ({"batch_tokens": 500}, "batch_tokens"),
        ({"pictures": "z"}, "pictures"),
        ({"assignment": "images"}, "pictures"),
        ({"assignment": "dates", "leaning": True}, "leaning"),
        ({"leaning": 1}, "leaning"),
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
