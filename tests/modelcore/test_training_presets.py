"""The plan that each task comes with: it can be, and it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelcore.training.plan import ASSIGNMENTS, OF_A_TEXT, TrainingPlan
from modelcore.training.presets import preset
from modelcore.training.session import Session


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_every_task_has_a_preset_that_is_a_plan(assignment: Any) -> None:
    plan = TrainingPlan.from_json(preset(assignment) | ({"text": "a\tb"} if assignment in OF_A_TEXT else {}))
    assert plan.assignment == assignment and plan != TrainingPlan(assignment=assignment, text=plan.text)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("assignment", ["copy", "reverse"])
def test_preset_learns_unseen_lines_to_ninety_nine_of_a_hundred(assignment: Any, tmp_path: Path) -> None:
    session = Session(TrainingPlan.from_json(preset(assignment)), tmp_path)
    assert session.measure()["exact"] == 0.0
    while not session.is_done:
        session.advance()
    assert session.measure()["exact"] >= 0.99
