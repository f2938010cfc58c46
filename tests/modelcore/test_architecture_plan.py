"""A plan may vary its task's model; what comes out is saved, opened and traced, in whichever layout can say it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from modelcore.analysis.trace import SiteTraced, trace
from modelcore.opening import open_any
from modelcore.training.plan import PlanError, TrainingPlan
from modelcore.training.session import Session

SMALL = {"layers": 1, "heads": 2, "width": 32, "batch": 8, "length": 16, "steps": 2, "warmup": 1}
VARIED: list[tuple[str, dict[str, Any], str]] = [
    ("dates", {}, "marian"),
    ("dates", {"key_width": 8}, "headlight"),
    ("dates", {"positions": "none"}, "headlight"),
    ("dates", {"positions": "rotary"}, "headlight"),
    ("dates", {"norm_order": "pre"}, "headlight"),
    ("dates", {"score": "additive"}, "headlight"),
    ("dates", {"score": "multiplicative"}, "headlight"),
    ("dates", {"score": "dot"}, "headlight"),
    ("copy", {}, "gpt2"),
    ("copy", {"norm_order": "pre", "positions": "learned"}, "gpt2"),
    ("copy", {"positions": "alibi"}, "headlight"),
    ("copy", {"norm_order": "post"}, "headlight"),
]


@pytest.mark.parametrize(("assignment", "changes", "family"), VARIED)
def test_varied_model_is_saved_opened_and_traced(
    assignment: Any, changes: dict[str, Any], family: str, tmp_path: Path
) -> None:
    session = Session(TrainingPlan(assignment=assignment, **{**SMALL, **changes}), tmp_path / "progress")
    while not session.is_done:
        session.advance()
    session.export(tmp_path / "out")
    opened = open_any(tmp_path / "out")
    assert opened.family == family
    model, _ = opened.load(), session.model.eval()
    for name, value in session.model.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name
    told = [one for one in trace(model, session.assignment.probe, opened.tokenizer) if isinstance(one, SiteTraced)]
    assert len(told) == len(session.assignment.config.sites())


def test_dimensions_of_a_head_are_as_many_as_the_plan_says(tmp_path: Path) -> None:
    session = Session(TrainingPlan(assignment="dates", **{**SMALL, "key_width": 6}), tmp_path)
    shapes = {tuple(value.shape) for name, value in session.model.state_dict().items() if name.endswith("query.weight")}
    assert shapes == {(2 * 6, 32)}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"key_width": 0}, "key_width"),
        ({"key_width": True}, "key_width"),
        ({"key_width": 1000}, "key_width"),
        ({"positions": "spiral"}, "positions"),
        ({"score": "guess"}, "score"),
        ({"norm_order": "both"}, "norm_order"),
        ({"known_share": 1.0}, "known_share"),
        ({"heads": 3}, "heads"),
    ],
)
def test_architecture_that_cannot_be_is_refused_by_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(PlanError) as refused:
        TrainingPlan(assignment="dates", **{**SMALL, **changes})
    assert refused.value.field == field


def test_combination_that_no_model_can_have_is_refused_before_it_begins(tmp_path: Path) -> None:
    plan = TrainingPlan(assignment="dates", **{**SMALL, "positions": "relative_keys", "score": "additive"})
    with pytest.raises(PlanError, match="relative_keys are part of a dot product") as refused:
        Session(plan, tmp_path)
    assert refused.value.field == "positions"
