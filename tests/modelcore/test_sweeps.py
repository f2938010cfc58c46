"""A sweep's rows, its law, and the command that carries it out and goes on."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from modelcore.cli import main
from modelcore.training.plan import PlanError, TrainingPlan
from modelcore.training.session import LAST, Session
from modelcore.training.sweeps.course import FILE, Sweep
from modelcore.training.sweeps.power_law import FEWEST, PowerLaw, fit
from modelcore.training.sweeps.variants import KINDS, variants

TINY = {"layers": 1, "heads": 2, "width": 32, "batch": 4, "length": 16, "steps": 4, "warmup": 1}


def tiny(**more: Any) -> TrainingPlan:
    return TrainingPlan(**{"assignment": "copy", **TINY, **more})


def test_table_3_varies_one_thing_at_a_time_from_the_base() -> None:
    plan = TrainingPlan(assignment="dates", heads=8, width=64, dropout=0.1, label_smoothing=0.1)
    rows = variants("table3", plan.to_json())
    assert rows[0].changes == {} and len({row.name for row in rows}) == len(rows)
    told = {row.name: row.changes for row in rows[1:]}
    assert [told[f"{n} head{'s' * (n > 1)}"]["heads"] for n in (1, 4, 16, 32)] == [1, 4, 16, 32]
    assert told["key width 4"] == {"key_width": 4} and told["key width 2"] == {"key_width": 2}
    assert "positions sinusoidal" not in told and told["positions none"] == {"positions": "none"}
    assert told["dropout 0"] == {"dropout": 0.0} and told["label smoothing 0"] == {"label_smoothing": 0.0}
    assert told["norm pre"] == {"norm_order": "pre"}
    assert {name for name in told if name.startswith("score")} == {
        f"score {name}" for name in ("dot", "multiplicative", "additive")
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("assignment", ["dates", "copy", "modular"])
def test_every_row_is_a_plan_that_can_be_trained(kind: Any, assignment: Any, tmp_path: Path) -> None:
    plan = TrainingPlan(assignment=assignment, **TINY)
    for number, row in enumerate(variants(kind, plan.to_json())):
        session = Session(TrainingPlan.from_json(plan.to_json() | row.changes), tmp_path / str(number))
        assert session.parameters > 0


def test_heads_at_equal_cost_have_equal_parameters(tmp_path: Path) -> None:
    plan = TrainingPlan(assignment="dates", heads=8, width=64)
    counts = set()
    for row in variants("table3", plan.to_json()):
        if row.group in ("base", "heads"):
            varied = TrainingPlan.from_json(plan.to_json() | row.changes)
            counts.add(Session(varied, tmp_path / row.name).parameters)
    assert len(counts) == 1


def law_points(law: PowerLaw, noise: float = 0.0) -> list[tuple[float, float, float]]:
    draw = random.Random(0)
    sizes, tokens = (1e4, 3e4, 1e5, 3e5), (1e5, 4e5, 1.6e6)
    return [(n, d, law.loss(n, d) * (1 + noise * draw.uniform(-1, 1))) for n in sizes for d in tokens]


def test_law_is_found_again_from_its_own_points() -> None:
    law = PowerLaw(1.69, 406.4, 0.34, 410.7, 0.28, 0.0)  # Hoffmann et al. 2022, equation 10
    found = fit(law_points(law))
    assert found is not None and found.error < 1e-3
    assert found.size_exponent == pytest.approx(0.34, abs=0.01)
    assert found.tokens_exponent == pytest.approx(0.28, abs=0.01)
    assert found.irreducible == pytest.approx(1.69, rel=0.1)
    noisy = fit(law_points(law, noise=0.01))
    assert noisy is not None and noisy.error < 0.02


def test_best_split_of_a_budget_is_better_than_its_neighbours() -> None:
    law = PowerLaw(1.69, 406.4, 0.34, 410.7, 0.28, 0.0)
    best = law.optimum(1e15)
    assert best is not None
    parameters, tokens = best
    assert 6 * parameters * tokens == pytest.approx(1e15)
    assert law.loss(parameters, tokens) < min(law.loss(parameters * x, tokens / x) for x in (0.8, 1.25))


def test_law_is_not_made_up_from_too_few_points() -> None:
    points = law_points(PowerLaw(1.69, 406.4, 0.34, 410.7, 0.28, 0.0))
    assert fit(points[: FEWEST - 1]) is None
    assert fit([(1e4, d, loss) for _, d, loss in points]) is None
    assert fit([(n, d, float("nan")) for n, d, _ in points]) is None
    flat = fit([(n, d, 2.0) for n, d, _ in points])
    assert flat is not None and flat.irreducible == pytest.approx(2.0) and flat.optimum(1e12) is None


def test_command_trains_the_rows_prints_a_table_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = [f"--set={name}={value}" for name, value in TINY.items()]
    command = ["sweep", "table3", "copy", "--out", str(tmp_path), "--rows", "base; 1 head", *sets]
    advance, begun = Session.advance, []

    def cut_off_in_the_second(session: Session) -> Any:
        if session.plan.heads == 1 and session.step == 2:
            raise KeyboardInterrupt
        return advance(session)

    monkeypatch.setattr(Session, "advance", cut_off_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        main(command)
    assert [row["name"] for row in json.loads((tmp_path / FILE).read_text())["rows"]] == ["base"]
    monkeypatch.setattr(Session, "advance", lambda session: begun.append(session.plan.heads) or advance(session))
    capsys.readouterr()
    assert main(command) == 0
    assert set(begun) == {1}, "the base is not trained again"
    table = capsys.readouterr().out.rstrip().split("\n")[-2:]
    assert (table[0].startswith("base") and table[1].startswith("1 head") and "(+" in table[1]) or "(-" in table[1]
    assert (tmp_path / "1-head" / "config.json").exists() and not (tmp_path / "1-head" / LAST).exists()


def test_folder_of_another_sweep_is_left_alone(tmp_path: Path) -> None:
    for _ in Sweep("table3", tiny(), tmp_path, ["base"]).rows():
        pass
    with pytest.raises(PlanError, match="Another sweep"):
        Sweep("table3", tiny(seed=1), tmp_path)
    with pytest.raises(PlanError, match="no row 'base of all'"):
        Sweep("table3", tiny(), tmp_path, ["base of all"])


def test_row_that_diverges_does_not_end_the_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelcore.training.session.math.isfinite", lambda value: False)
    (row,) = Sweep("table3", tiny(), tmp_path, ["base"]).rows()
    assert row.metrics == {"diverged": 1}
