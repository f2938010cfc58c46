"""The plan that each task comes with: it can be, and it learns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelcore.models.encoder_decoder import EncoderDecoder
from modelcore.training.assignments.pairs import DrawnPairsAssignment
from modelcore.training.date_alignment import date_alignment
from modelcore.training.plan import ASSIGNMENTS, OF_A_TEXT, TrainingPlan
from modelcore.training.presets import preset
from modelcore.training.session import Session

LOOK_EVERY = 50


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_every_task_has_a_preset_that_is_a_plan(assignment: Any) -> None:
    given = {"text": "a\tb" if assignment in OF_A_TEXT else None, "pictures": "z" if assignment == "images" else None}
    plan = TrainingPlan.from_json(preset(assignment) | given)
    assert plan.assignment == assignment and plan != TrainingPlan(assignment=assignment, **given)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("assignment", ["copy", "reverse"])
def test_preset_learns_unseen_lines_to_ninety_nine_of_a_hundred(assignment: Any, tmp_path: Path) -> None:
    session = Session(TrainingPlan.from_json(preset(assignment)), tmp_path)
    assert session.measure()["exact"] == 0.0
    assert until(session, "exact", 0.99)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_preset_reads_the_digits_of_other_hands(tmp_path: Path) -> None:
    assert until(Session(TrainingPlan.from_json(preset("digits")), tmp_path), "accuracy", 0.95)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_preset_forms_induction_heads_that_the_measures_name(tmp_path: Path) -> None:
    session = Session(TrainingPlan.from_json(preset("induction")), tmp_path)
    assert "induction" not in labels(session)
    assert until(session, "exact", 0.99)
    assert labels(session).count("induction") >= 2


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_preset_writes_dates_with_heads_that_look_at_the_year_the_month_and_the_day(tmp_path: Path) -> None:
    """Which of both comes first depends on how a machine rounds."""
    session = Session(TrainingPlan.from_json(preset("dates")), tmp_path)

    def weakest_head() -> float:
        assignment, model = session.assignment, session.model
        assert isinstance(assignment, DrawnPairsAssignment) and isinstance(model, EncoderDecoder)
        model.eval()
        parts = date_alignment(model, assignment.tokenizer, assignment.held_out[:100])
        model.train()
        return min(best.score for best in parts.values())

    assert until(session, "exact", 0.99, lambda: weakest_head() > 0.7)


def until(session: Session, metric: str, bar: float, holds: Callable[[], bool] = lambda: True) -> bool:
    """Trains until a held-out metric reaches the bar, and `holds`; whether both did within the preset's steps."""
    while not session.is_done:
        session.advance()
        if session.step % LOOK_EVERY == 0 and session.measure()[metric] >= bar and holds():
            return True
    return session.measure()[metric] >= bar and holds()


def labels(session: Session) -> list[str]:
    _, sites = session.probe()
    return [label.name for site in sites for label in site.labels]
